// Replicas by capacity: what holds for every fleet. Cases with their reasons: test/golden/scheduler/divide-by-capacity.md.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { FeedDivision } from "#scheduler/decision.ts";
import { sum } from "./apportion.ts";
import { divideByCapacity, unknownReason, type Capable, type CapacityRules } from "./by-capacity.ts";
import type { Constraint } from "./places.ts";

const INT32_MAX = 2_147_483_647;

const zone = fc.constantFrom("a", "b", "c", undefined);
const capacity = fc.oneof(
  { weight: 5, arbitrary: fc.nat({ max: 8 }).map((replicas): Capable["capacity"] => ({ type: "fits", replicas })) },
  { weight: 1, arbitrary: fc.constant<Capable["capacity"]>({ type: "silent", reason: "no answer in time" }) },
  { weight: 1, arbitrary: fc.constant<Capable["capacity"]>(undefined) },
);
const cluster = fc.record({
  zone,
  region: fc.constantFrom("x", "y"),
  score: fc.constantFrom(0, 50, 100),
  previous: fc.oneof(fc.constant(0), fc.nat({ max: 6 })),
  isUnfit: fc.boolean(),
  capacity,
});
const fleets = fc.array(cluster, { minLength: 1, maxLength: 7 }).map((all) =>
  all.map(({ zone: inZone, region, isUnfit, ...rest }, index): Capable => ({
    key: `c-${String(index)}`,
    labels: { region, ...(inZone === undefined ? {} : { zone: inZone }) },
    ...rest,
    ...(isUnfit && index % 3 === 0 ? { unfit: "it is not ready" } : {}),
  })),
);
const strategies = fc.constantFrom("Spread", "Binpack");
const constraint = (topologyKey: string): fc.Arbitrary<Constraint> =>
  fc.record({ topologyKey: fc.constant(topologyKey), maxSkew: fc.integer({ min: 1, max: 3 }), isHard: fc.boolean() });
const rulesArbitrary: fc.Arbitrary<CapacityRules> = fc.record({
  strategy: strategies,
  constraints: fc.oneof(
    fc.constant([]),
    constraint("zone").map((one) => [one]),
    fc.tuple(constraint("region"), constraint("zone")).map((both) => [...both]),
  ),
  minClusters: fc.nat({ max: 4 }),
});
const worlds = fc.record({ desired: fc.nat({ max: 40 }), clusters: fleets, rules: rulesArbitrary });
type World = Parameters<Parameters<typeof fc.property<[{ desired: number; clusters: Capable[]; rules: CapacityRules }]>>[1]>[0];

const divide = ({ desired, clusters, rules }: World): FeedDivision => divideByCapacity({ feed: "web", desired, clusters }, rules);
const roomOf = (one: Capable): number =>
  unknownReason(one) === undefined && one.capacity?.type === "fits" ? one.capacity.replicas : 0;
const sharesOf = (division: FeedDivision): readonly number[] => division.shares.map(({ replicas }) => replicas);

test("replicas always sum to what is said to be placed; never too many, and too few only with a reason", () => {
  fc.assert(
    fc.property(worlds, (world) => {
      const division = divide(world);
      expect(sum(sharesOf(division))).toBe(division.placed);
      expect(division.placed).toBeLessThanOrEqual(world.desired);
      expect(division.placed < world.desired).toBe(division.shortfall !== undefined);
      for (const replicas of sharesOf(division)) expect(replicas).toBeGreaterThanOrEqual(0);
    }),
  );
});

test("nobody gets more than it has and has room for, and who is silent gets nothing new", () => {
  fc.assert(
    fc.property(worlds, (world) => {
      const shares = sharesOf(divide(world));
      for (const [index, one] of world.clusters.entries()) expect(shares[index]).toBeLessThanOrEqual(one.previous + roomOf(one));
    }),
  );
});

test("without hard constraints everything is placed that fits", () => {
  fc.assert(
    fc.property(worlds, (world) => {
      const soft = { ...world.rules, constraints: world.rules.constraints.map((one) => ({ ...one, isHard: false })) };
      const most = sum(world.clusters.map((one) => one.previous + roomOf(one)));
      expect(divide({ ...world, rules: soft }).placed).toBe(Math.min(world.desired, most));
    }),
  );
});

test("what runs stays: with more replicas nobody gives, with fewer nobody gets; only minClusters moves some", () => {
  fc.assert(
    fc.property(worlds, (world) => {
      const shares = sharesOf(divide({ ...world, rules: { ...world.rules, minClusters: 0 } }));
      const running = sum(world.clusters.map(({ previous }) => previous));
      for (const [index, { previous }] of world.clusters.entries()) {
        if (world.desired >= running) expect(shares[index]).toBeGreaterThanOrEqual(previous);
        if (world.desired <= running) expect(shares[index]).toBeLessThanOrEqual(previous);
      }
    }),
  );
});

test("decided again with what was decided, nothing changes", () => {
  fc.assert(
    fc.property(worlds, (world) => {
      const first = divide(world);
      const after = world.clusters.map((one, index) => {
        const now = first.shares[index]?.replicas ?? 0;
        const left = roomOf(one) + one.previous - now;
        return {
          ...one,
          previous: now,
          ...(one.capacity?.type === "fits" ? { capacity: { type: "fits" as const, replicas: left } } : {}),
        };
      });
      expect(sharesOf(divide({ ...world, clusters: after }))).toEqual(sharesOf(first));
    }),
  );
});

test("as many clusters as are wanted start in one decision, also where a spread allows one only after another gave", () => {
  const inZone = (name: string, one: Pick<Capable, "previous" | "capacity">, index: number): Capable => ({
    key: `c-${String(index)}`,
    labels: { zone: name },
    score: 0,
    ...one,
  });
  const free = { previous: 0, capacity: { type: "fits", replicas: 1 } } as const;
  const full = { previous: 3, capacity: { type: "fits", replicas: 0 } } as const;
  const clusters = [inZone("c", free, 0), inZone("a", free, 1), inZone("a", full, 2)];
  const rules = { strategy: "Spread", constraints: [{ topologyKey: "zone", maxSkew: 2, isHard: true }], minClusters: 3 } as const;
  expect(sharesOf(divide({ desired: 3, clusters, rules }))).toEqual([1, 1, 1]);
});

test("hard constraints hold for what is added, or the reason says why not", () => {
  fc.assert(
    fc.property(worlds, (world) => {
      const fresh = { ...world, clusters: world.clusters.map((one) => ({ ...one, previous: 0 })) };
      const shares = sharesOf(divide(fresh));
      for (const { topologyKey, maxSkew, isHard } of world.rules.constraints) {
        if (!isHard) continue;
        const counts = new Map<string, number>();
        for (const [index, one] of fresh.clusters.entries()) {
          const domain = one.labels[topologyKey];
          if (domain === undefined) expect(shares[index]).toBe(0);
          else if (unknownReason(one) === undefined) counts.set(domain, (counts.get(domain) ?? 0) + (shares[index] ?? 0));
        }
        const all = [...counts.values()];
        if (all.length > 0) expect(Math.max(...all) - Math.min(...all)).toBeLessThanOrEqual(maxSkew);
      }
    }),
  );
});

test("at least minClusters are used where so many have room, or the reason says that it is not so", () => {
  fc.assert(
    fc.property(worlds, (world) => {
      const division = divide(world);
      const used = sharesOf(division).filter((replicas) => replicas > 0).length;
      const wanted = Math.min(world.rules.minClusters, world.desired);
      const could = world.clusters.filter((one) => one.previous > 0 || roomOf(one) > 0).length;
      if (world.rules.constraints.length === 0) expect(used).toBeGreaterThanOrEqual(Math.min(wanted, could));
      if (used < wanted) expect(division.shortfall ?? division.unmet?.join()).toBeDefined();
    }),
  );
});

test("a division does not depend on the order in which clusters are named", () => {
  const shuffled = worlds.chain((world) =>
    fc.record({ world: fc.constant(world), order: fc.shuffledSubarray(world.clusters, { minLength: world.clusters.length }) }),
  );
  fc.assert(
    fc.property(shuffled, ({ world, order }) => {
      const told = (clusters: Capable[]): Record<string, number> =>
        Object.fromEntries(divide({ ...world, clusters }).shares.map(({ cluster: key, replicas }) => [key, replicas]));
      expect(told(order)).toEqual(told(world.clusters));
    }),
  );
});

const huge = ["a", "b", "c"].map((name): Capable => ({
  key: name,
  labels: { zone: name },
  score: 0,
  previous: 0,
  capacity: { type: "fits", replicas: INT32_MAX },
}));

test.each<[string, Constraint[], number[]]>([
  ["spread", [], [715_827_883, 715_827_882, 715_827_882]],
  ["spread evenly", [{ topologyKey: "zone", maxSkew: 1, isHard: true }], [715_827_883, 715_827_882, 715_827_882]],
  ["spread as evenly as it goes", [{ topologyKey: "zone", maxSkew: 1, isHard: false }], [715_827_883, 715_827_882, 715_827_882]],
])("the largest number of replicas is %s exactly and at once", (_how, constraints, shares) => {
  const rules: CapacityRules = { strategy: "Spread", constraints, minClusters: 0 };
  expect(sharesOf(divide({ desired: INT32_MAX, clusters: huge, rules }))).toEqual(shares);
  const running = huge.map((one, index) => ({ ...one, previous: shares[index] ?? 0 }));
  const left = sharesOf(divide({ desired: 300, clusters: running, rules }));
  expect(sum(left)).toBe(300);
  for (const replicas of left) expect(Math.abs(replicas - 100)).toBeLessThanOrEqual(1);
});

test.each([
  [6, [3, 6, 9], [1, 2, 3]],
  [2, [3, 6, 9], [0, 1, 1]],
  [3, [3, 6, 9], [1, 1, 1]],
  [6, [1, 2, 2], [1, 2, 2]],
])("upstream's vectors hold: %p into %p is %p", (desired, rooms, shares) => {
  const clusters = rooms.map((replicas, index): Capable => ({
    key: String(index),
    labels: {},
    score: 0,
    previous: 0,
    capacity: { type: "fits", replicas },
  }));
  expect(sharesOf(divide({ desired, clusters, rules: { strategy: "Spread", constraints: [], minClusters: 0 } }))).toEqual(shares);
});

test("upstream's vector of fewer replicas holds: 18 in [3, 6, 9], two fewer, is [3, 5, 8]", () => {
  const clusters = [3, 6, 9].map((previous, index): Capable => ({
    key: String(index),
    labels: {},
    score: 0,
    previous,
    capacity: undefined,
  }));
  const rules: CapacityRules = { strategy: "Spread", constraints: [], minClusters: 0 };
  expect(sharesOf(divide({ desired: 16, clusters, rules }))).toEqual([3, 5, 8]);
});

test("a large fleet in which every cluster is a place of its own is divided at once", () => {
  const hosts = Array.from({ length: 3_000 }, (_, index): Capable => {
    const key = `c-${String(index)}`;
    return { key, labels: { host: key }, score: 0, previous: index % 3, capacity: { type: "fits", replicas: 10 } };
  });
  const constraints: Constraint[] = [{ topologyKey: "host", maxSkew: 1, isHard: true }];
  const startedAt = performance.now();
  const shares = sharesOf(
    divide({ desired: 8_999, clusters: hosts, rules: { strategy: "Spread", constraints, minClusters: 0 } }),
  );
  expect(sum(shares)).toBe(8_999);
  expect(shares.filter((replicas) => replicas !== 3)).toEqual([2]);
  // The Lease of the leader is renewed every few seconds, by the same thread.
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});
