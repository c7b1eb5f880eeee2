// Replicas that are divided by weight, when one cluster of a group takes the place of another: its share moves with it. Pure.
//
// (RBW-1) Only where the others keep their shares: else every step would move what nobody wants to move.
// (RBW-2) While it moves, both together have the share of one.

import type { RebalanceMove, Replacement } from "#api/apps/v1alpha1/rebalance.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { isDividedByCapacity } from "#scheduler/capacity-questions.ts";
import type { BoundDecision } from "#scheduler/decision.ts";
import { previousOf } from "#scheduler/divide/divided.ts";
import { schedule, type ScheduleInput } from "#scheduler/schedule.ts";
import { isAtRest } from "./standing.ts";

type Pair = Pick<Replacement, "from" | "to">;

export function isByWeight({ spec }: Subscription): boolean {
  return spec.schedulingStrategy === "Dividing" && !isDividedByCapacity({ spec });
}

export function movesOf(subscription: Subscription, replacements: readonly Pair[]): readonly RebalanceMove[] {
  if (!isByWeight(subscription)) return [];
  const previous = previousOf(subscription);
  return Object.keys(subscription.status?.replicas ?? {}).flatMap((feed) =>
    replacements.flatMap(({ from, to }): readonly RebalanceMove[] => {
      const replicas = previous(feed, from);
      return replicas === 0 ? [] : [{ feed, from, to, replicas }];
    }),
  );
}

/** In the place of these clusters the others have what they had: nothing would be decided anew afterwards. */
export function isLike(pairs: readonly Pair[], subscription: Subscription, input: ScheduleInput): boolean {
  const after = withPlacesTaken(pairs, subscription);
  const decision = schedule(after, { ...input, existing: [] });
  return decision.type === "bound" && isAtRest(after, decision);
}

/** As if everything had moved already. */
export function withPlacesTaken(pairs: readonly Pair[], subscription: Subscription): Subscription {
  const { bindingClusters = [], replicas = {} } = subscription.status ?? {};
  const instead = new Map(pairs.map(({ from, to }) => [from, to]));
  const clusters = [...new Set(bindingClusters.map((key) => instead.get(key) ?? key))].toSorted();
  const taken = Object.entries(replicas).map(([feed, shares]) => {
    const shareOf = (key: string): number =>
      shares.reduce((all, share, index) => {
        const holder = bindingClusters[index] ?? "";
        return (instead.get(holder) ?? holder) === key ? all + share : all;
      }, 0);
    return [feed, shares.length === 0 ? [] : clusters.map(shareOf)] as const;
  });
  return {
    ...subscription,
    status: { ...subscription.status, bindingClusters: clusters, replicas: Object.fromEntries(taken) },
  };
}

/**
 * What was decided as if everything had moved, with what has not: it comes off the share of who takes the place.
 * undefined: that one shall have less than the other still holds, or does not take the place any more.
 */
export function withSharesHeld(
  decision: BoundDecision,
  pairs: readonly Pair[],
  subscription: Subscription,
): BoundDecision | undefined {
  const previous = previousOf(subscription);
  if (!pairs.every(({ to }) => decision.clusters.includes(to))) return undefined;
  const replicas = Object.entries(decision.replicas ?? {}).map(([feed, shares]) => {
    const left = shares.map((share, index) => {
      const held = pairs.filter(({ to }) => to === decision.clusters[index]).map(({ from }) => previous(feed, from));
      return held.reduce((rest, each) => rest - each, share);
    });
    return [feed, left] as const;
  });
  if (replicas.some(([, shares]) => shares.some((share) => share < 0))) return undefined;
  return { ...decision, replicas: Object.fromEntries(replicas) };
}
