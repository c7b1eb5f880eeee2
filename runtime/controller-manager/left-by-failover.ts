// Whether a Subscription's work left a cluster because that did not work: then there is another copy, and this one must go. Pure.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { Change } from "#kube/informer.ts";
import { keyTextOf } from "#kube/object.ts";
import { deepEqual } from "#std/canonical-json.ts";

/** A Subscription that is being deleted has no copy anywhere. */
export function isLeftByFailover(subscriptions: readonly Subscription[], cluster: ManagedCluster | undefined): boolean {
  if (cluster === undefined) return false;
  const key = keyTextOf(cluster);
  return subscriptions.some(
    ({ metadata, status }) =>
      metadata.deletionTimestamp === undefined &&
      status?.failover?.some((move) => move.cluster === key && move.phase === "Left") === true,
  );
}

export function changesMoves(change: Change<Subscription>): boolean {
  if (change.type !== "updated") return false;
  const { object, previous } = change;
  return (
    object.metadata.deletionTimestamp !== previous.metadata.deletionTimestamp ||
    !deepEqual(object.status?.failover, previous.status?.failover)
  );
}
