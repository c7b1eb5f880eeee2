// What there is to divide: test/golden/controllers/feed-inventory.md tells it as stories; here are the names and labels.

import { expect, test } from "@jest/globals";
import { parse } from "yaml";
import type { FeedInventory } from "#api/apps/v1alpha1/feed-inventory.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { ResolvedFeed } from "#delivery/feeds.ts";
import { testGolden } from "#test/framework/golden.ts";
import { planInventory, type InventoryStep } from "./plan.ts";

interface Story {
  readonly strategy: "Dividing" | "Replication";
  /** `name` or `name replicas`; `missing` is not found. */
  readonly feeds: readonly string[];
  readonly deleting?: boolean;
  readonly current?: readonly string[];
  readonly owner?: string;
}

const NONE = new Map();
const facts = { interpreters: NONE, chartNeeds: () => undefined };

function feedOf(text: string): ResolvedFeed {
  const [name = "", replicas] = text.split(" ");
  const [apiVersion, kind] = replicas === undefined ? ["v1", "ConfigMap"] : ["apps/v1", "Deployment"];
  const feed = { apiVersion, kind, namespace: "shop", name };
  if (name === "missing") return { feed, found: false, reason: "FeedMissing", message: "missing: there is no such Manifest" };
  const template = { apiVersion, kind, metadata: { namespace: "shop", name }, spec: { replicas: Number(replicas) } };
  return { feed, found: true, template, identity: feed };
}

function subscriptionOf({ strategy, deleting = false, feeds }: Story): Subscription {
  return {
    apiVersion: "apps.clusternet.io/v1alpha1",
    kind: "Subscription",
    metadata: {
      namespace: "shop",
      name: "web",
      uid: "sub-uid",
      ...(deleting ? { deletionTimestamp: "2030-01-01T00:00:00Z" } : {}),
    },
    spec: {
      schedulerName: "default",
      schedulingStrategy: strategy,
      preemptionPolicy: "PreemptLowerPriority",
      subscribers: [],
      feeds: feeds.map((text) => feedOf(text).feed),
    },
  };
}

function currentOf({ current, owner = "sub-uid" }: Story): FeedInventory | undefined {
  if (current === undefined) return undefined;
  const story: Story = { strategy: "Dividing", feeds: current };
  const made = planInventory(subscriptionOf(story), { feeds: current.map(feedOf), current: undefined, ...facts });
  if (made.type !== "create") throw new Error("The story's inventory cannot be made");
  const { metadata, ...rest } = made.inventory;
  const ownerReferences = metadata.ownerReferences?.map((reference) => ({ ...reference, uid: owner })) ?? [];
  return { ...rest, metadata: { ...metadata, ownerReferences } };
}

const stepOf = (story: Story): InventoryStep =>
  planInventory(subscriptionOf(story), { feeds: story.feeds.map(feedOf), current: currentOf(story), ...facts });

testGolden("controllers/feed-inventory.md", (lines) => {
  const step = stepOf(parse(lines.join("\n")) as Story);
  if (step.type === "none") return [`nothing to do: ${step.reason}`];
  const { spec } = step.inventory;
  const feeds = spec.feeds.map(({ kind, name, desiredReplicas }) => `${kind} ${name} ${desiredReplicas ?? "is not divided"}`);
  return [`${step.type}: ${step.reason}`, ...(step.type === "delete" ? [] : feeds)];
});

test("an inventory carries upstream's labels, and goes with its Subscription", () => {
  const step = stepOf({ strategy: "Dividing", feeds: ["web 3"] });
  expect(step.type === "create" && step.inventory.metadata).toEqual({
    name: "web",
    namespace: "shop",
    labels: {
      "clusternet.io/created-by": "clusternet-controller-manager",
      "apps.clusternet.io/subs.name": "web",
      "apps.clusternet.io/subs.namespace": "shop",
      "apps.clusternet.io/subs.uid": "sub-uid",
    },
    ownerReferences: [
      {
        apiVersion: "apps.clusternet.io/v1alpha1",
        kind: "Subscription",
        name: "web",
        uid: "sub-uid",
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  });
});

test("a chart counts with what one release needs; until it is counted, with what it needed before", () => {
  const feed = { apiVersion: "apps.clusternet.io/v1alpha1", kind: "HelmChart", namespace: "shop", name: "web" };
  const subscription = subscriptionOf({ strategy: "Dividing", feeds: [] });
  const needs = { resources: { requests: { cpu: "1", pods: "2" } } };
  const plan = (current: FeedInventory | undefined, counted: boolean): InventoryStep =>
    planInventory(subscription, {
      feeds: [{ feed, found: true, template: { apiVersion: feed.apiVersion, kind: feed.kind }, identity: feed }],
      current,
      interpreters: NONE,
      chartNeeds: () => (counted ? { requirements: needs } : undefined),
    });
  const counted = plan(undefined, true);
  if (counted.type !== "create") throw new Error(counted.type);
  expect(counted.inventory.spec.feeds).toEqual([{ ...feed, replicaRequirements: needs }]);
  expect(plan(counted.inventory, false).type).toBe("none");
  const uncounted = plan(undefined, false);
  expect(uncounted.type === "create" && uncounted.inventory.spec.feeds).toEqual([feed]);
});
