// What the parent does about a Description: push it, wait for the agent, say that nobody may deliver, or let it go. Pure.

import type { Description } from "#api/apps/v1alpha1/description.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { KubeObject } from "#api/meta.ts";
import { conditionTypes } from "#api/names.ts";
import { whoDelivers } from "#delivery/who-delivers.ts";
import { findCondition, isConditionTrue } from "#kube/conditions.ts";

export type DescriptionStep =
  | { readonly type: "push" }
  | { readonly type: "wait" }
  /** Look again then, even if nothing changes. */
  | { readonly type: "wait-for-child"; readonly delayMs: number }
  | { readonly type: "nobody-delivers" }
  /** The child's objects are gone: nothing holds the Description any more. */
  | { readonly type: "release" }
  /** The child cannot be asked: what is there stays there, and the Event says so. */
  | { readonly type: "abandon"; readonly reason: string };

export interface DescriptionView {
  readonly cluster: ManagedCluster | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly lostClusterGraceMs: number;
  /** Somebody asked not to wait for the cluster. */
  readonly isForced: boolean;
}

/**
 * (DSC-1) Only a Description that is being deleted, by a live instruction, is ever removed from a child or let go.
 * (DSC-2) A silent child is waited for, but not for ever: after the grace the deletion completes without it.
 */
export function planDescriptionStep(description: Description, view: DescriptionView): DescriptionStep {
  const deliverer = view.cluster === undefined ? undefined : whoDelivers(view.cluster);
  if (description.metadata.deletionTimestamp === undefined) {
    if (deliverer === "controller-manager") return { type: "push" };
    return deliverer === "nobody" ? { type: "nobody-delivers" } : { type: "wait" };
  }
  if (isConditionTrue(description.status?.conditions, conditionTypes.removed)) return { type: "release" };
  if (view.isForced) return { type: "abandon", reason: "the deletion was forced" };
  if (view.cluster === undefined) return { type: "abandon", reason: "the cluster is no longer registered" };
  const silence = silenceOf(description, view.cluster, view.now);
  if (silence !== undefined) {
    const remainingMs = view.lostClusterGraceMs - silence;
    if (remainingMs > 0) return { type: "wait-for-child", delayMs: remainingMs };
    return { type: "abandon", reason: `cluster ${view.cluster.metadata.name} cannot be reached` };
  }
  switch (deliverer) {
    case "controller-manager":
      return { type: "push" };
    case "nobody":
      return (description.status?.inventory ?? []).length === 0
        ? { type: "release" }
        : { type: "abandon", reason: `cluster ${view.cluster.metadata.name} no longer lets the parent push` };
    case "agent":
    case undefined:
      return { type: "wait" };
    default:
      return deliverer satisfies never;
  }
}

/** How long the child has been silent while we wanted to delete; undefined when it is heard of. */
export function silenceOf({ metadata }: KubeObject, cluster: ManagedCluster, now: number): number | undefined {
  const ready = findCondition(cluster.status?.conditions, conditionTypes.ready);
  if (ready?.status !== "Unknown") return undefined;
  const since = Math.max(Date.parse(ready.lastTransitionTime), Date.parse(metadata.deletionTimestamp ?? ""));
  return Number.isNaN(since) ? 0 : Math.max(0, now - since);
}
