// percentageOfClustersToScore: in a large fleet some of the clusters are enough, always the same ones, and never fewer than are bound.

import { describe, expect, test } from "@jest/globals";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { BoundDecision } from "#scheduler/decision.ts";
import { defaultPlugins, defaultProfile } from "#scheduler/default-plugins.ts";
import type { Plugin } from "#scheduler/plugin.ts";
import { pluginsAtTheirPoints } from "#scheduler/profile.ts";
import { schedule } from "#scheduler/schedule.ts";
import { takeSnapshot } from "#scheduler/snapshot.ts";
import { clustersOf, keyOf, subscriptionOf } from "#test/framework/scheduler-story.ts";

const names = Array.from({ length: 400 }, (_, index) => `c${String(index).padStart(3, "0")}`);
const snapshot = takeSnapshot(
  clustersOf({ clusters: Object.fromEntries(names.map((name) => [name, { labels: { fleet: "yes" } }])), subscription: {} }),
);

let scored = 0;
const counting: Plugin = {
  name: "Counting",
  score: () => {
    scored += 1;
    return 0;
  },
};
const all: Plugin = {
  name: "All",
  assign: ({ candidates }) => ({ type: "assigned", clusters: candidates.map(({ cluster }) => cluster.key) }),
};

function decide(subscription: Subscription, share: number): BoundDecision {
  const assign = subscription.spec.schedulingStrategy === "Replication" ? [] : [all];
  const profile = {
    ...defaultProfile("default"),
    plugins: pluginsAtTheirPoints([...assign, counting, ...defaultPlugins]),
    options: { percentageOfClustersToScore: share, percentageOfClustersToTolerate: 100 },
  };
  scored = 0;
  return schedule(subscription, { snapshot, profile }) as BoundDecision;
}

function dividing(uid: string, bound: readonly string[] = []): Subscription {
  const subscription = subscriptionOf({ subscription: { schedulingStrategy: "Dividing", bound } });
  return { ...subscription, metadata: { ...subscription.metadata, uid } };
}

describe("how many clusters are scored", () => {
  test.each([
    ["all by default", 0, 400],
    ["the share that is asked for", 50, 200],
    ["at least 100", 1, 100],
    ["all at 100 percent", 100, 400],
  ])("%s", (_what, share, expected) => {
    expect([decide(dividing("a"), share).clusters.length, scored]).toEqual([expected, expected]);
  });

  test("all for a Replication, which goes to every one that fits", () => {
    expect(decide(subscriptionOf({ subscription: {} }), 50).clusters).toHaveLength(400);
  });
});

test("the others are rejected with the reason", () => {
  const { verdicts } = decide(dividing("a"), 50);
  expect(verdicts.filter(({ verdict }) => verdict.type === "reject")).toHaveLength(200);
  expect(verdicts.find(({ verdict }) => verdict.type === "reject")).toMatchObject({
    verdict: { plugin: "percentageOfClustersToScore", reason: "enough other clusters were found" },
  });
});

test("the same Subscription gets the same clusters again; another one begins elsewhere", () => {
  const { clusters } = decide(dividing("a"), 25);
  expect(decide(dividing("a"), 25).clusters).toEqual(clusters);
  expect(decide(dividing("b"), 25).clusters).not.toEqual(clusters);
});

test("who is bound stays and fills the share: what was decided is decided again", () => {
  const first = decide(dividing("a"), 25).clusters;
  const bound = first.map((key) => key.split("/", 1)[0] ?? "");
  expect(decide(dividing("a", bound), 25).clusters).toEqual(first);
  const few = [...bound.slice(10, 20)];
  expect(decide(dividing("a", few), 25).clusters).toEqual(first);
  // Elsewhere, for other reasons: none of them goes.
  const elsewhere = names.filter((name) => !first.includes(keyOf(name))).slice(0, 150);
  expect(decide(dividing("a", elsewhere), 25).clusters).toEqual(elsewhere.map(keyOf));
});
