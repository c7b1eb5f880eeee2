// `kubectl clusternet rebalance` against a parent in memory: what it shows, what it writes, and how long it waits for the scheduler.

import { expect, test } from "@jest/globals";
import { FeedInventory } from "#api/apps/v1alpha1/feed-inventory.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { annotations } from "#api/names.ts";
import { createMemoryCluster } from "#test/framework/memory-cluster.ts";
import { clustersOf, subscriptionOf } from "#test/framework/scheduler-story.ts";
import { rebalance, type RebalanceFlags } from "./rebalance.ts";

const { signal } = new AbortController();
const labels = { fleet: "yes" };
const taints = [{ key: "small", effect: "PreferNoSchedule" }];
const subscribers = [{ clusterAffinity: { matchLabels: labels }, subGroupStrategy: { minClusters: 1 } }];
const flags: RebalanceFlags = {
  namespace: "shop",
  subscription: "web",
  ask: false,
  yes: false,
  capacity: true,
  capacityTimeoutMs: 1_000,
  output: "text",
};

type Members = Record<string, unknown>;

/** `answers`: what its scheduler says to a request. */
function parentWith(answers?: (what: string) => object) {
  const memory = createMemoryCluster([Subscription, ManagedCluster, FeedInventory]);
  for (const object of clustersOf({ clusters: { new: { labels }, old: { labels, taints } }, subscription: {} }))
    memory.make({ ...object }, "test");
  memory.make({ ...subscriptionOf({ subscription: { bound: ["old"], schedulingBySubGroup: true, subscribers } }) }, "test");
  const current = (): Subscription | undefined => memory.object("Subscription", "web") as Subscription | undefined;
  const asked = (): string | undefined => current()?.metadata.annotations?.[annotations.rebalance];
  memory.fault = ({ verb, kind }) => {
    const what = asked();
    if (verb !== "get" || kind !== "Subscription" || answers === undefined || what === undefined) return;
    const change = (object: Members): void => {
      object["status"] = { ...(object["status"] as object), rebalance: { answered: what, ...answers(what) } };
    };
    if (current()?.status?.rebalance?.answered !== what) memory.edit("Subscription", "web", { by: "scheduler", change });
  };
  return { client: memory.client, asked };
}

test("a plan is made here and shown, with the hash that confirms it; nothing is written", async () => {
  const { client, asked } = parentWith();
  const text = await rebalance(client, flags, signal);
  expect(text.split("\n")).toEqual([
    expect.stringMatching(/^Subscription shop\/web: plan [0-9a-f]{8}$/),
    "  new/new takes the place of old/old",
    "because",
    "  new/new has a score of 400, old/old of 100",
    expect.stringMatching(/^to carry it out: kubectl clusternet rebalance web -n shop --confirm [0-9a-f]{8}$/),
    "",
  ]);
  const { subscription: _subscription, ...all } = flags;
  expect(JSON.parse(await rebalance(client, { ...all, output: "json" }, signal))).toMatchObject([
    { subscription: "shop/web", replacements: [{ from: "old/old", to: "new/new" }] },
  ]);
  expect(asked()).toBeUndefined();
});

test("--yes confirms exactly what is shown", async () => {
  const { client, asked } = parentWith((what) => ({ phase: "CarryingOut", hash: what.split(" ")[0] }));
  const shown = JSON.parse(await rebalance(client, { ...flags, yes: true, output: "json" }, signal)) as { readonly hash: string };
  expect(asked()?.split(" ")[0]).toBe(shown.hash);
});

test("a plan that is another one by now is a failure, and says so", async () => {
  const { client } = parentWith(() => ({ phase: "Planned", hash: "00000000" }));
  await expect(rebalance(client, { ...flags, confirm: "11111111" }, signal)).rejects.toThrow("shop/web is not rebalanced");
});

test("--ask shows the plan of the scheduler", async () => {
  const moves = [{ feed: "v1/ConfigMap/shop/web", from: "old/old", to: "new/new", replicas: 3 }];
  const { client } = parentWith(() => ({ phase: "Planned", hash: "0a0a0a0a", moves, reasons: ["it is newer"] }));
  const text = await rebalance(client, { ...flags, ask: true }, signal);
  expect(text).toContain("plan 0a0a0a0a\n  3 of v1/ConfigMap/shop/web from old/old to new/new\nbecause\n  it is newer\n");
});
