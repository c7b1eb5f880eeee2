// What the parent does about a Description or a HelmRelease: push it, wait for the agent, say that nobody may deliver, or let it go. Pure.

import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { Condition, KubeObject } from "#api/meta.ts";
import { conditionTypes } from "#api/names.ts";
import { whoDelivers } from "#delivery/who-delivers.ts";
import { findCondition, isConditionTrue } from "#kube/conditions.ts";

/** What is delivered to a child. */
type Delivered = KubeObject & { readonly status?: { readonly conditions?: readonly Condition[] } };

export type DeliveryStep =
  | { readonly type: "push" }
  | { readonly type: "wait" }
  /** Look again then, even if nothing changes. */
  | { readonly type: "wait-for-child"; readonly delayMs: number }
  | { readonly type: "nobody-delivers" }
  /** What was delivered is gone: nothing holds the object any more. */
  | { readonly type: "release" }
  /** The child cannot be asked: what is there stays there, and the Event says so. */
  | { readonly type: "abandon"; readonly reason: string };

export interface DeliveryView {
  readonly cluster: ManagedCluster | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly lostClusterGraceMs: number;
  /** Something of it is, or may be, in the child. */
  readonly isInChild: boolean;
  /** Somebody asked not to wait for the cluster. */
  readonly isForced: boolean;
  /** Its work runs in another cluster, because this one did not work. */
  readonly isLeft: boolean;
}

/**
 * (DST-1) Only what is being deleted, by a live instruction, is ever removed from a child or let go.
 * (DST-2) A silent child is waited for, but not for ever: after the grace the deletion completes without it.
 * (DST-3) What failover took away from a silent child is waited for as long as it takes: forgotten, the child would come back and run a
 *         second copy.
 */
export function planDeliveryStep(delivered: Delivered, view: DeliveryView): DeliveryStep {
  const deliverer = view.cluster === undefined ? undefined : whoDelivers(view.cluster);
  if (delivered.metadata.deletionTimestamp === undefined) {
    if (deliverer === "controller-manager") return { type: "push" };
    return deliverer === "nobody" ? { type: "nobody-delivers" } : { type: "wait" };
  }
  if (isConditionTrue(delivered.status?.conditions, conditionTypes.removed)) return { type: "release" };
  if (view.isForced) return { type: "abandon", reason: "the deletion was forced" };
  if (view.cluster === undefined) return { type: "abandon", reason: "the cluster is no longer registered" };
  const silence = silenceOf(delivered, view.cluster, view.now);
  if (silence !== undefined) {
    if (view.isLeft) return { type: "wait" };
    const remainingMs = view.lostClusterGraceMs - silence;
    if (remainingMs > 0) return { type: "wait-for-child", delayMs: remainingMs };
    return { type: "abandon", reason: `cluster ${view.cluster.metadata.name} cannot be reached` };
  }
  switch (deliverer) {
    case "controller-manager":
      return { type: "push" };
    case "nobody":
      return view.isInChild
        ? { type: "abandon", reason: `cluster ${view.cluster.metadata.name} no longer lets the parent push` }
        : { type: "release" };
    case "agent":
    case undefined:
      return { type: "wait" };
    default:
      return deliverer satisfies never;
  }
}

/** How long the child has been silent while we wanted to delete; undefined when it is heard of. */
function silenceOf({ metadata }: KubeObject, cluster: ManagedCluster, now: number): number | undefined {
  const ready = findCondition(cluster.status?.conditions, conditionTypes.ready);
  if (ready?.status !== "Unknown") return undefined;
  const since = Math.max(Date.parse(ready.lastTransitionTime), Date.parse(metadata.deletionTimestamp ?? ""));
  return Number.isNaN(since) ? 0 : Math.max(0, now - since);
}
