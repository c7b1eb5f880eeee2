// One feed's replicas by what fits into each cluster (Dynamic). Pure.
//
// (CAP-1) Nobody gets more than it said it could take beside what it runs.
// (CAP-2) What runs stays: more replicas are only added, fewer are taken from all (Spread) or from the last (Binpack). Only minClusters
//         moves some, and who has to give room to a higher priority; and only as many as it needs.
// (CAP-3) Who is silent gets nothing new and keeps what it has. It is never counted as full.
// (CAP-4) What is not placed has a reason.

import type { CapacityAnswer } from "#scheduler/capacity.ts";
import type { FeedDivision } from "#scheduler/decision.ts";
import type { Limit } from "#scheduler/preempt/room.ts";
import { shortList } from "#std/short-list.ts";
import { sum, sumOf } from "./apportion.ts";
import { place, take } from "./place.ts";
import { byRank, type Place, type Placing } from "./places.ts";
import { unevenTexts } from "./topology.ts";

export interface Capable {
  readonly key: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly score: number;
  readonly previous: number;
  /** Why it gets nothing new, whatever it said. */
  readonly unfit?: string | undefined;
  readonly capacity: CapacityAnswer | undefined;
  /** Somebody of higher priority gets room here. */
  readonly limit?: Limit | undefined;
}

export interface CapacityRules extends Placing {
  readonly minClusters: number;
  /** Why others are not among the clusters; for the reason of a shortfall. */
  readonly leftOut?: string;
}

export interface CapacityQuestion {
  readonly feed: string;
  readonly desired: number;
  readonly clusters: readonly Capable[];
}

/** Names in a message; the rest is a number. */
const SHOWN_MAX = 5;

/** Each but the first lets further clusters start; what is missing then starts with a later decision. */
const ROUNDS_MAX = 8;

export function divideByCapacity({ feed, desired, clusters }: CapacityQuestion, rules: CapacityRules): FeedDivision {
  const before = clusters.map(placeOf);
  const after = divided(desired, before, rules);
  const hasRoom = roomTexts();
  const shares = clusters.map((cluster, index) => {
    const replicas = after[index]?.now ?? 0;
    const given = givenBy(cluster);
    const reason = reasonOf(cluster, { replicas, given, hasRoom });
    const share = { cluster: cluster.key, replicas, previous: cluster.previous, reason };
    return given === undefined ? share : { ...share, given };
  });
  const placed = sumOf(shares, ({ replicas }) => replicas);
  const unmet = placed < desired ? [] : unmetWishes(desired, after, rules);
  return {
    feed,
    desired,
    placed,
    shares,
    ...(placed < desired ? { shortfall: whyNotAll(clusters, { after, rules }) } : {}),
    ...(unmet.length === 0 ? {} : { unmet }),
  };
}

/** Why a cluster says nothing about what it could take; undefined: it has said it, and may take it. */
export function unknownReason({ unfit, capacity }: Pick<Capable, "unfit" | "capacity">): string | undefined {
  if (unfit !== undefined) return unfit;
  if (capacity === undefined) return "nobody asked it what it could take";
  return capacity.type === "silent" ? capacity.reason : undefined;
}

function placeOf(cluster: Capable): Place {
  const { key, labels, score, previous, capacity } = cluster;
  const isKnown = unknownReason(cluster) === undefined;
  const now = previous - (givenBy(cluster)?.replicas ?? 0);
  const room = isKnown && capacity?.type === "fits" ? Math.max(0, capacity.replicas) : 0;
  const most = cluster.limit === undefined ? room : Math.max(0, cluster.limit.max - now);
  return { key, labels, score, now, room: Math.min(room, most), floor: 0, isKnown };
}

/** Who is silent gives nothing: nobody could use it. */
function givenBy({ previous, limit, capacity }: Capable): { readonly by: string; readonly replicas: number } | undefined {
  if (limit === undefined || capacity?.type !== "fits" || previous <= limit.max) return undefined;
  return { by: limit.by, replicas: previous - limit.max };
}

/** What a cluster gave may be what a spread needed for another one to start: so until nothing changes any more. */
function divided(desired: number, before: readonly Place[], rules: CapacityRules): readonly Place[] {
  const wanted = Math.min(rules.minClusters, desired);
  let places = before;
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const after = dividedOnce(desired, places, rules);
    const isSame = after.every(({ now }, index) => now === places[index]?.now);
    if (isSame || after.filter(isUsed).length >= wanted) return after;
    places = after.map((one) => ({ ...one, floor: 0 }));
  }
  return places;
}

function dividedOnce(desired: number, before: readonly Place[], rules: CapacityRules): readonly Place[] {
  const running = sumOf(before, ({ now }) => now);
  const wanted = Math.min(rules.minClusters, desired);
  const starts = startsOf(wanted - before.filter(isUsed).length, before, rules);
  const starting = sum(starts);
  const floored = withFloors(wanted, before);
  const lessened = changed(floored, negative(take(running + starting - desired, floored, rules)));
  const started = changed(lessened, starts);
  return changed(started, place(desired - sumOf(started, ({ now }) => now), started, rules));
}

/** One replica each for so many clusters that have none, the best first. */
function startsOf(missing: number, places: readonly Place[], rules: CapacityRules): readonly number[] {
  if (missing <= 0) return places.map(() => 0);
  const single = places.map((one) => (isUsed(one) ? { ...one, room: 0 } : { ...one, room: Math.min(1, one.room) }));
  return place(missing, single, { ...rules, strategy: "Binpack" });
}

/** As many clusters as are wanted keep one replica. */
function withFloors(wanted: number, places: readonly Place[]): readonly Place[] {
  if (wanted <= 0) return places;
  const kept = new Set(
    places
      .filter(isUsed)
      .toSorted(byRank)
      .slice(0, wanted)
      .map(({ key }) => key),
  );
  return places.map((one) => (kept.has(one.key) ? { ...one, floor: 1 } : one));
}

/** What is taken away has its room again. */
function changed(places: readonly Place[], amounts: readonly number[]): readonly Place[] {
  if (amounts.every((amount) => amount === 0)) return places;
  return places.map((one, index) => {
    const amount = amounts[index] ?? 0;
    return amount === 0 ? one : { ...one, now: one.now + amount, room: one.isKnown ? one.room - amount : 0 };
  });
}

function negative(amounts: readonly number[]): readonly number[] {
  return amounts.map((amount) => -amount);
}

function isUsed({ now }: Place): boolean {
  return now > 0;
}

interface Outcome {
  readonly replicas: number;
  readonly given: ReturnType<typeof givenBy>;
  readonly hasRoom: (room: number) => string;
}

function reasonOf(cluster: Capable, { replicas, given, hasRoom }: Outcome): string {
  const { previous, capacity, limit } = cluster;
  const unknown = unknownReason(cluster);
  if (given !== undefined) {
    const all = previous - replicas === given.replicas ? "" : `${String(previous - replicas)}, of these `;
    return `gives ${all}${String(given.replicas)} to ${given.by}`;
  }
  if (replicas < previous) return `gives ${String(previous - replicas)}`;
  if (limit !== undefined && unknown === undefined && replicas >= limit.max) return `gets no more: ${limit.by} gets room`;
  if (unknown !== undefined) return replicas > 0 ? `keeps what it has: ${unknown}` : `gets nothing new: ${unknown}`;
  const room = capacity?.type === "fits" ? capacity.replicas : 0;
  if (replicas > previous) return `takes ${String(replicas - previous)} of the ${String(room)} more that fit`;
  return hasRoom(room);
}

/** Most clusters of a large fleet get nothing and differ in a number: equal texts are one. */
function roomTexts(): (room: number) => string {
  const known = new Map<number, string>();
  return (room) => {
    const text = known.get(room) ?? (room > 0 ? `has room for ${String(room)} more` : "has no room for more");
    known.set(room, text);
    return text;
  };
}

function whyNotAll(
  clusters: readonly Capable[],
  { after, rules }: { readonly after: readonly Place[]; readonly rules: CapacityRules },
): string {
  const room = sumOf(after, (one) => one.room);
  const keys = rules.constraints.filter(({ isHard }) => isHard).map(({ topologyKey }) => topologyKey);
  const silent = clusters.flatMap((cluster) => {
    const reason = unknownReason(cluster);
    return reason === undefined ? [] : [`${cluster.key} gets nothing new: ${reason}`];
  });
  const full = room === 0 ? "no more fit" : `${String(room)} more fit, but not as evenly over ${keys.join(", ")} as asked for`;
  return [full, ...(rules.leftOut === undefined ? [] : [rules.leftOut]), ...shortList(silent, SHOWN_MAX)].join(", ");
}

function unmetWishes(desired: number, after: readonly Place[], { minClusters, constraints }: CapacityRules): readonly string[] {
  const used = after.filter(isUsed).length;
  const wanted = Math.min(minClusters, desired);
  const few = used < wanted ? [`on ${String(used)} clusters, minClusters asks for ${String(minClusters)}`] : [];
  return [...few, ...unevenTexts(after, constraints)];
}
