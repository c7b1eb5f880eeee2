// How good is it where one feed's replicas are? The measures that dividing by capacity aims at, in the order in which they count. Pure.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { sum } from "#scheduler/divide/apportion.ts";
import { compareText } from "#std/compare-text.ts";

type DynamicDividing = NonNullable<NonNullable<Subscription["spec"]["dividingScheduling"]>["dynamicDividing"]>;

export interface Seat {
  readonly labels: Readonly<Record<string, string>>;
  readonly score: number;
  readonly replicas: number;
  /** Replicas that it could have in all. */
  readonly room: number;
}

interface Measure {
  /** Less is better. */
  readonly value: number;
  readonly text: string;
}

/** A better score by less than this is none: scores follow what else happens in the fleet. */
const SCORE_GAIN_PERCENT_MIN = 10;

/** Why `after` is better than `before`; undefined: it is not. */
export function whyBetter(before: readonly Seat[], after: readonly Seat[], dividing: DynamicDividing): string | undefined {
  const now = measures(before, dividing);
  const then = measures(after, dividing);
  for (const [index, measure] of now.entries()) {
    const { value, text } = then[index] ?? measure;
    if (value < measure.value) return `${measure.text} → ${text}`;
    if (value > measure.value) return undefined;
  }
  return undefined;
}

export function isBetterScore(before: number, after: number): boolean {
  return after > before && (after - before) * 100 >= SCORE_GAIN_PERCENT_MIN * before;
}

function measures(seats: readonly Seat[], dividing: DynamicDividing): readonly Measure[] {
  const { strategy, minClusters = 0 } = dividing;
  const used = seats.filter(({ replicas }) => replicas > 0);
  const missing = Math.max(0, Math.min(minClusters, sum(seats.map(({ replicas }) => replicas))) - used.length);
  const fewer = { value: missing, text: `on ${String(used.length)} of at least ${String(minClusters)} clusters` };
  return [...unevenness(seats, dividing), fewer, ...(strategy === "Binpack" ? packing(seats) : [fill(seats)])];
}

/** By how much places hold more than they may, of each constraint. */
function unevenness(seats: readonly Seat[], { topologySpreadConstraints = [] }: DynamicDividing): readonly Measure[] {
  return topologySpreadConstraints.map(({ topologyKey, maxSkew, minDomains = 1 }) => {
    const counts = new Map<string, number>();
    for (const { labels, replicas } of seats) {
      const domain = labels[topologyKey];
      if (domain !== undefined) counts.set(domain, (counts.get(domain) ?? 0) + replicas);
    }
    const lowest = counts.size < minDomains ? 0 : Math.min(...counts.values());
    const excess = counts.size === 0 ? 0 : Math.max(0, Math.max(...counts.values()) - lowest - Math.max(1, maxSkew));
    const told = [...counts].toSorted(([a], [b]) => compareText(a, b)).map(([domain, count]) => `${domain} ${String(count)}`);
    return { value: excess, text: `${topologyKey} ${told.join(", ")} (maxSkew ${String(maxSkew)})` };
  });
}

/** Spread: every cluster has the same part of its room in use. */
function fill(seats: readonly Seat[]): Measure {
  const percents = seats.filter(({ room }) => room > 0).map(({ replicas, room }) => Math.round((replicas * 100) / room));
  const [low, high] = [Math.min(...percents), Math.max(...percents)];
  if (percents.length === 0) return { value: 0, text: "no room" };
  return { value: high - low, text: `between ${String(low)} % and ${String(high)} % of the room in use` };
}

/** Binpack: on the best clusters, then on few. */
function packing(seats: readonly Seat[]): readonly Measure[] {
  const all = Math.max(1, sum(seats.map(({ replicas }) => replicas)));
  const score = sum(seats.map((seat) => seat.score * seat.replicas)) / all;
  const used = seats.filter(({ replicas }) => replicas > 0).length;
  // In steps, so that a little better is the same.
  const step = score <= 0 ? 0 : Math.floor(Math.log(score) / Math.log(1 + SCORE_GAIN_PERCENT_MIN / 100));
  return [
    { value: -step, text: `clusters with a score of ${String(Math.round(score))} on average` },
    { value: used, text: `on ${String(used)} clusters` },
  ];
}
