// Which Bases count as bindings of a Subscription that lost its status.

import { expect, test } from "@jest/globals";
import type { Base } from "#api/apps/v1alpha1/base.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { KubeObject, ResourceType } from "#api/meta.ts";
import type { ListOptions } from "#kube/client.ts";
import { basesOf, clustersOf, selectorOf, withReplicasOf } from "#scheduler/existing-bases.ts";
import { takeSnapshot } from "#scheduler/snapshot.ts";

const { signal } = new AbortController();

const aSubscription = (more: { readonly name?: string; readonly bound?: readonly string[] } = {}): Subscription => ({
  apiVersion: "apps.clusternet.io/v1alpha1",
  kind: "Subscription",
  metadata: { namespace: "shop", name: more.name ?? "web", uid: "new-uid" },
  spec: {
    schedulerName: "default",
    schedulingStrategy: "Replication",
    preemptionPolicy: "PreemptLowerPriority",
    subscribers: [],
    feeds: [],
  },
  ...(more.bound === undefined ? {} : { status: { bindingClusters: [...more.bound] } }),
});

const aBase = (namespace: string, more: { readonly deleted?: boolean; readonly web?: number } = {}): Base => ({
  apiVersion: "apps.clusternet.io/v1alpha1",
  kind: "Base",
  metadata: { namespace, name: "web.shop", ...(more.deleted === true ? { deletionTimestamp: "2030-01-01T00:00:00Z" } : {}) },
  spec: { feeds: [], ...(more.web === undefined ? {} : { shares: [{ feed: "web", replicas: more.web }] }) },
});

const aCluster = (name: string): ManagedCluster => ({
  apiVersion: "clusters.clusternet.io/v1beta1",
  kind: "ManagedCluster",
  metadata: { namespace: `clusternet-${name}`, name },
  spec: { clusterId: name, syncMode: "Pull" },
});

test("a Subscription is found by its name, which a restore keeps; its uid is another then", () => {
  expect(selectorOf(aSubscription())).toBe("apps.clusternet.io/subs.namespace=shop,apps.clusternet.io/subs.name=web");
  expect(selectorOf(aSubscription({ name: "x".repeat(63) }))).toContain("subs.name=xxx");
  // No label holds it.
  expect(selectorOf(aSubscription({ name: "x".repeat(64) }))).toBe("apps.clusternet.io/subs.uid=new-uid");
});

test("Bases are asked for only while the status knows no bindings", async () => {
  const asked: unknown[] = [];
  const client = {
    list: <T extends KubeObject>(_type: ResourceType<T>, options: ListOptions) => {
      asked.push(options.labelSelector);
      return Promise.resolve({ items: [aBase("clusternet-paris")] as unknown as T[], resourceVersion: "1" });
    },
  };
  expect(await basesOf(aSubscription({ bound: [] }), client, signal)).toEqual([]);
  expect(asked).toEqual([]);
  expect(await basesOf(aSubscription(), client, signal)).toHaveLength(1);
  expect(asked).toEqual([selectorOf(aSubscription())]);
});

test("a live Base stands for the cluster in whose namespace it lies", () => {
  const snapshot = takeSnapshot([aCluster("paris"), aCluster("oslo"), aCluster("rome")]);
  const bases = [aBase("clusternet-rome"), aBase("clusternet-paris"), aBase("clusternet-oslo", { deleted: true }), aBase("gone")];
  expect(clustersOf(bases, snapshot)).toEqual(["clusternet-paris/paris", "clusternet-rome/rome"]);
});

test("what its Bases say is what each cluster was given last", () => {
  const clusters = ["clusternet-oslo/oslo", "clusternet-paris/paris", "clusternet-rome/rome"];
  const bases = [aBase("clusternet-paris", { web: 4 }), aBase("clusternet-oslo", { web: 2 }), aBase("clusternet-rome")];
  expect(withReplicasOf(aSubscription(), bases, clusters).status).toEqual({
    bindingClusters: clusters,
    replicas: { web: [2, 4, 0] },
  });
  const whole = aSubscription();
  expect(withReplicasOf(whole, [aBase("clusternet-rome")], clusters)).toBe(whole);
  expect(withReplicasOf(whole, [aBase("clusternet-rome", { web: 1, deleted: true })], clusters)).toBe(whole);
});
