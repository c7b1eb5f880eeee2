// Shares by weight: exact, fair within one replica, and moving as little as they can.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { apportion, sum } from "./apportion.ts";
import { divideAsUpstream, divideByWeight, type Weighted } from "./by-weight.ts";

const INT32_MAX = 2_147_483_647;

interface Case {
  readonly it: string;
  readonly desired: number;
  readonly weights: readonly number[];
  readonly previous?: readonly number[];
  /** Indexes. */
  readonly unfit?: readonly number[];
  readonly shares: readonly number[];
}

const cases: readonly Case[] = [
  { it: "gives exact parts", desired: 5, weights: [2, 1, 0, 2], shares: [2, 1, 0, 2] },
  { it: "gives the rest to the largest remainder", desired: 5, weights: [5, 1, 0, 2], shares: [3, 1, 0, 1] },
  { it: "breaks ties by key", desired: 3, weights: [1, 1], shares: [2, 1] },
  {
    it: "leaves a replica where it is when remainders are the same",
    desired: 3,
    weights: [1, 1],
    previous: [1, 2],
    shares: [1, 2],
  },
  {
    it: "leaves a replica where the weights allow it",
    desired: 5,
    weights: [5, 1, 0, 2],
    previous: [4, 0, 0, 1],
    shares: [4, 0, 0, 1],
  },
  { it: "takes from all when fewer are wanted", desired: 4, weights: [1, 1], previous: [5, 5], shares: [2, 2] },
  { it: "shares with a cluster that joins", desired: 9, weights: [1, 1, 1], previous: [5, 4, 0], shares: [3, 3, 3] },
  { it: "gives a silent cluster nothing new", desired: 12, weights: [1, 1], previous: [3, 3], unfit: [1], shares: [9, 3] },
  {
    it: "takes nothing from a silent cluster because another one joins",
    desired: 6,
    weights: [1, 1, 1],
    previous: [3, 3, 0],
    unfit: [1],
    shares: [2, 3, 1],
  },
  {
    it: "takes from a silent cluster its part of what is fewer",
    desired: 4,
    weights: [1, 1],
    previous: [4, 4],
    unfit: [1],
    shares: [2, 2],
  },
  {
    it: "takes no more than that, whatever the weights",
    desired: 6,
    weights: [100, 1],
    previous: [4, 4],
    unfit: [1],
    shares: [3, 3],
  },
  { it: "takes all from a cluster whose weight is 0", desired: 4, weights: [1, 0], previous: [2, 2], unfit: [1], shares: [4, 0] },
  {
    it: "leaves replicas out when nobody may get more",
    desired: 4,
    weights: [1, 0],
    previous: [2, 0],
    unfit: [0],
    shares: [2, 0],
  },
  { it: "divides nothing", desired: 0, weights: [1, 2], previous: [3, 3], shares: [0, 0] },
  {
    it: "is exact for the largest numbers",
    desired: INT32_MAX,
    weights: [INT32_MAX, INT32_MAX - 1, 1],
    shares: [1_073_741_824, 1_073_741_823, 0],
  },
];

function clustersOf({ weights, previous = [], unfit = [] }: Omit<Case, "it" | "shares" | "desired">): Weighted[] {
  return weights.map((weight, index) => ({
    key: keyOf(index),
    weight,
    previous: previous[index] ?? 0,
    ...(unfit.includes(index) ? { unfit: "it is silent" } : {}),
  }));
}

const keyOf = (index: number): string => String(index).padStart(3, "0");

test.each(cases)("dividing by weight $it", ({ desired, shares, ...rest }) => {
  expect(divideByWeight(desired, clustersOf(rest))).toEqual(shares);
});

const weight = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: INT32_MAX }));
const weights = fc.array(weight, { minLength: 1, maxLength: 8 }).filter((all) => sum(all) > 0);
const desired = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: INT32_MAX }));

/** |share − desired × weight ÷ all| < 1, without rounding. */
function isFair(share: number, desiredReplicas: number, [own, all]: readonly [number, number]): boolean {
  const difference = BigInt(share) * BigInt(all) - BigInt(desiredReplicas) * BigInt(own);
  return (difference < 0n ? -difference : difference) < BigInt(all);
}

const moved = (before: readonly number[], after: readonly number[]): number =>
  sum(after.map((share, index) => Math.max(0, share - (before[index] ?? 0))));

test("replicas always sum, and weights are honoured within one replica, whatever was before", () => {
  fc.assert(
    fc.property(desired, weights, fc.array(fc.nat({ max: 20 }), { maxLength: 8 }), (total, all, previous) => {
      const shares = divideByWeight(total, clustersOf({ weights: all, previous }));
      expect(sum(shares)).toBe(total);
      for (const [index, share] of shares.entries()) expect(isFair(share, total, [all[index] ?? 0, sum(all)])).toBe(true);
      expect(divideByWeight(total, clustersOf({ weights: all, previous: shares }))).toEqual(shares);
    }),
  );
});

test("no other division that honours the weights within one replica moves fewer", () => {
  const small = fc.array(fc.nat({ max: 4 }), { minLength: 1, maxLength: 5 }).filter((all) => sum(all) > 0);
  fc.assert(
    fc.property(
      fc.nat({ max: 12 }),
      small,
      fc.array(fc.nat({ max: 6 }), { minLength: 5, maxLength: 5 }),
      (total, all, previous) => {
        const shares = divideByWeight(total, clustersOf({ weights: all, previous }));
        const fewest = Math.min(...fairDivisions(total, all).map((other) => moved(previous, other)));
        expect(moved(previous, shares)).toBe(fewest);
      },
    ),
  );
});

/** Every division in which each share is its quota rounded down or up. */
function fairDivisions(total: number, all: readonly number[]): readonly (readonly number[])[] {
  const divisions = all.reduce<readonly (readonly number[])[]>(
    (heads, own) => {
      const quota = (total * own) / sum(all);
      const choices = [...new Set([Math.floor(quota), Math.ceil(quota)])];
      return heads.flatMap((head) => choices.map((share) => [...head, share]));
    },
    [[]],
  );
  return divisions.filter((division) => sum(division) === total);
}

test("a cluster that joins takes at most its share from others, when all have the same weight", () => {
  fc.assert(
    fc.property(fc.nat({ max: 200 }), fc.integer({ min: 1, max: 8 }), (total, count) => {
      const before = divideByWeight(total, clustersOf({ weights: new Array<number>(count).fill(1) }));
      const after = divideByWeight(total, clustersOf({ weights: new Array<number>(count + 1).fill(1), previous: before }));
      expect(moved(before, after)).toBe(after[count]);
    }),
  );
});

test("a cluster that joins moves its share and at most one replica per cluster that was there", () => {
  fc.assert(
    fc.property(fc.nat({ max: 200 }), weights, fc.integer({ min: 1, max: 5 }), (total, all, joining) => {
      const before = divideByWeight(total, clustersOf({ weights: all }));
      const after = divideByWeight(total, clustersOf({ weights: [...all, joining], previous: before }));
      for (const [index, share] of before.entries()) expect((after[index] ?? 0) - share).toBeLessThanOrEqual(1);
    }),
  );
});

test("silence takes nothing and gets nothing: only fewer replicas do, and only their part", () => {
  const world = fc.record({ all: weights, previous: fc.array(fc.nat({ max: 9 }), { minLength: 8, maxLength: 8 }) });
  fc.assert(
    fc.property(fc.nat({ max: 60 }), world, fc.nat({ max: 7 }), (total, { all, previous: known }, silent) => {
      const previous = known.slice(0, all.length);
      const shares = divideByWeight(total, clustersOf({ weights: all, previous, unfit: [silent] }));
      const [before, own, share] = [sum(previous), previous[silent] ?? 0, shares[silent] ?? 0];
      if ((all[silent] ?? 0) === 0) return;
      expect(share).toBeLessThanOrEqual(own);
      if (total >= before) expect(share).toBe(own);
      else expect(share).toBeGreaterThanOrEqual(Math.floor((own * total) / before));
      const mayGrow = all.some((each, index) => each > 0 && index !== silent);
      if (mayGrow) expect(sum(shares)).toBe(total);
    }),
  );
});

test("shares do not depend on the order in which clusters are named", () => {
  const worlds = fc
    .record({ total: desired, all: weights, previous: fc.array(fc.nat({ max: 20 }), { maxLength: 8 }) })
    .map(({ total, all, previous }) => ({ total, clusters: clustersOf({ weights: all, previous }) }));
  const shuffled = worlds.chain(({ total, clusters }) =>
    fc.record({
      total: fc.constant(total),
      clusters: fc.constant(clusters),
      order: fc.shuffledSubarray(clusters, { minLength: clusters.length }),
    }),
  );
  fc.assert(
    fc.property(shuffled, ({ total, clusters, order }) => {
      const told = (list: readonly Weighted[]): Record<string, number> => {
        const shares = divideByWeight(total, list);
        return Object.fromEntries(list.map(({ key }, index) => [key, shares[index] ?? 0]));
      };
      expect(told(order)).toEqual(told(clusters));
    }),
  );
});

test("bounds hold, and what they take is shared out among the others", () => {
  const part = fc.record({ weight: fc.nat({ max: 9 }), min: fc.nat({ max: 3 }), room: fc.nat({ max: 5 }) });
  fc.assert(
    fc.property(fc.nat({ max: 60 }), fc.array(part, { minLength: 1, maxLength: 7 }), (more, raw) => {
      const parts = raw.map(({ weight: own, min, room }, index) => ({ key: keyOf(index), weight: own, min, max: min + room }));
      const total = sum(parts.map(({ min }) => min)) + more;
      const shares = apportion(total, parts);
      for (const [index, { min, max }] of parts.entries()) {
        expect(shares[index]).toBeGreaterThanOrEqual(min);
        expect(shares[index]).toBeLessThanOrEqual(max);
      }
      const most = sum(parts.map(({ weight: own, min, max }) => (own > 0 ? max : min)));
      expect(sum(shares)).toBe(Math.min(total, most));
    }),
  );
});

test.each([
  [5, [2, 1, 0, 2], [2, 1, 0, 2]],
  [6, [2, 1, 0, 2], [3, 1, 0, 2]],
  [5, [5, 1, 0, 2], [4, 0, 0, 1]],
  [INT32_MAX, [INT32_MAX, INT32_MAX], [1_073_741_824, 1_073_741_823]],
  [3, [0, 0], [0, 0]],
])("upstream's way: %p by %p gives %p", (total, all, shares) => {
  expect(divideAsUpstream(total, all)).toEqual(shares);
});
