// Spread over places: level by level comes to the same as one replica after the other, in far less time.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { sum } from "./apportion.ts";
import type { Constraint, Place, Placing } from "./places.ts";
import { placeByTopology, takeByTopology, unevenTexts, type CellAmount } from "./topology.ts";

const KEYS = ["zone", "rack", "host"] as const;

const places = fc
  .array(
    fc.record({
      zone: fc.constantFrom("a", "b", "c", undefined),
      rack: fc.constantFrom("1", "2", "3", "4"),
      score: fc.constantFrom(0, 50),
      now: fc.oneof(fc.constant(0), fc.nat({ max: 5 })),
      room: fc.nat({ max: 6 }),
      floor: fc.nat({ max: 1 }),
      isKnown: fc.boolean(),
    }),
    { minLength: 1, maxLength: 9 },
  )
  .map((all) =>
    all.map(({ zone, rack, room, ...rest }, index): Place => {
      const host = `h-${String(index)}`;
      return {
        key: host,
        labels: { rack, host, ...(zone === undefined ? {} : { zone }) },
        ...rest,
        room: rest.isKnown ? room : 0,
      };
    }),
  );
const constraintOn = (topologyKey: string): fc.Arbitrary<Constraint> =>
  fc.record({
    topologyKey: fc.constant(topologyKey),
    maxSkew: fc.integer({ min: 1, max: 3 }),
    isHard: fc.boolean(),
    minDomains: fc.integer({ min: 1, max: 4 }),
  });
const placings: fc.Arbitrary<Placing> = fc.record({
  strategy: fc.constantFrom("Spread", "Binpack"),
  constraints: fc
    .shuffledSubarray([...KEYS], { minLength: 1 })
    .chain((keys) => fc.tuple(...keys.map(constraintOn)).map((all) => [...all])),
});

test("replicas are placed as one after the other would be, each into the emptiest place that may get one", () => {
  fc.assert(
    fc.property(fc.nat({ max: 40 }), places, placings, (wanted, fleet, placing) => {
      expect(amountsOf(placeByTopology(wanted, fleet, placing))).toEqual(oneByOne(wanted, fleet, { ...placing, what: "get" }));
    }),
    { numRuns: 1_000 },
  );
});

test("replicas are taken as one after the other would be, each out of the fullest place", () => {
  fc.assert(
    fc.property(fc.nat({ max: 40 }), places, placings, (unwanted, fleet, placing) => {
      const amounts = amountsOf(takeByTopology(unwanted, fleet, placing.constraints));
      expect(amounts).toEqual(oneByOne(unwanted, fleet, { ...placing, what: "give" }));
    }),
    { numRuns: 1_000 },
  );
});

describe("in a large fleet with a place for each cluster", () => {
  const fleet = Array.from({ length: 3_000 }, (_, index): Place => {
    const host = `h-${String(index)}`;
    const labels = { host, zone: `z-${String(index % 9)}`, rack: `r-${String(index % 500)}` };
    return { key: host, labels, score: 0, now: 0, room: 1_000_000, floor: 0, isKnown: true };
  });
  const cases = [
    { keys: ["zone", "host"], isHard: false, wanted: 10_000 },
    { keys: ["host", "zone"], isHard: false, wanted: 10_000 },
    { keys: ["zone", "rack", "host"], isHard: false, wanted: 10_000 },
    { keys: ["host", "rack"], isHard: true, wanted: 9_000 },
    { keys: ["zone", "host"], isHard: false, wanted: 2_147_483_647 },
  ];
  test.each(cases)(
    "$wanted replicas over $keys are placed, and taken back, without a step for each cluster and replica (hard: $isHard)",
    ({ keys, isHard, wanted }) => {
      const constraints = keys.map((topologyKey) => ({ topologyKey, maxSkew: 1, isHard }));
      const amounts = amountsOf(placeByTopology(wanted, fleet, { strategy: "Spread", constraints }));
      const full = fleet.map((one) => ({ ...one, now: amounts[one.key] ?? 0 }));
      const taken = amountsOf(takeByTopology(wanted - 7, full, constraints));
      expect([sum(Object.values(amounts)), sum(Object.values(taken))]).toEqual([wanted, wanted - 7]);
      expect(Math.max(...Object.values(amounts)) - Math.min(...Object.values(amounts))).toBeLessThanOrEqual(
        Math.ceil((wanted / 3_000) * 0.02),
      );
      if (isHard) expect(unevenTexts(full, constraints)).toEqual([]);
    },
  );
});

/** By the clusters of the cell. */
function amountsOf(cells: readonly CellAmount[]): Record<string, number> {
  return Object.fromEntries(cells.map(({ places: all, amount }) => [all.map(({ key }) => key).join(), amount]));
}

/** As the rules are written: after each replica everything is counted anew. */
function oneByOne(
  amount: number,
  fleet: readonly Place[],
  { strategy, constraints, what }: Placing & { readonly what: "get" | "give" },
): object {
  const nameOf = ({ labels }: Place): string => JSON.stringify(constraints.map(({ topologyKey }) => labels[topologyKey]));
  const cells = Object.entries(Object.groupBy(fleet, nameOf)).map(([name, all = []]) => ({
    name,
    all,
    labels: all[0]?.labels ?? {},
    score: Math.max(...all.map(({ score }) => score)),
    amount: 0,
    left: sum(all.map(({ room, now, floor }) => (what === "get" ? room : Math.max(0, now - floor)))),
  }));
  type Cell = (typeof cells)[number];
  const sign = what === "get" ? 1 : -1;
  const countOf = (topologyKey: string, domain: string | undefined): number =>
    domain === undefined
      ? Number.MAX_SAFE_INTEGER
      : sum(
          cells
            .filter(({ labels }) => labels[topologyKey] === domain)
            .map((cell) => sum(cell.all.map(({ now }) => now)) + sign * cell.amount),
        );
  const mayGet = ({ labels }: Cell): boolean =>
    constraints.every(({ topologyKey, isHard, maxSkew, minDomains = 1 }) => {
      const known = new Set(fleet.filter(({ isKnown }) => isKnown).flatMap((one) => one.labels[topologyKey] ?? []));
      const lowest = known.size < minDomains ? 0 : Math.min(...[...known].map((domain) => countOf(topologyKey, domain)));
      return !isHard || countOf(topologyKey, labels[topologyKey]) < lowest + maxSkew;
    });
  const byCounts = (a: Cell, b: Cell): number =>
    constraints
      .map(({ topologyKey: key }) => sign * (countOf(key, a.labels[key]) - countOf(key, b.labels[key])))
      .find((difference) => difference !== 0) ?? 0;
  const byScore = (a: Cell, b: Cell): number => (what === "get" && strategy === "Binpack" ? b.score - a.score : 0);
  for (let left = amount; left > 0; left -= 1) {
    const [first] = cells
      .filter((cell) => cell.left > 0 && (what === "give" || mayGet(cell)))
      .toSorted((a, b) => byCounts(a, b) || byScore(a, b) || b.left - a.left || (a.name < b.name ? -1 : 1));
    if (first === undefined) break;
    first.amount += 1;
    first.left -= 1;
  }
  return Object.fromEntries(cells.map(({ all, amount: its }) => [all.map(({ key }) => key).join(), its]));
}
