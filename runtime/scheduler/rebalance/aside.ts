// Clusters that a plan is leaving for others are put aside: the others are decided about without them, and they keep what they have. Pure.

import type { Replacement } from "#api/apps/v1alpha1/rebalance.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { matchesSelector } from "#kube/selector.ts";
import type { BoundDecision, Decision } from "#scheduler/decision.ts";
import { previousOf } from "#scheduler/divide/divided.ts";
import { scheduleWithFailover, type FailoverInput } from "#scheduler/failover/plan.ts";
import { snapshotWithout, subscriptionWithout, withKept } from "#scheduler/failover/without.ts";
import { compareText } from "#std/compare-text.ts";
import { isByWeight, withPlacesTaken, withSharesHeld } from "./by-weight.ts";

/** Begun for this version of the Subscription, and still bound, there and selected. */
export function begunOf({ spec, status, metadata }: Subscription, { snapshot }: FailoverInput): readonly Replacement[] {
  const { rebalance, bindingClusters = [] } = status ?? {};
  if (rebalance === undefined || rebalance.generation !== (metadata.generation ?? 0)) return [];
  return (rebalance.replacements ?? []).filter(({ from, phase }) => {
    const cluster = snapshot.get(from);
    if (phase !== "Begun" || cluster === undefined || cluster.isDeleting || !bindingClusters.includes(from)) return false;
    return spec.subscribers.some(({ clusterAffinity }) => matchesSelector(clusterAffinity, cluster.labels));
  });
}

/** Their replicas count for what is wanted: the sum stays what it is. */
export function decideBeside(
  replacements: readonly Pick<Replacement, "from" | "to">[],
  subscription: Subscription,
  input: FailoverInput,
): Decision {
  const aside = replacements.map(({ from }) => from);
  const previous = previousOf(subscription);
  const held = (feed: string): number => aside.reduce((sum, key) => sum + previous(feed, key), 0);
  // Who is put aside keeps what it has; when that is more than is wanted, it gives as everybody does.
  const isTooMuch = (input.needs ?? []).some(({ feed, desiredReplicas }) => held(feed) > (desiredReplicas ?? Infinity));
  if (aside.length === 0 || isTooMuch) return scheduleWithFailover(subscription, input);
  const away = new Set(aside);
  const decision = isByWeight(subscription) ? asIfMoved(replacements, subscription, input) : undefined;
  if (decision !== undefined) return decision.type === "bound" ? beside(decision, aside, subscription) : decision;
  const needs = (input.needs ?? []).map((need) =>
    need.desiredReplicas === undefined ? need : { ...need, desiredReplicas: need.desiredReplicas - held(need.feed) },
  );
  const without = scheduleWithFailover(subscriptionWithout(subscription, away), {
    ...input,
    needs,
    snapshot: snapshotWithout(input.snapshot, away),
    existing: (input.existing ?? []).filter((key) => !away.has(key)),
  });
  return without.type === "bound" ? beside(without, aside, subscription) : without;
}

/** By weight: who takes a place has its share, less what is still in the other cluster. undefined: the other one has too much for that. */
function asIfMoved(
  replacements: readonly Pick<Replacement, "from" | "to">[],
  subscription: Subscription,
  input: FailoverInput,
): Decision | undefined {
  const away = new Set(replacements.map(({ from }) => from));
  const decision = scheduleWithFailover(withPlacesTaken(replacements, subscription), {
    ...input,
    snapshot: snapshotWithout(input.snapshot, away),
    existing: (input.existing ?? []).filter((key) => !away.has(key)),
  });
  return decision.type === "bound" ? withSharesHeld(decision, replacements, subscription) : decision;
}

function beside(decision: BoundDecision, aside: readonly string[], subscription: Subscription): Decision {
  const kept = aside.map((cluster) => ({
    cluster,
    verdict: { type: "keep", reason: "stays bound until its replacement is Available" } as const,
  }));
  const verdicts = [...decision.verdicts, ...kept].toSorted((a, b) => compareText(a.cluster, b.cluster));
  return { ...withKept(decision, aside, subscription), verdicts };
}
