// What the fleet allows: holds, their end, and the rate.

import { describe, expect, test } from "@jest/globals";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { clustersOf } from "#test/framework/scheduler-story.ts";
import { FleetGuard, holdOf, type FleetLimits } from "./fleet-guard.ts";

const limits: FleetLimits = { evictionsPerMinute: 2, silentPercentMax: 30, silentClustersMin: 2 };

function fleet(size: number, silent: number, deleting = 0): readonly ManagedCluster[] {
  const names = Array.from({ length: size }, (_, index) => String(index));
  const story = names.map((name, index) => [name, { ready: index < silent ? "Unknown" : "True", deleting: index < deleting }]);
  return clustersOf({ clusters: Object.fromEntries(story) as never, subscription: {} });
}

describe("holdOf", () => {
  test.each([
    { size: 10, silent: 3, held: undefined },
    { size: 10, silent: 4, held: "4 of 10 clusters are silent" },
    // One of two may fail; both at once is our network.
    { size: 2, silent: 1, held: undefined },
    { size: 2, silent: 2, held: "2 of 2 clusters are silent" },
    { size: 0, silent: 0, held: undefined },
    // Who is being deleted does not count.
    { size: 10, silent: 4, deleting: 2, held: undefined },
  ])("$silent of $size silent: $held", ({ size, silent, deleting, held }) => {
    expect(holdOf(fleet(size, silent, deleting), limits)).toBe(held);
  });

  test("at 100 % nothing is ever held", () => {
    expect(holdOf(fleet(3, 3), { ...limits, silentPercentMax: 100 })).toBeUndefined();
  });
});

describe("FleetGuard", () => {
  test("before it starts no silence counts, and then none from before", () => {
    const guard = new FleetGuard(limits);
    expect(guard.view(5).notBefore).toBe(Number.POSITIVE_INFINITY);
    guard.start(fleet(10, 1), 1_000);
    expect(guard.view(5_000)).toEqual({ notBefore: 1_000, free: 2, nextAt: 5_000 });
  });

  test("says when a hold begins and ends, and counts silence anew after it", () => {
    const guard = new FleetGuard(limits);
    guard.start(fleet(10, 1), 0);
    expect(guard.observe(fleet(10, 3), 10)).toBe(false);
    expect(guard.observe(fleet(10, 9), 20)).toBe(true);
    expect(guard.view(25)).toMatchObject({ held: "9 of 10 clusters are silent" });
    expect(guard.observe(fleet(10, 5), 30)).toBe(false);
    expect(guard.observe(fleet(10, 3), 40)).toBe(true);
    expect(guard.view(45)).toEqual({ notBefore: 40, free: 2, nextAt: 45 });
    expect(guard.observe(fleet(10, 2), 50)).toBe(false);
    expect(guard.view(55).notBefore).toBe(40);
  });

  test("lets so many begin in a minute, whatever was not carried out not counted", () => {
    const guard = new FleetGuard(limits);
    guard.start([], 0);
    guard.spend(1, 0);
    guard.spend(1, 20_000);
    expect(guard.view(30_000)).toMatchObject({ free: 0, nextAt: 60_000 });
    guard.refund(1);
    expect(guard.view(30_000)).toMatchObject({ free: 1 });
    guard.spend(2, 30_000);
    expect(guard.view(30_000)).toMatchObject({ free: 0, nextAt: 90_000 });
    expect(guard.view(60_000)).toMatchObject({ free: 0, nextAt: 90_000 });
    expect(guard.view(90_000)).toMatchObject({ free: 2 });
  });

  test("at 0 a minute nothing begins, ever", () => {
    const guard = new FleetGuard({ ...limits, evictionsPerMinute: 0 });
    guard.start([], 0);
    expect(guard.view(0)).toMatchObject({ free: 0, nextAt: Number.POSITIVE_INFINITY });
  });
});
