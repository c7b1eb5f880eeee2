// assign: replicas shared out by what fits into each cluster. Pure.
//
// A cluster is bound when it gets a replica of a feed, and one that was bound stays, with 0 replicas if need be: what cannot be divided
// (a volume, say) must not go because fewer replicas are wanted. Only maxClusters, which somebody has to lower for it, lets go.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { FeedDivision } from "#scheduler/decision.ts";
import { sum } from "#scheduler/divide/apportion.ts";
import { divideByCapacity, unknownReason, type Capable, type CapacityRules } from "#scheduler/divide/by-capacity.ts";
import { chooseClusters, type Choice } from "#scheduler/divide/choose.ts";
import { isDivisible, previousOf, replicasOf, shortfallOf, type Divisible } from "#scheduler/divide/divided.ts";
import type { Constraint } from "#scheduler/divide/places.ts";
import type { DividingReason } from "#scheduler/divide/reasons.ts";
import { SharedRoom } from "#scheduler/divide/shared-room.ts";
import type { AssignInput, Assignment, Candidate, Plugin } from "#scheduler/plugin.ts";
import { shortList } from "#std/short-list.ts";

type DynamicDividing = NonNullable<NonNullable<Subscription["spec"]["dividingScheduling"]>["dynamicDividing"]>;

/** Names in a message; the rest is a number. */
const SHOWN_MAX = 5;

export const divideDynamic: Plugin = {
  name: "DynamicAssigner",
  assign: (input) => {
    const { schedulingStrategy, dividingScheduling } = input.subscription.spec;
    if (schedulingStrategy !== "Dividing" || dividingScheduling?.type !== "Dynamic") return { type: "skip" };
    const { dynamicDividing } = dividingScheduling;
    if (dynamicDividing !== undefined) return divide(input, dynamicDividing);
    const message = "spec.dividingScheduling.dynamicDividing says how to divide: give it a strategy, Spread or Binpack";
    return stop("refuse", "NoDynamicDividing", message);
  },
};

function stop(type: "refuse" | "wait", reason: DividingReason, message: string): Assignment {
  return { type, reason, message };
}

function divide(input: AssignInput, dividing: DynamicDividing): Assignment {
  const { needs, candidates } = input;
  const divisible = needs.filter(isDivisible);
  const { chosen, others } = chooseClusters(choicesOf(input, divisible), dividing.maxClusters ?? Infinity);
  const kept = chosen.map(({ candidate }) => candidate);
  const silence = nobodyKnown(input, { divisible, candidates: kept });
  if (silence !== undefined) return silence;
  const rules = rulesOf(dividing, others);
  const room = new SharedRoom();
  const divisions = divisible.map((need) => {
    const alone = capableOf(input, need, kept);
    const clusters = alone.map((cluster) => ({ ...cluster, capacity: room.of(cluster.key, cluster.capacity) }));
    const division = divideByCapacity({ feed: need.feed, desired: need.desiredReplicas, clusters }, rules);
    room.take(division, (cluster) => input.capacities.of(cluster, need.feed));
    return division;
  });
  const used = usedBy(divisions);
  const isNeeded = divisible.some(({ desiredReplicas }) => desiredReplicas > 0);
  const clusters = kept
    .filter(({ cluster, wasBound }) => wasBound || used.has(cluster.key) || !isNeeded)
    .map(({ cluster }) => cluster.key);
  const shortfall = candidates.length === 0 ? undefined : shortfallOf(divisions);
  return {
    type: "assigned",
    clusters,
    replicas: replicasOf(needs, { clusters, divisions }),
    divisions,
    left: leftOut({ input, others, clusters: new Set(clusters) }, dividing.maxClusters),
    ...(shortfall === undefined ? {} : { shortfall }),
  };
}

function choicesOf({ subscription, candidates, capacities }: AssignInput, divisible: readonly Divisible[]): readonly Choice[] {
  const before = previousOf(subscription);
  return candidates.map((candidate) => {
    const { key } = candidate.cluster;
    const rooms = divisible.map(({ feed }) => {
      const capacity = capacities.of(key, feed);
      return candidate.unfit === undefined && capacity?.type === "fits" ? Math.max(0, capacity.replicas) : 0;
    });
    return { candidate, running: sum(divisible.map(({ feed }) => before(feed, key))), room: sum(rooms) };
  });
}

function capableOf(
  { subscription, capacities }: AssignInput,
  { feed }: Divisible,
  candidates: readonly Candidate[],
): readonly Capable[] {
  const before = previousOf(subscription);
  return candidates.map(({ cluster: { key, labels }, score, unfit }) => ({
    key,
    labels,
    score,
    previous: before(feed, key),
    capacity: capacities.of(key, feed),
    ...(unfit === undefined ? {} : { unfit }),
  }));
}

interface Asked {
  readonly divisible: readonly Divisible[];
  readonly candidates: readonly Candidate[];
}

/** Nothing runs yet, and nobody has said what it could take: to bind nothing would be an answer that nobody gave. */
function nobodyKnown(input: AssignInput, { divisible, candidates }: Asked): Assignment | undefined {
  const clusters = divisible
    .filter(({ desiredReplicas }) => desiredReplicas > 0)
    .flatMap((need) => capableOf(input, need, candidates));
  const isOpen = clusters.length > 0 && clusters.every(({ previous }) => previous === 0);
  if (!isOpen || clusters.some((cluster) => unknownReason(cluster) === undefined)) return undefined;
  const reasons = [...new Set(clusters.map((cluster) => `${cluster.key}: ${unknownReason(cluster) ?? ""}`))];
  const message = `No cluster has said how many replicas it could take: ${shortList(reasons, SHOWN_MAX).join("; ")}`;
  return stop("wait", "CapacityUnknown", message);
}

function rulesOf(dividing: DynamicDividing, others: readonly Choice[]): CapacityRules {
  const { strategy, minClusters = 0, maxClusters = 0, topologySpreadConstraints = [] } = dividing;
  const constraints = topologySpreadConstraints.map(({ maxSkew, topologyKey, whenUnsatisfiable, minDomains }): Constraint => {
    const isHard = whenUnsatisfiable !== "ScheduleAnyway";
    return { maxSkew: Math.max(1, maxSkew), topologyKey, isHard, ...(minDomains === undefined ? {} : { minDomains }) };
  });
  const useful = others.filter(({ room }) => room > 0).length;
  return {
    strategy,
    constraints,
    minClusters,
    ...(useful === 0 ? {} : { leftOut: `maxClusters ${String(maxClusters)} leaves out ${String(useful)} with room` }),
  };
}

function usedBy(divisions: readonly FeedDivision[]): ReadonlySet<string> {
  return new Set(divisions.flatMap(({ shares }) => shares.flatMap(({ cluster, replicas }) => (replicas > 0 ? [cluster] : []))));
}

interface Outcome {
  readonly input: AssignInput;
  readonly others: readonly Choice[];
  readonly clusters: ReadonlySet<string>;
}

/** Why a candidate is not bound, by key. */
function leftOut({ input, others, clusters }: Outcome, maxClusters: number | undefined): Readonly<Record<string, string>> {
  const beyond = new Set(others.map(({ candidate }) => candidate.cluster.key));
  const reasons = input.candidates.flatMap(({ cluster: { key } }) => {
    if (clusters.has(key)) return [];
    const reason = beyond.has(key)
      ? `maxClusters is ${String(maxClusters)}, and others are better or run it already`
      : "it gets no replica";
    return [[key, reason] as const];
  });
  return Object.fromEntries(reasons);
}
