// Replicas shared out by weight (Static). Pure.
//
// (WGT-1) Who may get no more (silent, tainted) keeps what it has. When fewer are wanted it gives no more than its part of what is fewer.
// (WGT-2) Of all divisions that honour the weights within one replica, one that moves the fewest is taken.

import { apportion, sum } from "./apportion.ts";

export interface Weighted {
  readonly key: string;
  readonly weight: number;
  readonly previous: number;
  /** Why it gets nothing new; undefined: it may. */
  readonly unfit?: string;
}

/** At the index of `clusters`. Less than `desired` in sum only if nobody who has a weight may get more. */
export function divideByWeight(desired: number, clusters: readonly Weighted[]): readonly number[] {
  const before = sum(clusters.map(({ previous }) => previous));
  const parts = clusters.map(({ key, weight, previous, unfit }) => {
    if (unfit === undefined || weight === 0) return { key, weight, previous };
    const kept = desired >= before ? previous : partOf(previous, desired, before);
    return { key, weight, previous, min: kept, max: previous };
  });
  return apportion(desired, parts);
}

/** previous × desired ÷ before, rounded down. */
function partOf(previous: number, desired: number, before: number): number {
  return Number((BigInt(previous) * BigInt(desired)) / BigInt(before));
}

/** Upstream's way, from nothing each time: rounded down, and what is left goes to the greatest weights. At the index of `weights`. */
export function divideAsUpstream(desired: number, weights: readonly number[]): readonly number[] {
  const all = sum(weights);
  const shares = weights.map((weight) => (all === 0 ? 0 : partOf(weight, desired, all)));
  const byWeight = weights
    .map((weight, index) => ({ weight, index }))
    .toSorted((a, b) => b.weight - a.weight || a.index - b.index);
  const left = all === 0 ? 0 : desired - sum(shares);
  for (const { index } of byWeight.slice(0, left)) shares[index] = (shares[index] ?? 0) + 1;
  return shares;
}
