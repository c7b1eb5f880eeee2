// What plugins may do to a decision, and what they may not.

import { expect, test } from "@jest/globals";
import { BindingCounts } from "#scheduler/binding-counts.ts";
import { statusOf } from "#scheduler/bind.ts";
import type { Decision } from "#scheduler/decision.ts";
import { defaultPlugins, defaultProfile } from "#scheduler/default-plugins.ts";
import type { Plugin } from "#scheduler/plugin.ts";
import { clusterAffinity } from "#scheduler/plugins/cluster-affinity.ts";
import { replicate } from "#scheduler/plugins/replicate.ts";
import { pluginsAtTheirPoints } from "#scheduler/profile.ts";
import { schedule } from "#scheduler/schedule.ts";
import { takeSnapshot } from "#scheduler/snapshot.ts";
import { clustersOf, subscriptionOf, type Story } from "#test/framework/scheduler-story.ts";

const labels = { fleet: "yes" };
const story: Story = {
  clusters: { oslo: { labels, ready: "Unknown" }, paris: { labels }, rome: { labels } },
  subscription: { bound: ["oslo"], schedulingStrategy: "Dividing" },
};
const web = "apps/v1/Deployment/shop/web";

function decide(plugins: readonly Plugin[], which: Story = story): Decision {
  const profile = { ...defaultProfile("default"), plugins: pluginsAtTheirPoints([...plugins, ...defaultPlugins]) };
  return schedule(subscriptionOf(which), { snapshot: takeSnapshot(clustersOf(which)), profile });
}

function assigning(assignment: ReturnType<NonNullable<Plugin["assign"]>>): Plugin {
  return { name: "Test", assign: () => assignment };
}

test("who assigns decides on clusters and replicas, and the rest is rejected in its name", () => {
  const replicas = { [web]: [3, 1] };
  const decision = decide([assigning({ type: "assigned", clusters: ["oslo/oslo", "rome/rome"], replicas })]);
  expect(decision).toMatchObject({
    type: "bound",
    replicas,
    verdicts: [
      { cluster: "oslo/oslo", verdict: { type: "keep", despite: "it has no live heartbeat" } },
      { cluster: "paris/paris", verdict: { type: "reject", plugin: "Test", reason: "it was not chosen" } },
      { cluster: "rome/rome", verdict: { type: "bind" } },
    ],
  });
  expect(statusOf(subscriptionOf(story), decision, 0)).toMatchObject({ bindingClusters: ["oslo/oslo", "rome/rome"], replicas });
});

test("replicas of an earlier decision go away with the strategy that divided", () => {
  const before: Story = { ...story, subscription: { bound: ["oslo"], replicas: { [web]: [3] } } };
  const status = statusOf(subscriptionOf(before), decide([], before), 0);
  expect(status).toHaveProperty("replicas", undefined);
});

test("a binding ends by an assignment only with a reason", () => {
  const clusters = ["rome/rome"];
  expect(() => decide([assigning({ type: "assigned", clusters })])).toThrow(
    "Plugin Test leaves out oslo/oslo, which is bound, and does not say why",
  );
  const decision = decide([assigning({ type: "assigned", clusters, left: { "oslo/oslo": "fewer replicas are wanted" } })]);
  expect(decision).toMatchObject({
    verdicts: [
      { cluster: "oslo/oslo", verdict: { type: "unbind", reason: "fewer replicas are wanted" } },
      { cluster: "paris/paris" },
      { cluster: "rome/rome" },
    ],
  });
});

test("one reason for all who were never bound ends no binding", () => {
  const assignment = { type: "assigned", clusters: ["rome/rome"], leftOtherwise: "it is far away" } as const;
  expect(() => decide([assigning(assignment)])).toThrow("leaves out oslo/oslo, which is bound, and does not say why");
  const decision = decide([assigning({ ...assignment, left: { "oslo/oslo": "fewer replicas are wanted" } })]);
  expect(decision).toMatchObject({
    verdicts: [
      { verdict: { type: "unbind", reason: "fewer replicas are wanted" } },
      { verdict: { type: "reject", plugin: "Test", reason: "it is far away" } },
      { verdict: { type: "bind" } },
    ],
  });
});

test("only candidates are assigned", () => {
  expect(() => decide([assigning({ type: "assigned", clusters: ["bonn/bonn"] })])).toThrow(
    "Plugin Test assigns bonn/bonn, which is no candidate",
  );
});

const late = { type: "wait", reason: "Late", message: "Not yet" } as const;
const waits: readonly { readonly point: string; readonly plugin: Plugin }[] = [
  { point: "preFilter", plugin: { name: "Test", preFilter: () => late } },
  { point: "preAssign", plugin: { name: "Test", preAssign: () => late } },
  { point: "assign", plugin: assigning(late) },
];

test.each(waits)("a plugin that waits at $point leaves the bindings as they are", ({ plugin }) => {
  const decision = decide([plugin]);
  expect(decision).toEqual({ type: "waiting", reason: "Late", message: "Not yet" });
  const status = statusOf(subscriptionOf(story), decision, 0);
  expect(status).not.toHaveProperty("bindingClusters");
  expect(status.conditions).toMatchObject([{ type: "Scheduled", status: "False", reason: "Late", message: "Not yet" }]);
});

test("what would help is said when nothing fits", () => {
  const empty: Story = { clusters: { oslo: { labels, ready: "Unknown" } }, subscription: {} };
  const decision = decide([{ name: "Test", postFilter: () => "Add a cluster" }], empty);
  expect(statusOf(subscriptionOf(empty), decision, 0).conditions).toMatchObject([
    { reason: "NoClusterFits", message: "0/1 clusters are available: 1 has no live heartbeat; Add a cluster" },
  ]);
});

test("scores are normalised, limited to 0..100, weighted, added and sorted; ties go by key", () => {
  const load: Plugin = {
    name: "Load",
    score: ({ cluster: { key } }) => (key === "oslo/oslo" ? 400 : 20),
    normalise: ({ scores }) => new Map([...scores].map(([key, score]) => [key, score / 2])),
  };
  const bonus: Plugin = { name: "Bonus", preScore: () => 7, score: ({ prepared }) => Number(prepared) };
  const fair: Story = { ...story, subscription: {} };
  const profile = { ...defaultProfile("default"), scoreWeights: { Load: 2 } };
  const withPlugins = {
    ...profile,
    plugins: pluginsAtTheirPoints([clusterAffinity, load, bonus, replicate]),
  };
  const decision = schedule(subscriptionOf(fair), { snapshot: takeSnapshot(clustersOf(fair)), profile: withPlugins });
  expect(decision).toMatchObject({
    scores: [
      { cluster: "oslo/oslo", total: 207, byPlugin: { Load: 200, Bonus: 7 } },
      { cluster: "paris/paris", total: 27, byPlugin: { Load: 20, Bonus: 7 } },
      { cluster: "rome/rome", total: 27, byPlugin: { Load: 20, Bonus: 7 } },
    ],
  });
});

test("taints that would rather keep work away, and other Subscriptions, make a cluster worse; its own binding does not", () => {
  const prefer = (key: string): object => ({ key, effect: "PreferNoSchedule" });
  const clusters = {
    oslo: { labels, taints: [prefer("old"), prefer("slow")] },
    paris: { labels, taints: [prefer("old"), prefer("tolerated")] },
    rome: { labels },
  };
  const clusterTolerations = [{ key: "tolerated", operator: "Exists" }];
  const which: Story = { clusters, subscription: { bound: ["paris"], clusterTolerations } };
  const counts: Readonly<Record<string, number>> = { "oslo/oslo": 1, "paris/paris": 1, "rome/rome": 4 };
  const decision = schedule(subscriptionOf(which), {
    snapshot: takeSnapshot(clustersOf(which)),
    profile: defaultProfile("default"),
    bindings: { of: (cluster) => counts[cluster] ?? 0 },
  });
  expect(decision).toMatchObject({
    scores: [
      { cluster: "rome/rome", total: 300, byPlugin: { TaintToleration: 300, LeastBound: 0 } },
      { cluster: "paris/paris", total: 250, byPlugin: { TaintToleration: 150, LeastBound: 100 } },
      { cluster: "oslo/oslo", total: 75, byPlugin: { TaintToleration: 0, LeastBound: 75 } },
    ],
  });
});

test("bindings are counted as Subscriptions come, change and go", () => {
  const counts = new BindingCounts();
  const [one, two] = [
    subscriptionOf({ subscription: { bound: ["oslo", "paris"] } }),
    subscriptionOf({ subscription: { bound: ["oslo"] } }),
  ];
  counts.onChange({ type: "added", object: one });
  counts.onChange({ type: "added", object: two });
  expect([counts.of("oslo/oslo"), counts.of("paris/paris"), counts.of("rome/rome")]).toEqual([2, 1, 0]);
  counts.onChange({ type: "updated", previous: one, object: two });
  counts.onChange({ type: "deleted", previous: two });
  expect([counts.of("oslo/oslo"), counts.of("paris/paris")]).toEqual([1, 0]);
});
