// percentageOfClustersToTolerate: while too many clusters are silent, more replicas wait, and what runs goes on.

import { expect, test } from "@jest/globals";
import type { Decision } from "#scheduler/decision.ts";
import { defaultProfile } from "#scheduler/default-plugins.ts";
import { schedule } from "#scheduler/schedule.ts";
import { takeSnapshot } from "#scheduler/snapshot.ts";
import { clustersOf, subscriptionOf } from "#test/framework/scheduler-story.ts";

const feed = "apps/v1/Deployment/shop/web";
const labels = { fleet: "yes" };
const names = ["a", "b", "c", "d"];

/** d is silent, and besides those that are named. */
function decide(desiredReplicas: number, tolerated: number, silent: readonly string[] = []): Decision {
  const away = { labels, taints: [{ key: "maintenance", effect: "NoSchedule" }] };
  const clusters = { ...Object.fromEntries(names.map((name) => [name, { labels }])), away };
  const subscription = subscriptionOf({
    clusters,
    subscription: {
      schedulingStrategy: "Dividing",
      dividingScheduling: { type: "Dynamic", dynamicDividing: { strategy: "Spread" } },
      feeds: [{ apiVersion: "apps/v1", kind: "Deployment", namespace: "shop", name: "web" }],
      bound: ["a", "away"],
      replicas: { [feed]: [2, 0] },
    },
  });
  const silentKeys = ["d/d", "away/away", ...silent.map((name) => `${name}/${name}`)];
  return schedule(subscription, {
    snapshot: takeSnapshot(clustersOf({ clusters, subscription: {} })),
    profile: {
      ...defaultProfile("default"),
      options: { percentageOfClustersToScore: 0, percentageOfClustersToTolerate: tolerated },
    },
    needs: [{ feed, desiredReplicas }],
    capacities: {
      of: (key) => (silentKeys.includes(key) ? { type: "silent", reason: "it sleeps" } : { type: "fits", replicas: 9 }),
    },
  });
}

test("up to that share the others go on", () => {
  expect(decide(5, 100, ["b"])).toMatchObject({ type: "bound", replicas: { [feed]: [4, 0, 1] } });
  expect(decide(5, 25)).toMatchObject({ type: "bound" });
});

test("beyond it more replicas wait, and the message says for whom; who could not be used anyway does not count", () => {
  expect(decide(5, 24)).toMatchObject({
    type: "waiting",
    reason: "CapacityUnknown",
    message:
      "1 of 4 clusters have not said how many replicas they could take, more than percentageOfClustersToTolerate (24): d/d: it sleeps",
  });
  expect(decide(5, 0)).toMatchObject({ type: "waiting" });
});

test("as many as run, or fewer, need nobody's answer", () => {
  expect(decide(2, 0)).toMatchObject({ type: "bound", replicas: { [feed]: [2, 0] } });
  expect(decide(1, 0)).toMatchObject({ type: "bound", replicas: { [feed]: [1, 0] } });
});
