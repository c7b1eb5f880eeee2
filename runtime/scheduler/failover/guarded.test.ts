// What the leading scheduler does around a decision: the rate, the wake-ups, and the last look before something is taken away.

import { describe, expect, test } from "@jest/globals";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { Client } from "#kube/client.ts";
import { bind } from "#scheduler/bind.ts";
import type { BoundDecision } from "#scheduler/decision.ts";
import { defaultProfile } from "#scheduler/default-plugins.ts";
import { takeSnapshot } from "#scheduler/snapshot.ts";
import { createFakeClock } from "#test/framework/fake-clock.ts";
import { clustersOf, subscriptionOf } from "#test/framework/scheduler-story.ts";
import { createGuardedScheduling, lookAgainDelayMs, isMoveReported } from "./guarded.ts";

const labels = { fleet: "yes" };
const taint = { key: "disks", effect: "NoExecute", timeAdded: "2025-01-01T00:00:00Z" };
const clusters = clustersOf({ clusters: { oslo: { labels }, paris: { labels, taints: [taint] } }, subscription: {} });
const limits = { evictionsPerMinute: 1, silentPercentMax: 30, silentClustersMin: 2 };
const snapshot = takeSnapshot(clusters);
const input = { snapshot, profile: defaultProfile("default") };
const failover = { enabled: true, eviction: "Immediate", withoutReplacement: "Unbind" };
const subscription = subscriptionOf({ subscription: { bound: ["oslo", "paris"], failover } });

function decided(of: Subscription, scheduling: ReturnType<typeof createGuardedScheduling>): BoundDecision {
  const decision = scheduling.schedule(of, input);
  if (decision.type !== "bound") throw new Error("Not bound");
  return decision;
}

describe("the rate of the fleet", () => {
  test("is spent by a decision, given back when that is not carried out, and free again after its minute", async () => {
    const clock = createFakeClock();
    const scheduling = createGuardedScheduling(limits, clock);
    scheduling.start(clusters);
    const first = decided(subscription, scheduling);
    expect(first.clusters).toEqual(["oslo/oslo"]);
    const second = decided(subscription, scheduling);
    expect(second.clusters).toEqual(["oslo/oslo", "paris/paris"]);
    expect(lookAgainDelayMs(second, clock.now())).toBe(60_000);
    scheduling.undo(first);
    expect(decided(subscription, scheduling).clusters).toEqual(["oslo/oslo"]);
    await clock.advance(60_000);
    expect(decided(subscription, scheduling).clusters).toEqual(["oslo/oslo"]);
  });
});

describe("the last look before a cluster is unbound because it does not work", () => {
  const { promise: written, resolve } = Promise.withResolvers<object>();
  const liveIs = (live: ManagedCluster | undefined): Client =>
    ({
      get: () => Promise.resolve(live),
      patch: (_type: unknown, _key: unknown, options: { body: object }) => {
        resolve(options.body);
        return Promise.resolve(subscription);
      },
    }) as unknown as Client;
  const bindWith = (live: ManagedCluster | undefined): ReturnType<typeof bind> => {
    const clock = createFakeClock();
    const scheduling = createGuardedScheduling(limits, clock);
    scheduling.start(clusters);
    const decision = decided(subscription, scheduling);
    return bind(subscription, { client: liveIs(live), decision, snapshot, now: clock.now() }, new AbortController().signal);
  };

  test("the taint is gone: nothing is written, it is decided again", async () => {
    const [, paris] = clusters;
    const healed = { ...paris!, spec: { ...paris!.spec, taints: [] } };
    await expect(bindWith(healed)).rejects.toThrow(/not what the cache says/);
  });

  test("it is still there: the binding and the move are written together", async () => {
    await bindWith(clusters[1]);
    expect(JSON.stringify(await written)).toContain("Left");
  });
});

test("while a cluster is being left, every report of its replacement is looked at; otherwise none", () => {
  const feed = { apiVersion: "v1", kind: "ConfigMap", name: "web" };
  const statusWith = (phase: "Leaving" | "Left", available: boolean): Subscription => ({
    ...subscription,
    status: {
      failover: [{ cluster: "paris/paris", phase, since: "", reason: "" }],
      aggregatedStatuses: [{ ...feed, feedStatusSummary: { available } }],
    },
  });
  const looksAt = (phase: "Leaving" | "Left", available: boolean): boolean =>
    isMoveReported({ type: "updated", object: statusWith(phase, available), previous: statusWith(phase, false) });
  expect(looksAt("Leaving", true)).toBe(true);
  expect(looksAt("Leaving", false)).toBe(false);
  expect(looksAt("Left", true)).toBe(false);
});
