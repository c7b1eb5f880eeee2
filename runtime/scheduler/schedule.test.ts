// Decisions as stories: test/golden/scheduler/replication.md.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { parse } from "yaml";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { statusOf } from "#scheduler/bind.ts";
import { defaultPlugins } from "#scheduler/default-plugins.ts";
import { schedule } from "#scheduler/schedule.ts";
import { takeSnapshot } from "#scheduler/snapshot.ts";
import { testGolden } from "#test/framework/golden.ts";

interface Story {
  readonly clusters?: Readonly<
    Record<string, { labels?: Record<string, string>; taints?: readonly unknown[]; ready?: string; deleting?: boolean }>
  >;
  /** The clusters it is bound to; "unknown": its status is lost. */
  readonly subscription: { readonly bound?: readonly string[] | "unknown"; readonly [field: string]: unknown };
  /** Clusters that have a Base of it. */
  readonly existing?: readonly string[];
}

function clustersOf({ clusters = {} }: Story): ManagedCluster[] {
  return Object.entries(clusters).map(([name, { labels = {}, taints = [], ready = "True", deleting = false }]) => ({
    apiVersion: "clusters.clusternet.io/v1beta1",
    kind: "ManagedCluster",
    metadata: { namespace: name, name, labels, ...(deleting ? { deletionTimestamp: "2030-01-01T00:00:00Z" } : {}) },
    spec: { clusterId: name, syncMode: "Pull", taints: taints as never },
    status: {
      conditions: [
        { type: "Ready", status: ready as "True", reason: "R", message: "", lastTransitionTime: "2030-01-01T00:00:00Z" },
      ],
    },
  }));
}

const keyOf = (name: string): string => `${name}/${name}`;

function subscriptionOf({ subscription: { bound = [], ...spec } }: Story): Subscription {
  return {
    apiVersion: "apps.clusternet.io/v1alpha1",
    kind: "Subscription",
    metadata: { namespace: "shop", name: "web", generation: 1 },
    spec: {
      schedulerName: "default",
      schedulingStrategy: "Replication",
      preemptionPolicy: "PreemptLowerPriority",
      subscribers: [{ clusterAffinity: { matchLabels: { fleet: "yes" } } }],
      feeds: [],
      ...spec,
    },
    ...(bound === "unknown" ? {} : { status: { bindingClusters: bound.map(keyOf) } }),
  };
}

testGolden("scheduler/replication.md", (lines) => {
  const story = parse(lines.join("\n")) as Story;
  const subscription = subscriptionOf(story);
  const existing = (story.existing ?? []).map(keyOf);
  const decision = schedule(subscription, { snapshot: takeSnapshot(clustersOf(story)), plugins: defaultPlugins, existing });
  const condition = statusOf(subscription, decision, 0).conditions?.[0];
  const said = `Scheduled=${String(condition?.status)} ${String(condition?.reason)}: ${String(condition?.message)}`;
  if (decision.type === "refused") return ["bindings stay as they are", said];
  const verdicts = decision.verdicts.map(({ cluster, verdict }) => {
    const by = verdict.type === "reject" ? ` by ${verdict.plugin}` : "";
    const despite = verdict.type === "keep" && verdict.despite !== undefined ? `, although ${verdict.despite}` : "";
    return `${cluster} ${verdict.type}${by}: ${verdict.reason}${despite}`;
  });
  return [...verdicts, `bound to ${decision.clusters.length === 0 ? "nothing" : decision.clusters.join(" ")}`, said];
});

test("a decision does not depend on the order in which clusters arrived, and silence never unbinds", () => {
  const cluster = fc.record({
    labels: fc.constantFrom({ fleet: "yes" }, { fleet: "no" }),
    ready: fc.constantFrom("True", "False", "Unknown"),
    taints: fc.constantFrom([], [{ key: "k", effect: "NoSchedule" }], [{ key: "k", effect: "NoExecute" }]),
  });
  const names = ["a", "b", "c", "d"];
  fc.assert(
    fc.property(
      fc.array(cluster, { minLength: 4, maxLength: 4 }),
      fc.subarray(names),
      fc.shuffledSubarray(names, { minLength: 4 }),
      (worlds, bound, order) => {
        const clusters = Object.fromEntries(names.map((name, index) => [name, worlds[index]!]));
        const story: Story = { clusters, subscription: { bound } };
        const shuffled: Story = { ...story, clusters: Object.fromEntries(order.map((name) => [name, clusters[name]!])) };
        const decide = (which: Story): ReturnType<typeof schedule> =>
          schedule(subscriptionOf(which), { snapshot: takeSnapshot(clustersOf(which)), plugins: defaultPlugins });
        const decision = decide(story);
        expect(decide(shuffled)).toEqual(decision);
        if (decision.type !== "bound") throw new Error("refused");
        for (const name of bound) {
          const isSelected = clusters[name]?.labels.fleet === "yes";
          expect(decision.clusters.includes(`${name}/${name}`)).toBe(isSelected);
        }
      },
    ),
  );
});
