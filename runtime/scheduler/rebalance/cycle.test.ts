// Rebalancing through the scheduler's own cycle: what is written, what is not, who waits, and what a restart does to it.

import { expect, test } from "@jest/globals";
import { FeedInventory } from "#api/apps/v1alpha1/feed-inventory.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { KubeObject } from "#api/meta.ts";
import { annotations } from "#api/names.ts";
import { createCycle } from "#scheduler/cycle.ts";
import { defaultProfile } from "#scheduler/default-plugins.ts";
import { createGuardedScheduling } from "#scheduler/failover/guarded.ts";
import { OwnBindings } from "#scheduler/own-bindings.ts";
import { SchedulingQueue } from "#scheduler/queue.ts";
import { takeSnapshot } from "#scheduler/snapshot.ts";
import { silentLogger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";
import { createFakeClock } from "#test/framework/fake-clock.ts";
import { createMemoryCluster } from "#test/framework/memory-cluster.ts";
import { clustersOf, subscriptionOf } from "#test/framework/scheduler-story.ts";
import { createStubInformer } from "#test/framework/stub-informer.ts";
import { RebalanceTurns } from "./turns.ts";

const { signal } = new AbortController();
const feed = { apiVersion: "apps/v1", kind: "Deployment", namespace: "shop", name: "web" };
const FEED = "apps/v1/Deployment/shop/web";
const ROOM = 10;
const labels = { fleet: "yes" };
const clusters = clustersOf({ clusters: { oslo: { labels }, paris: { labels } }, subscription: {} });
const names = ["web", "api"] as const;
const limits = { evictionsPerMinute: 30, silentPercentMax: 30, silentClustersMin: 2 };

function fleetOf(atATimeMax: number) {
  const clock = createFakeClock();
  const memory = createMemoryCluster([Subscription, ManagedCluster, FeedInventory]);
  const messages: string[] = [];
  let metrics = createMetrics();
  const current = (name: string): Subscription => memory.object("Subscription", name) as unknown as Subscription;
  for (const name of names) {
    const made = subscriptionOf({
      subscription: {
        bound: ["oslo"],
        feeds: [feed],
        schedulingStrategy: "Dividing",
        dividingScheduling: { type: "Dynamic", dynamicDividing: { strategy: "Spread" } },
        replicas: { [FEED]: [8] },
      },
    });
    memory.make({ ...made, metadata: { ...made.metadata, name } }, "test");
  }
  const start = (): ((name: string) => Promise<void>) => {
    metrics = createMetrics();
    const subscriptions = createStubInformer(Subscription);
    const managedClusters = createStubInformer(ManagedCluster);
    managedClusters.listed(...clusters);
    const feedInventories = createStubInformer(FeedInventory);
    const feeds = [{ ...feed, desiredReplicas: 8, replicaJsonPath: "/spec/replicas" }];
    const inventory = { apiVersion: FeedInventory.apiVersion, kind: FeedInventory.kind, spec: { feeds } };
    feedInventories.listed(...names.map((name) => ({ ...inventory, metadata: { namespace: "shop", name } })));
    const queue = new SchedulingQueue(clock);
    const turns = new RebalanceTurns(atATimeMax);
    for (const name of names) turns.onChange({ type: "added", object: current(name) });
    const scheduling = createGuardedScheduling(limits, clock, turns);
    scheduling.start(clusters);
    const cycle = createCycle({
      client: memory.client,
      subscriptions,
      managedClusters,
      snapshots: { current: takeSnapshot(clusters) },
      feedInventories,
      queue,
      events: {
        record: (object: KubeObject, { reason }) => void messages.push(`${object.metadata.name} ${reason}`),
        flush: () => Promise.resolve(),
      },
      metrics,
      clock,
      log: silentLogger,
      bindings: { of: () => 0 },
      capacity: {
        ask: (subscription) => {
          const { bindingClusters = [], replicas = {} } = subscription.status ?? {};
          const has = (key: string): number => replicas[FEED]?.[bindingClusters.indexOf(key)] ?? 0;
          return Promise.resolve({ of: (key: string) => ({ type: "fits", replicas: ROOM - has(key) }) as const });
        },
        reserve: () => undefined,
      },
      own: new OwnBindings(),
      scheduling,
      profileOf: () => defaultProfile("default"),
    });
    return async (name) => {
      subscriptions.listed(...names.map(current));
      queue.add(`shop/${name}`, 0);
      await cycle((await queue.take(signal)) ?? "", signal);
    };
  };
  return {
    messages,
    metrics: () => metrics.text(),
    start,
    writes: () => memory.writes().length,
    status: (name: string) => current(name).status,
    shares: (name: string) => current(name).status?.replicas?.[FEED],
    ask: (name: string, asked: string) => {
      const change = ({ metadata }: { metadata: Record<string, unknown> }): void => {
        metadata["annotations"] = { [annotations.rebalance]: asked };
      };
      memory.edit("Subscription", name, { by: "person", change });
    },
    /** The agents report what they were given as Available. */
    report: (name: string) => {
      const { bindingClusters = [], replicas = {} } = current(name).status ?? {};
      const feedStatusDetails = bindingClusters.map((key, index) => ({
        clusterId: key.split("/")[0],
        available: true,
        replicaStatus: { availableReplicas: replicas[FEED]?.[index] },
      }));
      const change = (object: Record<string, unknown>): void => {
        object["status"] = { ...(object["status"] as object), aggregatedStatuses: [{ ...feed, feedStatusDetails }] };
      };
      memory.edit("Subscription", name, { by: "controller-manager", change });
    },
  };
}

test("a plan is shown, confirmed, and carried out step by step, also by a scheduler that was started half-way; one at a time", async () => {
  const fleet = fleetOf(1);
  const first = fleet.start();
  for (const name of names) {
    fleet.ask(name, "Show");
    await first(name);
    expect(fleet.status(name)?.rebalance).toMatchObject({ phase: "Planned", answered: "Show" });
    expect(fleet.shares(name)).toEqual([8]);
    fleet.ask(name, fleet.status(name)?.rebalance?.hash ?? "");
    await first(name);
  }
  expect(fleet.shares("web")).toEqual([6, 2]);
  expect(fleet.shares("api")).toEqual([8]);
  expect(fleet.status("api")?.conditions?.find(({ type }) => type === "Balanced")?.reason).toBe("WaitsForTurn");

  // Nothing is reported yet: nothing is written, however often it is decided.
  const writes = fleet.writes();
  for (const name of names) for (let time = 0; time < 3; time += 1) await first(name);
  expect(fleet.writes()).toBe(writes);

  const second = fleet.start();
  fleet.report("web");
  await second("api");
  expect(fleet.shares("api")).toEqual([8]);
  await second("web");
  expect(fleet.shares("web")).toEqual([4, 4]);
  fleet.report("web");
  await second("web");
  expect(fleet.status("web")?.rebalance?.phase).toBe("Done");

  // The turn of the other one: its request still stands.
  await second("api");
  expect(fleet.shares("api")).toEqual([6, 2]);
  await second("web");
  expect(fleet.shares("web")).toEqual([4, 4]);
  expect(fleet.messages.filter((message) => /Rebalance/.test(message))).toEqual([
    "web RebalancePlanned",
    "web RebalancePlanned",
    "api RebalancePlanned",
    "web Rebalanced",
    "api RebalancePlanned",
  ]);
  const text = await fleet.metrics();
  expect(text).toContain("clusternet_scheduler_rebalanced_replicas_total 4");
  expect(text).toContain('clusternet_scheduler_rebalances_total{result="Done"} 1');
});
