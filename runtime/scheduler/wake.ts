// Which Subscriptions a change of a cluster can affect: those that select it, and those that are bound to it. Pure.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { Change } from "#kube/informer.ts";
import { matchesSelector } from "#kube/selector.ts";
import { deepEqual } from "#std/canonical-json.ts";
import { clusterOf } from "./snapshot.ts";

/** The versions of the cluster that matter, old and new; none for a heartbeat. */
export function clustersToWakeFor(change: Change<ManagedCluster>): readonly ManagedCluster[] {
  switch (change.type) {
    case "added":
      return [change.object];
    case "deleted":
      return [change.previous];
    case "updated":
      return deepEqual(clusterOf(change.object), clusterOf(change.previous)) ? [] : [change.previous, change.object];
    default:
      return change satisfies never;
  }
}

export function isAffected({ spec, status }: Subscription, cluster: ManagedCluster): boolean {
  const { key, labels } = clusterOf(cluster);
  return (
    spec.subscribers.some(({ clusterAffinity }) => matchesSelector(clusterAffinity, labels)) ||
    status?.bindingClusters?.includes(key) === true
  );
}
