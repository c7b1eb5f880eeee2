// assign: replicas shared out by what fits into each cluster. Pure.
//
// A cluster is bound when it gets a replica of a feed, and one that was bound stays, with 0 replicas if need be: what cannot be divided
// (a volume, say) must not go because fewer replicas are wanted. Only maxClusters, which somebody has to lower for it, lets go.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { FeedDivision, Problem } from "#scheduler/decision.ts";
import { sumOf } from "#scheduler/divide/apportion.ts";
import { divideByCapacity, unknownReason, type Capable, type CapacityRules } from "#scheduler/divide/by-capacity.ts";
import { chooseClusters, type Choice } from "#scheduler/divide/choose.ts";
import { divisibleOf, previousOf, replicasOf, shortfallOf, type Divisible } from "#scheduler/divide/divided.ts";
import type { Constraint } from "#scheduler/divide/places.ts";
import type { DividingReason } from "#scheduler/divide/reasons.ts";
import { SharedRoom } from "#scheduler/divide/shared-room.ts";
import { tooSilent } from "#scheduler/divide/too-silent.ts";
import type { AssignInput, Assignment, Candidate, Plugin } from "#scheduler/plugin.ts";
import type { Lost } from "#scheduler/preempt/room.ts";
import { lostAfter, lostText } from "#scheduler/preempt/taken.ts";
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
    if (dynamicDividing?.maxClusters !== undefined && dynamicDividing.maxClusters < 1) {
      const none = `maxClusters is ${String(dynamicDividing.maxClusters)}, which no cluster could keep: remove it, or allow at least 1`;
      return stop("refuse", "NoClusterAllowed", none);
    }
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
  const { maxClusters = Infinity } = dividing;
  const asked = askedOf(input, divisibleOf(needs));
  const { chosen, others } = chooseClusters(choicesOf(candidates, asked), maxClusters);
  const kept = chosen.map(({ candidate }) => candidate);
  const open = others.length === 0 ? asked : askedAmong(kept, asked);
  const silence = nobodyKnown(open);
  if (silence !== undefined) return silence;
  const waits = tooSilent(open, input.options.percentageOfClustersToTolerate);
  if (waits !== undefined) return stop("wait", "CapacityUnknown", waits);
  const rules = rulesOf(dividing, others);
  const room = new SharedRoom();
  const divisions = open.map(({ need: { feed, desiredReplicas }, clusters: alone }) => {
    const clusters = alone.map((cluster) => {
      const capacity = room.of(cluster.key, cluster.capacity);
      return capacity === cluster.capacity ? cluster : { ...cluster, capacity };
    });
    const division = divideByCapacity({ feed, desired: desiredReplicas, clusters }, rules);
    room.take(division, (cluster) => input.capacities.of(cluster, feed));
    return division;
  });
  const used = usedBy(divisions);
  const isNeeded = open.some(({ need }) => need.desiredReplicas > 0);
  const clusters = kept
    .filter(({ cluster, wasBound }) => wasBound || used.has(cluster.key) || !isNeeded)
    .map(({ cluster }) => cluster.key);
  const shortfall =
    candidates.length === 0 ? undefined : withLost(shortfallOf(divisions), lostAfter(input.subscription, divisions));
  return {
    type: "assigned",
    clusters,
    replicas: replicasOf(needs, { clusters, divisions }),
    divisions,
    left: leftOut(others, maxClusters),
    leftOtherwise: "it gets no replica",
    ...(shortfall === undefined ? {} : { shortfall }),
  };
}

/** One feed, and what every cluster said about it as if it came alone. */
interface Asked {
  readonly need: Divisible;
  /** At the index of the candidates. */
  readonly clusters: readonly Capable[];
}

/** It lacks room because others took some. */
function withLost(shortfall: Problem | undefined, lost: readonly Lost[]): Problem | undefined {
  if (shortfall === undefined || lost.length === 0) return shortfall;
  const reason: DividingReason = "Preempted";
  return { reason, message: `${shortfall.message}; ${lostText(lost)}` };
}

function askedOf(
  { subscription, capacities, limits, candidates }: AssignInput,
  divisible: readonly Divisible[],
): readonly Asked[] {
  const before = previousOf(subscription);
  return divisible.map((need) => ({
    need,
    clusters: candidates.map(({ cluster: { key, labels }, score, unfit }) => {
      const [capacity, limit] = [capacities.of(key, need.feed), limits?.of(key, need.feed)];
      return { key, labels, score, previous: before(need.feed, key), unfit, capacity, limit };
    }),
  }));
}

function askedAmong(candidates: readonly Candidate[], asked: readonly Asked[]): readonly Asked[] {
  const kept = new Set(candidates.map(({ cluster }) => cluster.key));
  return asked.map(({ need, clusters }) => ({ need, clusters: clusters.filter(({ key }) => kept.has(key)) }));
}

function choicesOf(candidates: readonly Candidate[], asked: readonly Asked[]): readonly Choice[] {
  return candidates.map((candidate, index) => ({
    candidate,
    running: sumOf(asked, ({ clusters }) => clusters[index]?.previous ?? 0),
    room: sumOf(asked, ({ clusters }) => roomOf(clusters[index])),
  }));
}

function roomOf(cluster: Capable | undefined): number {
  return cluster?.unfit === undefined && cluster?.capacity?.type === "fits" ? Math.max(0, cluster.capacity.replicas) : 0;
}

/** Nothing runs yet, and nobody has said what it could take: to bind nothing would be an answer that nobody gave. */
function nobodyKnown(asked: readonly Asked[]): Assignment | undefined {
  const open = asked.filter(({ need }) => need.desiredReplicas > 0);
  const isAnswered = (cluster: Capable): boolean => cluster.previous > 0 || unknownReason(cluster) === undefined;
  if (open.some(({ clusters }) => clusters.some(isAnswered))) return undefined;
  const silent = open.flatMap(({ clusters }) => clusters);
  if (silent.length === 0) return undefined;
  const reasons = [...new Set(silent.map((cluster) => `${cluster.key}: ${unknownReason(cluster) ?? ""}`))];
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
  const used = new Set<string>();
  for (const { shares } of divisions) for (const { cluster, replicas } of shares) if (replicas > 0) used.add(cluster);
  return used;
}

/** By key. */
function leftOut(others: readonly Choice[], maxClusters: number): Readonly<Record<string, string>> {
  const reason = `maxClusters is ${String(maxClusters)}, and others are better or run it already`;
  return Object.fromEntries(others.map(({ candidate }) => [candidate.cluster.key, reason]));
}
