// What dividing plugins have in common: what every cluster has now, and divisions as an assignment. Pure.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { FeedDivision, Problem } from "#scheduler/decision.ts";
import type { Candidate, FeedNeed } from "#scheduler/plugin.ts";
import { shortList } from "#std/short-list.ts";
import type { DividingReason } from "./reasons.ts";

/** A feed with a number of replicas. */
export type Divisible = FeedNeed & { readonly desiredReplicas: number };

function isDivisible(need: FeedNeed): need is Divisible {
  return need.desiredReplicas !== undefined;
}

/** Each once: a Subscription may name a feed twice, which makes it no larger. */
export function divisibleOf(needs: readonly FeedNeed[]): readonly Divisible[] {
  return [...new Map(needs.filter(isDivisible).map((need) => [need.feed, need])).values()];
}

/** Names in a message; the rest is a number. */
const SHOWN_MAX = 5;

/** Replicas of a feed that a cluster was given last. */
export type Previous = (feed: string, cluster: string) => number;

export function previousOf({ status }: Subscription): Previous {
  const indexes = new Map((status?.bindingClusters ?? []).map((cluster, index) => [cluster, index]));
  return (feed, cluster) => {
    const index = indexes.get(cluster);
    return index === undefined ? 0 : (status?.replicas?.[feed]?.[index] ?? 0);
  };
}

/** `replicas` of an Assignment: at the index of `clusters`, `[]` for what is not divided. */
export function replicasOf(
  needs: readonly FeedNeed[],
  { clusters, divisions }: { readonly clusters: readonly string[]; readonly divisions: readonly FeedDivision[] },
): Readonly<Record<string, readonly number[]>> {
  const byFeed = new Map(divisions.map(({ feed, shares }) => [feed, sharesBy(shares)]));
  return Object.fromEntries(
    needs.map(({ feed }) => {
      const shares = byFeed.get(feed);
      return [feed, shares === undefined ? [] : clusters.map((cluster) => shares.get(cluster) ?? 0)];
    }),
  );
}

/** By cluster; who has none is not in it. */
function sharesBy(shares: FeedDivision["shares"]): ReadonlyMap<string, number> {
  const replicasIn = new Map<string, number>();
  for (const { cluster, replicas } of shares) if (replicas > 0) replicasIn.set(cluster, replicas);
  return replicasIn;
}

/** Of all feeds; undefined: every replica is placed, and as asked for. */
export function shortfallOf(divisions: readonly FeedDivision[]): Problem | undefined {
  const missing = divisions.filter(({ placed, desired }) => placed < desired);
  const texts = missing.map(
    ({ feed, placed, desired, shortfall }) =>
      `${String(placed)} of ${String(desired)} replicas of ${feed} are placed${shortfall === undefined ? "" : `: ${shortfall}`}`,
  );
  const unmet = divisions.flatMap(({ feed, unmet: wishes = [] }) => wishes.map((wish) => `${feed}: ${wish}`));
  const reason: DividingReason = missing.length > 0 ? "ReplicasNotPlaced" : "SpreadNotMet";
  return missing.length + unmet.length === 0
    ? undefined
    : { reason, message: shortList([...texts, ...unmet], SHOWN_MAX).join("; ") };
}

/** `oslo/oslo gets nothing new: it is not ready`, for those that have a reason. */
export function unfitTexts(candidates: readonly Candidate[]): readonly string[] {
  const texts = candidates.flatMap(({ cluster, unfit }) =>
    unfit === undefined ? [] : [`${cluster.key} gets nothing new: ${unfit}`],
  );
  return shortList(texts, SHOWN_MAX);
}
