// How many replicas the ResourceQuotas of a namespace leave room for. Pure.
//
// What a quota counts and a replica does not say is not judged: a LimitRange may give it a value.

import { leastOf, wholes, type Amounts, type Room } from "./amounts.ts";

export interface Quota {
  readonly hard: Amounts;
  readonly used: Amounts;
  /** Which pods it counts; all of them must hold. */
  readonly scopes: readonly string[];
}

export interface QuotaNeed {
  readonly requests: Amounts;
  readonly limits: Amounts;
  readonly pods: bigint;
}

const REQUESTS = "requests.";
const LIMITS = "limits.";

export function quotaRoom(quotas: readonly Quota[], need: QuotaNeed): Room {
  return leastOf(
    quotas
      .filter(({ scopes }) => scopes.every((scope) => isCounted(scope, need)))
      .flatMap(({ hard, used }) =>
        [...hard].flatMap(([name, most]) => {
          const amount = amountOf(name, need);
          if (amount === undefined || amount <= 0n) return [];
          return [{ replicas: wholes(most - (used.get(name) ?? 0n), amount), scarce: name }];
        }),
      ),
  );
}

/** A scope that depends on what we are not told leaves its quota out. */
function isCounted(scope: string, { requests, limits }: QuotaNeed): boolean {
  const isBestEffort = requests.size === 0 && limits.size === 0;
  if (scope === "BestEffort") return isBestEffort;
  if (scope === "NotBestEffort") return !isBestEffort;
  return scope === "NotTerminating";
}

function amountOf(name: string, { requests, limits, pods }: QuotaNeed): bigint | undefined {
  if (name === "pods" || name === "count/pods") return pods;
  if (name.startsWith(LIMITS)) return limits.get(name.slice(LIMITS.length));
  return requests.get(name.startsWith(REQUESTS) ? name.slice(REQUESTS.length) : name);
}
