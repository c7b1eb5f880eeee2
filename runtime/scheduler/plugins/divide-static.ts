// assign: replicas shared out by the weights of the subscribers. Pure.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { FeedDivision } from "#scheduler/decision.ts";
import { sum } from "#scheduler/divide/apportion.ts";
import { divideAsUpstream, divideByWeight } from "#scheduler/divide/by-weight.ts";
import { divisibleOf, previousOf, replicasOf, shortfallOf, unfitTexts, type Divisible } from "#scheduler/divide/divided.ts";
import type { DividingReason } from "#scheduler/divide/reasons.ts";
import type { AssignInput, Assignment, Candidate, Plugin } from "#scheduler/plugin.ts";

export const divideStatic: Plugin = {
  name: "StaticAssigner",
  assign: (input) => (isStatic(input.subscription) ? divide(input) : { type: "skip" }),
};

function isStatic({ spec: { schedulingStrategy, dividingScheduling } }: Subscription): boolean {
  return schedulingStrategy === "Dividing" && (dividingScheduling?.type ?? "Static") === "Static";
}

function divide(input: AssignInput): Assignment {
  const { subscription, needs, candidates } = input;
  const divisible = divisibleOf(needs);
  const hasWeight = subscription.spec.subscribers.some(({ weight = 0 }) => weight > 0);
  if (divisible.length > 0 && !hasWeight) {
    const reason: DividingReason = "NoWeights";
    return { type: "refuse", reason, message: "No subscriber has a weight above 0: set spec.subscribers[].weight" };
  }
  const clusters = candidates.map(({ cluster }) => cluster.key);
  const divisions = divisible.map((need) => divisionOf(need, input));
  // Without any cluster, that is what is wrong.
  const shortfall = clusters.length === 0 ? undefined : shortfallOf(divisions);
  const replicas = replicasOf(needs, { clusters, divisions });
  return { type: "assigned", clusters, replicas, divisions, ...(shortfall === undefined ? {} : { shortfall }) };
}

function divisionOf({ feed, desiredReplicas: desired }: Divisible, input: AssignInput): FeedDivision {
  const { subscription, candidates, options } = input;
  const before = previousOf(subscription);
  const weighted = candidates.map((candidate) => ({
    key: candidate.cluster.key,
    weight: weightOf(subscription, candidate),
    previous: before(feed, candidate.cluster.key),
    ...(candidate.unfit === undefined ? {} : { unfit: candidate.unfit }),
  }));
  const weights = weighted.map(({ weight }) => weight);
  const replicas = options.upstreamDividing === true ? divideAsUpstream(desired, weights) : divideByWeight(desired, weighted);
  const all = sum(weights);
  const shares = weighted.map(({ key, weight, previous, unfit }, index) => {
    const share = replicas[index] ?? 0;
    const isKept = unfit !== undefined && share === previous && share > 0;
    const reason = isKept ? `keeps what it has: ${unfit}` : `weight ${String(weight)} of ${String(all)}`;
    return { cluster: key, replicas: share, previous, reason };
  });
  const placed = sum(replicas);
  const why = all === 0 ? ["no cluster that fits has a weight above 0"] : unfitTexts(candidates);
  return { feed, desired, placed, shares, ...(placed < desired ? { shortfall: why.join(", ") } : {}) };
}

/** Of all subscribers that select it. */
function weightOf({ spec: { subscribers } }: Subscription, candidate: Candidate): number {
  return sum(candidate.subscribers.map((index) => subscribers[index]?.weight ?? 0));
}
