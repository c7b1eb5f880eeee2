// Failover over several decisions, each with the status that the one before wrote.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Failover } from "#api/apps/v1alpha1/failover.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { taints } from "#api/names.ts";
import { statusOf } from "#scheduler/bind.ts";
import { defaultProfile } from "#scheduler/default-plugins.ts";
import { takeSnapshot } from "#scheduler/snapshot.ts";
import { clustersOf, subscriptionOf, type Story } from "#test/framework/scheduler-story.ts";
import type { FleetView } from "./fleet-guard.ts";
import { scheduleWithFailover } from "./plan.ts";

type ClusterStory = NonNullable<Story["clusters"]>[string];

const at = (time: string): number => Date.parse(`2030-01-01T${time}:00Z`);
const feed = { apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name: "web" };
const works: ClusterStory = {};
const silent: ClusterStory = {
  ready: "Unknown",
  taints: [
    { key: taints.unschedulable, effect: "NoSchedule" },
    { key: taints.unschedulable, effect: "NoExecute", timeAdded: "2030-01-01T08:00:00Z" },
  ],
};
const closed: ClusterStory = { taints: [{ key: "full", effect: "NoSchedule" }] };

interface Told {
  readonly bound: string;
  readonly moves: string;
}

/** `take`: a group of so many clusters; absent: all of them. */
function history({ take, ...failover }: Failover & { readonly take?: number }) {
  let status: NonNullable<Subscription["status"]> = { bindingClusters: [] };
  const group = { clusterAffinity: { matchLabels: { fleet: "yes" } }, subGroupStrategy: { minClusters: take } };
  const name = (key: string): string => key.split("/")[0] ?? "";
  return {
    /** Clusters in which the feed is Available from now on. */
    available: (...names: readonly string[]): void => {
      const feedStatusDetails = names.map((clusterId) => ({ clusterId, available: true }));
      status = { ...status, aggregatedStatuses: [{ ...feed, feedStatusDetails }] };
    },
    decide: (time: string, clusters: Readonly<Record<string, ClusterStory>>, fleet: Partial<FleetView> = {}): Told => {
      const groups = take === undefined ? {} : { schedulingBySubGroup: true, subscribers: [group] };
      const story = subscriptionOf({ subscription: { feeds: [feed], failover: { enabled: true, ...failover }, ...groups } });
      const subscription = { ...story, status };
      const labelled = Object.entries(clusters).map(
        ([each, cluster]) => [each, { labels: { fleet: "yes" }, ...cluster }] as const,
      );
      const decision = scheduleWithFailover(subscription, {
        snapshot: takeSnapshot(clustersOf({ clusters: Object.fromEntries(labelled), subscription: {} })),
        profile: defaultProfile("default"),
        now: at(time),
        fleet: { notBefore: at("00:00"), free: 10, nextAt: at(time), ...fleet },
      });
      status = { ...status, ...(statusOf(subscription, decision, at(time)) as NonNullable<Subscription["status"]>) };
      const moves = (status.failover ?? []).map(({ cluster, phase, to = [] }) =>
        [name(cluster), phase, ...to.map(name)].join(" "),
      );
      return { bound: (status.bindingClusters ?? []).map(name).join(" "), moves: moves.join(", ") };
    },
  };
}

test("two clusters fail at once: each has its own replacement, and each of these gives back its own work", () => {
  const { decide, available } = history({ take: 2, afterRecovery: "MoveBack" });
  decide("09:00", { a: works, b: works, c: works, d: works });
  const broken = { a: silent, b: silent, c: works, d: works };
  expect(decide("10:00", broken)).toEqual({ bound: "a b c d", moves: "a Leaving c, b Leaving d" });
  available("c", "d");
  expect(decide("10:01", broken)).toEqual({ bound: "c d", moves: "a Left c, b Left d" });
  const mended = { a: works, b: works, c: works, d: works };
  expect(decide("10:02", mended)).toEqual({ bound: "a b c d", moves: "c Returning a, d Returning b" });
  available("a", "b", "c", "d");
  expect(decide("10:03", mended)).toEqual({ bound: "a b", moves: "" });
});

test("a replacement that fails, too, is replaced, and both wait for that", () => {
  const { decide, available } = history({ take: 1, afterRecovery: "MoveBack" });
  decide("09:00", { a: works, b: works, c: works });
  available("a");
  expect(decide("10:00", { a: silent, b: works, c: works })).toEqual({ bound: "a b", moves: "a Leaving b" });
  const broken = { a: silent, b: silent, c: works };
  expect(decide("10:01", broken)).toEqual({ bound: "a b c", moves: "a Leaving c, b Leaving c" });
  available("c");
  expect(decide("10:02", broken)).toEqual({ bound: "c", moves: "a Left c, b Left c" });
});

test("a cluster that joins meanwhile stands in for nobody: it keeps its work when the lost one returns", () => {
  const { decide } = history({ withoutReplacement: "Unbind", afterRecovery: "MoveBack" });
  decide("09:00", { a: works, b: works });
  expect(decide("10:00", { a: silent, b: works, x: works })).toEqual({ bound: "b x", moves: "a Left" });
  expect(decide("10:01", { a: works, b: works, x: works })).toEqual({ bound: "a b x", moves: "" });
});

test("who works again returns, whether or not another one can", () => {
  const { decide, available } = history({ take: 2, afterRecovery: "MoveBack" });
  decide("09:00", { a: works, b: works, c: works, d: works });
  decide("10:00", { a: silent, b: works, c: works, d: works });
  available("b", "c");
  decide("10:01", { a: silent, b: works, c: works, d: works });
  const broken = { a: silent, b: silent, c: works, d: works };
  expect(decide("10:02", broken)).toEqual({ bound: "b c d", moves: "a Left c, b Leaving d" });
  const mended = { a: closed, b: works, c: works, d: works };
  expect(decide("10:03", mended)).toEqual({ bound: "b c", moves: "a Left c" });
});

test("a replacement that fell silent does not count as Available because it said so before", () => {
  const { decide, available } = history({ take: 1 });
  decide("09:00", { a: works, b: works });
  decide("10:00", { a: silent, b: works });
  available("b");
  const quiet: ClusterStory = { ready: "Unknown" };
  expect(decide("10:01", { a: silent, b: quiet })).toEqual({ bound: "a b", moves: "a Leaving b" });
  expect(decide("10:02", { a: silent, b: works })).toEqual({ bound: "b", moves: "a Left b" });
});

test("the time in which all was silent is no time to become Available", () => {
  const { decide } = history({ take: 1, gracefulTimeoutSeconds: 600 });
  decide("09:00", { a: works, b: works });
  expect(decide("10:00", { a: silent, b: works })).toEqual({ bound: "a b", moves: "a Leaving b" });
  expect(decide("10:05", { a: silent, b: silent }, { held: "all are silent", notBefore: at("10:05") }).bound).toBe("a b");
  const fleet = { notBefore: at("12:00") };
  expect(decide("12:00", { a: silent, b: works }, fleet)).toEqual({ bound: "a b", moves: "a Leaving b" });
  expect(decide("12:11", { a: silent, b: works }, fleet)).toEqual({ bound: "b", moves: "a Left b" });
});

test("while too many are silent, who stood in gives nothing back (FOV-2)", () => {
  const { decide, available } = history({ take: 1, afterRecovery: "MoveBack" });
  decide("09:00", { a: works, b: works });
  decide("10:00", { a: silent, b: works });
  available("b");
  decide("10:01", { a: silent, b: works });
  expect(decide("10:02", { a: works, b: works })).toEqual({ bound: "a b", moves: "b Returning a" });
  available("a", "b");
  expect(decide("10:03", { a: works, b: works }, { held: "many are silent" }).bound).toBe("a b");
  expect(decide("10:04", { a: works, b: works }).bound).toBe("a");
});

test("a cluster that falls silent while it gets its work back has its whole toleration again", () => {
  const { decide, available } = history({ take: 1, afterRecovery: "MoveBack", tolerationSeconds: 300 });
  decide("07:00", { a: works, b: works });
  decide("08:10", { a: silent, b: works });
  available("b");
  decide("08:11", { a: silent, b: works });
  expect(decide("08:12", { a: works, b: works })).toEqual({ bound: "a b", moves: "b Returning a" });
  const [noSchedule, noExecute] = silent.taints ?? [];
  const silentAgain = { ...silent, taints: [noSchedule, { ...(noExecute as object), timeAdded: "2030-01-01T08:13:00Z" }] };
  expect(decide("08:14", { a: silentAgain, b: works })).toEqual({ bound: "a b", moves: "b Returning a" });
  expect(decide("08:19", { a: silentAgain, b: works })).toEqual({ bound: "b", moves: "" });
});

test("whatever fails and returns, no cluster is bound or left twice, and a fleet that works again has what it asked for", () => {
  const names = ["a", "b", "c", "d", "e"] as const;
  const step = fc.record({
    states: fc.array(fc.constantFrom(works, silent, closed), { minLength: names.length, maxLength: names.length }),
    available: fc.subarray([...names]),
    isHeld: fc.boolean(),
  });
  const policy = fc.record({
    take: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
    afterRecovery: fc.constantFrom("MoveBack", "Stay"),
    withoutReplacement: fc.constantFrom("Keep", "Unbind"),
    eviction: fc.constantFrom("Graceful", "Immediate"),
  } as const);
  const fleetOf = (states: readonly ClusterStory[]): Readonly<Record<string, ClusterStory>> =>
    Object.fromEntries(names.map((each, index) => [each, states[index] ?? works]));
  fc.assert(
    fc.property(policy, fc.array(step, { minLength: 1, maxLength: 8 }), ({ take, ...failover }, steps) => {
      const { decide, available } = history({ ...failover, ...(take === undefined ? {} : { take }) });
      let before = decide("09:00", fleetOf([])).bound.split(" ");
      for (const [index, { states, available: reported, isHeld }] of steps.entries()) {
        available(...reported);
        const time = `1${String(Math.floor(index / 6))}:${String((index % 6) * 10).padStart(2, "0")}`;
        const { bound, moves } = decide(time, fleetOf(states), isHeld ? { held: "many are silent" } : {});
        const keys = bound === "" ? [] : bound.split(" ");
        const moved = moves === "" ? [] : moves.split(", ").map((move) => move.slice(0, 1));
        expect(new Set(keys).size).toBe(keys.length);
        expect(new Set(moved).size).toBe(moved.length);
        if (isHeld) expect(before.filter((each) => !keys.includes(each))).toEqual([]);
        before = keys;
      }
      available(...names);
      for (const time of ["20:00", "20:01", "20:02"]) before = decide(time, fleetOf([])).bound.split(" ");
      expect(before).toHaveLength(take ?? names.length);
    }),
    { numRuns: 40 },
  );
});
