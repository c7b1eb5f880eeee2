// Which Bases a Subscription needs: test/golden/controllers/subscription.md tells it as stories; here are the names and labels.

import { expect, test } from "@jest/globals";
import { parse } from "yaml";
import { feedKey, type Feed } from "#api/apps/v1alpha1/feed.ts";
import { specHash } from "#api/apps/v1alpha1/spec-hash.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { baseName } from "#delivery/names.ts";
import { testGolden } from "#test/framework/golden.ts";
import { planBases, type World } from "./plan.ts";

interface Story {
  readonly bound?: readonly string[];
  /** Default: the scheduler decided on this very spec. */
  readonly decided?: boolean;
  readonly deleting?: boolean;
  readonly feeds?: readonly string[];
  /** Of a divided Subscription: feed -> replicas per cluster. */
  readonly replicas?: Readonly<Record<string, readonly number[]>>;
  /** Cluster -> replicas of deploy/web that its Base says. */
  readonly shares?: Readonly<Record<string, number>>;
  /** Cluster -> the feeds of the Base that is there. */
  readonly bases?: Readonly<Record<string, readonly string[]>>;
  readonly clusters?: readonly string[];
}

/** `a` is a ConfigMap. */
const feedOf = (text: string): Feed => {
  const [kind, name = ""] = text.split("/");
  if (kind === "deploy") return { apiVersion: "apps/v1", kind: "Deployment", namespace: "shop", name };
  if (kind === "widget") return { apiVersion: "example.com/v1", kind: "Widget", namespace: "shop", name };
  return { apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name: text };
};
const feeds = (names: readonly string[]): readonly Feed[] => names.map(feedOf);

function subscriptionOf({ bound, decided = true, deleting = false, feeds: names = ["a"], replicas }: Story): Subscription {
  const spec: Subscription["spec"] = {
    schedulerName: "default",
    schedulingStrategy: replicas === undefined ? "Replication" : "Dividing",
    preemptionPolicy: "PreemptLowerPriority",
    subscribers: [],
    feeds: feeds(names),
  };
  return {
    apiVersion: "apps.clusternet.io/v1alpha1",
    kind: "Subscription",
    metadata: {
      namespace: "shop",
      name: "web",
      uid: "sub-uid",
      ...(deleting ? { deletionTimestamp: "2030-01-01T00:00:00Z" } : {}),
    },
    spec,
    status: {
      ...(bound === undefined ? {} : { bindingClusters: bound.map((name) => `${name}/${name}`) }),
      ...(replicas === undefined
        ? {}
        : { replicas: Object.fromEntries(Object.entries(replicas).map(([feed, counts]) => [feedKey(feedOf(feed)), counts])) }),
      specHash: decided ? specHash(spec) : 1,
    },
  };
}

function clusterOf(name: string): ManagedCluster {
  return {
    apiVersion: "clusters.clusternet.io/v1beta1",
    kind: "ManagedCluster",
    metadata: { namespace: name, name },
    spec: { clusterId: `id-of-${name}`, syncMode: "Pull" },
  };
}

function worldOf(story: Story): World {
  const { replicas: _none, ...copied } = story;
  const everyone = subscriptionOf({ ...copied, deleting: false, decided: true, bound: Object.keys(story.bases ?? {}) });
  const made = planBases(everyone, {
    followed: () => [],
    replicasPath: () => undefined,
    bases: [],
    base: () => undefined,
    cluster: (key) => clusterOf(key.split("/")[0]!),
  });
  const bases = made.map(({ base }) => {
    const { namespace = "" } = base.metadata;
    const replicas = story.shares?.[namespace];
    const share = { feed: "apps/v1/Deployment/shop/web", replicas: replicas ?? 0, path: "/spec/replicas" };
    return {
      ...base,
      spec: { feeds: feeds(story.bases?.[namespace] ?? []), ...(replicas === undefined ? {} : { shares: [share] }) },
    };
  });
  const clusters = story.clusters ?? [...(story.bound ?? []), ...Object.keys(story.bases ?? {})];
  return {
    bases,
    base: (key) => bases.find(({ metadata }) => `${metadata.namespace!}/${metadata.name}` === key),
    followed: () => [],
    replicasPath: ({ kind }) => (kind === "Deployment" ? "/spec/replicas" : undefined),
    cluster: (key) => (clusters.includes(key.split("/")[0]!) ? clusterOf(key.split("/")[0]!) : undefined),
  };
}

testGolden("controllers/subscription.md", (lines) => {
  const story = parse(lines.join("\n")) as Story;
  const actions = planBases(subscriptionOf(story), worldOf(story));
  return actions.length === 0
    ? ["nothing to do"]
    : actions.map(({ type, base, reason }) => {
        const shares = (base.spec.shares ?? []).map(
          ({ feed, replicas, path }) => `${feed} ${String(replicas)} at ${path ?? "?"}`,
        );
        const told = type === "delete" || shares.length === 0 ? "" : `, with ${shares.join(", ")}`;
        return `${type} ${base.metadata.namespace!}/${base.metadata.name}: ${reason}${told}`;
      });
});

test("a Base carries all of upstream's labels", () => {
  const [action] = planBases(subscriptionOf({ bound: ["paris"] }), worldOf({ bound: ["paris"] }));
  expect(action?.base.metadata).toEqual({
    namespace: "paris",
    name: "web.shop",
    finalizers: ["apps.clusternet.io/finalizer"],
    labels: {
      "clusternet.io/created-by": "clusternet-controller-manager",
      "apps.clusternet.io/config.kind": "Subscription",
      "apps.clusternet.io/config.name": "web",
      "apps.clusternet.io/config.namespace": "shop",
      "apps.clusternet.io/config.uid": "sub-uid",
      "apps.clusternet.io/subs.name": "web",
      "apps.clusternet.io/subs.namespace": "shop",
      "apps.clusternet.io/subs.uid": "sub-uid",
      "clusters.clusternet.io/cluster-id": "id-of-paris",
      "clusters.clusternet.io/cluster-name": "paris",
    },
  });
});

test("a policy that was changed together with a deletion is handed on before anything is deleted", () => {
  const deleting = subscriptionOf({ bound: ["paris"], deleting: true });
  const retaining: Subscription = { ...deleting, spec: { ...deleting.spec, delivery: { onDelete: "Retain" } } };
  const world = worldOf({ bases: { paris: ["a"] } });
  const [action] = planBases(retaining, world);
  expect(action).toMatchObject({ type: "update", base: { spec: { feeds: feeds(["a"]), delivery: { onDelete: "Retain" } } } });
  const told = {
    ...world,
    bases: world.bases.map((base) => ({ ...base, spec: { ...base.spec, delivery: { onDelete: "Retain" as const } } })),
  };
  expect(planBases(retaining, told).map(({ type }) => type)).toEqual(["delete"]);
});

test("shares stay as they are when only a policy is handed on to a Base that goes", () => {
  const world = worldOf({ bases: { paris: ["deploy/web"] }, shares: { paris: 2 } });
  const deleting = subscriptionOf({ bound: ["paris"], deleting: true });
  const [action] = planBases({ ...deleting, spec: { ...deleting.spec, delivery: { onDelete: "Retain" } } }, world);
  expect(action?.base.spec.shares).toEqual([{ feed: "apps/v1/Deployment/shop/web", replicas: 2, path: "/spec/replicas" }]);
});

test("a long name is cut and stays unique", () => {
  const name = (last: string): string => baseName({ namespace: "n".repeat(63), name: `${"x".repeat(252)}${last}` });
  expect(name("a").length).toBeLessThanOrEqual(245);
  expect(name("a")).not.toBe(name("b"));
});
