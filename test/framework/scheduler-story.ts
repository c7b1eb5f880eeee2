// Subscriptions and clusters for tests of decisions, as short as a golden file needs them.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";

export interface Story {
  readonly clusters?: Readonly<
    Record<
      string,
      { labels?: Record<string, string>; taints?: readonly unknown[]; ready?: string; deleting?: boolean; predictor?: boolean }
    >
  >;
  /** The clusters it is bound to; "unknown": its status is lost. */
  readonly subscription: {
    readonly bound?: readonly string[] | "unknown";
    /** What is in its status already. */
    readonly replicas?: Readonly<Record<string, readonly number[]>>;
    readonly [field: string]: unknown;
  };
  /** Clusters that have a Base of it. */
  readonly existing?: readonly string[];
}

export function clustersOf({ clusters = {} }: Story): ManagedCluster[] {
  return Object.entries(clusters).map(([name, { labels = {}, taints = [], ready = "True", deleting = false, predictor }]) => ({
    apiVersion: "clusters.clusternet.io/v1beta1",
    kind: "ManagedCluster",
    metadata: { namespace: name, name, labels, ...(deleting ? { deletionTimestamp: "2030-01-01T00:00:00Z" } : {}) },
    spec: { clusterId: name, syncMode: "Pull", taints: taints as never },
    status: {
      ...(predictor === undefined ? {} : { predictorEnabled: predictor }),
      conditions: [
        { type: "Ready", status: ready as "True", reason: "R", message: "", lastTransitionTime: "2030-01-01T00:00:00Z" },
      ],
    },
  }));
}

export const keyOf = (name: string): string => `${name}/${name}`;

export function subscriptionOf({ subscription: { bound = [], replicas, ...spec } }: Story): Subscription {
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
    ...(bound === "unknown"
      ? {}
      : { status: { bindingClusters: bound.map(keyOf), ...(replicas === undefined ? {} : { replicas }) } }),
  };
}
