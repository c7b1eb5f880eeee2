// What replicas need and free, resource by resource, in exact nano-units. Pure.

import type { PredictRequest } from "#api/proxies/v1alpha1/predictor.ts";
import { amountsOf } from "#scheduler/capacity-need.ts";
import { canonicalJson } from "#std/canonical-json.ts";

export type Amounts = ReadonlyMap<string, bigint>;

const PODS = "pods";
const ONE = 1_000_000_000n;

/** What must be free for one replica: its requests, or slots for its pods when it requests nothing. */
export function needOf(request: PredictRequest): Amounts {
  const all = freedBy(request);
  if (all.size === 1) return all;
  return new Map([...all].filter(([name]) => name !== PODS));
}

/** What one replica frees when it goes: its requests, a limit where there is none, and slots. */
export function freedBy(request: PredictRequest): Amounts {
  const amounts = amountsOf(request);
  // A chart is one replica of several pods.
  const pods = amounts.get(PODS) ?? ONE;
  return new Map([...amounts, [PODS, pods < ONE ? ONE : pods]]);
}

/** Where one goes the other one may come: nobody knows on which nodes a cluster runs what. */
export function mayStandInFor(going: PredictRequest, coming: PredictRequest): boolean {
  const placeOf = ({ nodeSelector, affinity }: PredictRequest): unknown => [
    Object.keys(nodeSelector ?? {}).length === 0 ? null : nodeSelector,
    affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? null,
  ];
  const wanted = canonicalJson(placeOf(coming));
  if (wanted !== canonicalJson([null, null]) && wanted !== canonicalJson(placeOf(going))) return false;
  // It may run on nodes that only its tolerations open.
  const tolerated = new Set((coming.tolerations ?? []).map((each) => canonicalJson(each)));
  return (going.tolerations ?? []).every((each) => tolerated.has(canonicalJson(each)));
}

export function times(amounts: Amounts, count: number): Amounts {
  return new Map([...amounts].map(([name, amount]) => [name, amount * BigInt(count)]));
}

export function plus(a: Amounts, b: Amounts): Amounts {
  const sum = new Map(a);
  for (const [name, amount] of b) sum.set(name, (sum.get(name) ?? 0n) + amount);
  return sum;
}

/** Never below zero; what is zero is left out. */
export function minus(a: Amounts, b: Amounts): Amounts {
  return new Map(
    [...a].flatMap(([name, amount]) => {
      const left = amount - (b.get(name) ?? 0n);
      return left > 0n ? [[name, left] as const] : [];
    }),
  );
}

/** How often `need` is in `amounts`. */
export function wholesOf(amounts: Amounts, need: Amounts): number {
  const wholes = [...need].map(([name, amount]) => (amounts.get(name) ?? 0n) / amount);
  const least = wholes.reduce<bigint | undefined>((min, each) => (min === undefined || each < min ? each : min), undefined);
  const max = BigInt(2 ** 31 - 1);
  return Number(least === undefined ? 0n : least > max ? max : least);
}
