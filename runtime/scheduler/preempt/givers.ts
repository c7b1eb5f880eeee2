// Who could be made to give room at all, and what it has. Pure.

import { feedKey } from "#api/apps/v1alpha1/feed.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { keyTextOf } from "#kube/object.ts";
import { isDividedByCapacity } from "#scheduler/capacity-questions.ts";
import type { FeedNeed } from "#scheduler/plugin.ts";
import { deepEqual } from "#std/canonical-json.ts";
import type { Giver, Limits } from "./room.ts";

export interface Candidates {
  readonly subscriptions: readonly Subscription[];
  readonly needsOf: (key: string) => readonly FeedNeed[];
  /** What it owes already. */
  readonly limitsOf: (giver: { readonly key: string; readonly priority: number }) => Limits | undefined;
}

/** Replication and Static never give, nor who could not be decided now: it would keep what it has. */
export function giversBelow(priority: number, { subscriptions, needsOf, limitsOf }: Candidates): readonly Giver[] {
  return subscriptions.flatMap((subscription) => {
    const { spec, status = {}, metadata } = subscription;
    const own = spec.priority ?? 0;
    if (own >= priority || !isDividedByCapacity(subscription) || metadata.deletionTimestamp !== undefined) return [];
    const isMoving = status.rebalance?.phase === "CarryingOut" || status.failover?.some(({ phase }) => phase !== "Left") === true;
    if (isMoving || (spec.schedulingGates ?? []).length > 0) return [];
    const key = keyTextOf(subscription);
    const needs = needsOf(key);
    const limits = limitsOf({ key, priority: own });
    if (
      !deepEqual(
        needs.map(({ feed }) => feed),
        spec.feeds.map(feedKey),
      )
    )
      return [];
    return needs.flatMap(({ feed, desiredReplicas, replicaRequirements = {} }) => {
      const shares = desiredReplicas === undefined ? [] : (status.replicas?.[feed] ?? []);
      return shares.flatMap((share, index): Giver[] => {
        const cluster = status.bindingClusters?.[index];
        if (cluster === undefined || share <= 0) return [];
        const replicas = Math.min(share, limits?.of(cluster, feed)?.max ?? share);
        return replicas <= 0 ? [] : [{ subscription: key, priority: own, cluster, feed, request: replicaRequirements, replicas }];
      });
    });
  });
}
