// One Subscription through a cycle: what plugins around a decision may do, and what their failures cost.

import { expect, test } from "@jest/globals";
import { FeedInventory } from "#api/apps/v1alpha1/feed-inventory.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { noCapacities } from "#scheduler/capacity.ts";
import { createCycle } from "#scheduler/cycle.ts";
import { defaultPlugins, defaultProfile } from "#scheduler/default-plugins.ts";
import type { Plugin } from "#scheduler/plugin.ts";
import { OwnBindings } from "#scheduler/own-bindings.ts";
import { PluginError } from "#scheduler/plugin-error.ts";
import { pluginsAtTheirPoints } from "#scheduler/profile.ts";
import { SchedulingQueue } from "#scheduler/queue.ts";
import { schedule } from "#scheduler/schedule.ts";
import { takeSnapshot } from "#scheduler/snapshot.ts";
import { silentLogger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";
import { createFakeClock } from "#test/framework/fake-clock.ts";
import { createMemoryCluster } from "#test/framework/memory-cluster.ts";
import { clustersOf, subscriptionOf } from "#test/framework/scheduler-story.ts";
import { createStubInformer } from "#test/framework/stub-informer.ts";

const { signal } = new AbortController();
const story = { clusters: { paris: { labels: { fleet: "yes" } } }, subscription: {} };

interface World {
  readonly clock: ReturnType<typeof createFakeClock>;
  /** Takes the Subscription through one cycle. */
  run(): Promise<void>;
  readonly status: () => Subscription["status"];
  readonly metrics: () => Promise<string>;
  /** Decisions of which failover was told that they were not carried out. */
  readonly undone: () => number;
  readonly queue: SchedulingQueue;
}

function worldWith(...plugins: readonly Plugin[]): World {
  const clock = createFakeClock();
  let undone = 0;
  const cluster = createMemoryCluster([Subscription, ManagedCluster, FeedInventory]);
  const subscriptions = createStubInformer(Subscription);
  const managedClusters = createStubInformer(ManagedCluster);
  managedClusters.listed(...clustersOf(story));
  cluster.make({ ...subscriptionOf(story), status: { bindingClusters: [] } }, "test");
  const queue = new SchedulingQueue(clock);
  const metrics = createMetrics();
  const profile = { ...defaultProfile("default"), plugins: pluginsAtTheirPoints([...plugins, ...defaultPlugins]) };
  const cycle = createCycle({
    client: cluster.client,
    subscriptions,
    managedClusters,
    snapshots: { current: takeSnapshot(managedClusters.list()) },
    feedInventories: createStubInformer(FeedInventory),
    queue,
    events: { record: () => undefined, flush: () => Promise.resolve() },
    metrics,
    clock,
    log: silentLogger,
    bindings: { of: () => 0 },
    own: new OwnBindings(),
    capacity: { ask: () => Promise.resolve(noCapacities), reserve: () => undefined },
    scheduling: {
      start: () => undefined,
      observe: () => false,
      schedule,
      undo: () => {
        undone += 1;
      },
    },
    profileOf: () => profile,
  });
  const current = (): Subscription => cluster.object("Subscription", "web") as unknown as Subscription;
  return {
    clock,
    queue,
    status: () => current().status,
    metrics: () => metrics.text(),
    undone: () => undone,
    run: async () => {
      subscriptions.listed(current());
      queue.add("shop/web", 0);
      await cycle((await queue.take(signal)) ?? "", signal);
    },
  };
}

const scheduled = ({ status }: World): string | undefined =>
  status()
    ?.conditions?.map(({ status: value, reason, message }) => `${value} ${reason}: ${message}`)
    .join();

function recording(name: string, told: string[], fails: string): Plugin {
  const tell = (point: string) => (): void => {
    told.push(`${point} ${name}`);
    if (fails === `${point} ${name}`) throw new PluginError(name, `failed at ${point}: no`);
  };
  return {
    name,
    reserve: tell("reserve"),
    unreserve: tell("unreserve"),
    permit: () => {
      tell("permit")();
      return { type: "allow" };
    },
    preBind: tell("preBind"),
    postBind: tell("postBind"),
  };
}

test("the points around a decision run in their order, and only when it changes bindings", async () => {
  const told: string[] = [];
  const world = worldWith(recording("A", told, ""), recording("B", told, ""));
  await world.run();
  expect(told).toEqual(["reserve A", "reserve B", "permit A", "permit B", "preBind A", "preBind B", "postBind A", "postBind B"]);
  expect(world.status()?.bindingClusters).toEqual(["paris/paris"]);
  told.length = 0;
  await world.run();
  expect(told).toEqual([]);
});

test.each([
  ["reserve B", ["reserve A", "reserve B", "unreserve B", "unreserve A"]],
  ["permit A", ["reserve A", "reserve B", "permit A", "unreserve B", "unreserve A"]],
  ["preBind B", ["reserve A", "reserve B", "permit A", "permit B", "preBind A", "preBind B", "unreserve B", "unreserve A"]],
])("when %s fails, what was reserved is undone, latest first, and nothing is bound", async (fails, expected) => {
  const told: string[] = [];
  const world = worldWith(recording("A", told, fails), recording("B", told, fails));
  await world.run();
  expect(told).toEqual(expected);
  expect(world.status()?.bindingClusters).toEqual([]);
  expect(scheduled(world)).toMatch(/^False PluginFailed: Plugin [AB] failed at/);
  expect(world.undone()).toBe(1);
  expect(world.queue.sizes).toMatchObject({ backoff: 1 });
});

test("a failure after the binding changes nothing", async () => {
  const world = worldWith(recording("A", [], "postBind A"));
  await world.run();
  expect(world.status()?.bindingClusters).toEqual(["paris/paris"]);
  expect(scheduled(world)).toMatch(/^True Scheduled/);
});

test("a plugin that fails while it decides fails its own decision, which is tried again", async () => {
  const world = worldWith({
    name: "Bad",
    filter: () => {
      throw new PluginError("Bad", "failed at filter: out of paper");
    },
  });
  await world.run();
  expect(scheduled(world)).toBe("False PluginFailed: Plugin Bad failed at filter: out of paper");
  expect(world.status()?.bindingClusters).toEqual([]);
  expect(world.queue.sizes).toMatchObject({ backoff: 1 });
  expect(await world.metrics()).toContain('clusternet_scheduler_schedule_attempts_total{result="waiting",profile="default"} 1');
});

test("a plugin may hold a decision back, and is waited for until it permits", async () => {
  let answer: { readonly type: "allow" } | { readonly type: "wait"; readonly reason: string; readonly message: string } = {
    type: "wait",
    reason: "NightOnly",
    message: "It is day",
  };
  const world = worldWith({ name: "Night", permit: () => answer });
  await world.run();
  expect(scheduled(world)).toBe("False NightOnly: It is day");
  expect(world.undone()).toBe(1);
  expect(world.queue.sizes).toMatchObject({ backoff: 1 });
  await world.clock.advance(60_000);
  answer = { type: "allow" };
  await world.run();
  expect(scheduled(world)).toMatch(/^True Scheduled/);
  expect(await world.metrics()).toContain("clusternet_scheduler_permit_wait_duration_seconds_sum 60");
});

test("nobody is waited for longer than 15 minutes", async () => {
  const world = worldWith({ name: "Never", permit: () => ({ type: "wait", reason: "Never", message: "No" }) });
  await world.run();
  await world.clock.advance(15 * 60_000);
  await world.run();
  expect(scheduled(world)).toBe("False PermitTimedOut: No (Never) for longer than 15 minutes");
  expect(world.queue.sizes).toMatchObject({ unschedulable: 1 });
});

test("the time in which a gate was closed is no time that a plugin was waited for", async () => {
  const wait = { type: "wait", reason: "Wait", message: "Not yet" } as const;
  let isClosed = false;
  const world = worldWith({ name: "Slow", preFilter: () => (isClosed ? wait : { type: "ok" }), permit: () => wait });
  await world.run();
  isClosed = true;
  await world.clock.advance(60_000);
  await world.run();
  isClosed = false;
  await world.clock.advance(15 * 60_000);
  await world.run();
  expect(scheduled(world)).toBe("False Wait: Not yet");
});

test("the first binder that does not skip binds; when none does, that is a failure", async () => {
  const skips = worldWith({ name: "Other", bind: () => ({ type: "skip" }) });
  await skips.run();
  expect(skips.status()?.bindingClusters).toEqual(["paris/paris"]);
  const binds = worldWith({ name: "Own", bind: () => ({ type: "bound" }) });
  await binds.run();
  expect(binds.status()?.bindingClusters).toEqual([]);
});

test("what plugins and points take is among the metrics", async () => {
  const world = worldWith({ name: "Own", filter: () => ({ fits: true }), permit: () => ({ type: "allow" }) });
  await world.run();
  const told = await world.metrics();
  for (const which of ['plugin="Own",point="filter"', 'plugin="Own",point="permit"', 'plugin="DefaultBinder",point="bind"'])
    expect(told).toContain(`clusternet_scheduler_plugin_duration_seconds_count{${which}} 1`);
  expect(told).toContain('clusternet_scheduler_framework_extension_point_duration_seconds_count{extension_point="assign"} 1');
});
