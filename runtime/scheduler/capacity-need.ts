// What one replica asks for, ready to be compared: read once per question, not once per cluster and placement. Exact.

import type { PredictRequest } from "#api/proxies/v1alpha1/predictor.ts";
import { canonicalJson } from "#std/canonical-json.ts";
import { nanoUnits } from "#std/quantity.ts";

/** Equal needs of one reader are the same object. */
export interface Need {
  /** Resource -> nano-units; what is zero is not needed. */
  readonly amounts: ReadonlyMap<string, bigint>;
}

/** Of different needs; then they are read anew. */
const NEEDS_MAX = 1_000;

/** Memory, not meaning: who reads a need twice gets the one of before. */
export class NeedReader {
  readonly #byRequest = new WeakMap<PredictRequest, Need>();
  readonly #byText = new Map<string, Need>();

  of(request: PredictRequest): Need {
    const known = this.#byRequest.get(request);
    if (known !== undefined) return known;
    const need = this.#read(quantitiesOf(request));
    this.#byRequest.set(request, need);
    return need;
  }

  #read(quantities: Quantities): Need {
    const text = canonicalJson(quantities);
    const need = this.#byText.get(text) ?? { amounts: exactly(quantities) };
    if (this.#byText.size >= NEEDS_MAX) this.#byText.clear();
    this.#byText.set(text, need);
    return need;
  }
}

/** Of one replica: resource -> nano-units of its requests, or of a limit where there is no request; what is zero is left out. */
export function amountsOf(request: PredictRequest): ReadonlyMap<string, bigint> {
  return exactly(quantitiesOf(request));
}

type Quantities = Readonly<Record<string, string | number>>;

function quantitiesOf({ resources }: PredictRequest): Quantities {
  return { ...resources?.limits, ...resources?.requests };
}

function exactly(quantities: Quantities): ReadonlyMap<string, bigint> {
  const amounts = Object.entries(quantities).map(([name, quantity]) => [name, nanoUnits(String(quantity)) ?? 0n] as const);
  return new Map(amounts.filter(([, amount]) => amount > 0n));
}

/**
 * How many replicas of the asked need so many replicas of another one displace. Thousands of placements are of few kinds: each kind is
 * reckoned once.
 */
export function displacementOf(asked: Need): (taken: Need, replicas: number) => number {
  const known = new Map<Need, Map<number, number>>();
  return (taken, replicas) => {
    const ofTaken = known.get(taken) ?? new Map<number, number>();
    known.set(taken, ofTaken);
    const displaced = ofTaken.get(replicas) ?? displacedBy(taken, replicas, asked);
    ofTaken.set(replicas, displaced);
    return displaced;
  };
}

/** Slots for pods count only between feeds that ask for nothing. */
function displacedBy(taken: Need, replicas: number, asked: Need): number {
  if (asked.amounts.size === 0) return taken.amounts.size === 0 ? replicas : 0;
  let most = 0n;
  for (const [name, amount] of asked.amounts) {
    const share = ceiling(BigInt(replicas) * (taken.amounts.get(name) ?? 0n), amount);
    if (share > most) most = share;
  }
  return Number(most);
}

function ceiling(amount: bigint, unit: bigint): bigint {
  return (amount + unit - 1n) / unit;
}
