// Which Subscriptions a change of a cluster can affect: those that select it, and those that are bound to it. Pure.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { conditionTypes } from "#api/names.ts";
import type { Change } from "#kube/informer.ts";
import { findCondition } from "#kube/conditions.ts";
import { matchesSelector } from "#kube/selector.ts";
import { deepEqual } from "#std/canonical-json.ts";
import type { DividingReason } from "./divide/reasons.ts";
import { clusterOf, type Cluster } from "./snapshot.ts";

/** The versions of the cluster that matter, old and new; none for a heartbeat. */
export function clustersToWakeFor(change: Change<ManagedCluster>): readonly Cluster[] {
  switch (change.type) {
    case "added":
      return [clusterOf(change.object)];
    case "deleted":
      return [clusterOf(change.previous)];
    case "updated": {
      const [before, now] = [clusterOf(change.previous), clusterOf(change.object)];
      return deepEqual(before, now) ? [] : [before, now];
    }
    default:
      return change satisfies never;
  }
}

/** The cluster, when it may have other room than before: the rest of its status means nothing to who is placed. */
export function clusterWithOtherRoom(change: Change<ManagedCluster>): Cluster | undefined {
  if (change.type !== "updated") return undefined;
  const { object, previous } = change;
  return deepEqual(roomOf(object), roomOf(previous)) ? undefined : clusterOf(object);
}

function roomOf({ status = {} }: ManagedCluster): unknown {
  const { allocatable, nodeStatistics, podStatistics, predictorEnabled } = status;
  return { allocatable, nodeStatistics, podStatistics, predictorEnabled };
}

/** Replicas of it are not placed, or no cluster has answered yet. */
export function waitsForRoom({ status }: Subscription): boolean {
  const scheduled = findCondition(status?.conditions, conditionTypes.scheduled);
  return scheduled?.status === "False" && WAITING_FOR_ROOM.has(scheduled.reason);
}

const WAITING_FOR_ROOM: ReadonlySet<string> = new Set<DividingReason>([
  "CapacityUnknown",
  "ReplicasNotPlaced",
  "SpreadNotMet",
  "Preempted",
  "AwaitingPreemption",
]);

export function isAffected({ spec, status }: Subscription, { key, labels }: Pick<Cluster, "key" | "labels">): boolean {
  return (
    spec.subscribers.some(({ clusterAffinity }) => matchesSelector(clusterAffinity, labels)) ||
    status?.bindingClusters?.includes(key) === true
  );
}
