// Does what a cluster takes over work there, and with as many replicas as it shall have? From what the cluster itself reported. Pure.

import { feedKey } from "#api/apps/v1alpha1/feed.ts";
import type { FeedStatusDetail, ReplicaStatus, Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { Cluster } from "#scheduler/snapshot.ts";

/** Every feed is Available there, with as many replicas as its share says. */
export function isAvailableIn(subscription: Subscription, cluster: Cluster): boolean {
  return whyNotAvailable(subscription, cluster) === undefined;
}

/** Of the first feed that is not: `batch/v1/Job/shop/sums runs 1 of 3`. */
export function whyNotAvailable({ spec, status }: Subscription, cluster: Cluster): string | undefined {
  const index = (status?.bindingClusters ?? []).indexOf(cluster.key);
  if (index === -1) return "it is not bound";
  for (const feed of spec.feeds) {
    const key = feedKey(feed);
    const reported = status?.aggregatedStatuses?.find((each) => feedKey(each) === key);
    const detail = reported?.feedStatusDetails?.find(({ clusterId }) => clusterId === cluster.id);
    const why = whyMissing(detail, status?.replicas?.[key]?.[index] ?? 0);
    if (why !== undefined) return `${key} ${why}`;
  }
  return undefined;
}

/** An old report may be of an older, smaller share: so the number counts, too. */
function whyMissing(detail: FeedStatusDetail | undefined, share: number): string | undefined {
  if (detail === undefined) return "is not reported";
  if (detail.available !== true) return `is not Available${detail.message === undefined ? "" : `: ${detail.message}`}`;
  const running = runningOf(detail.replicaStatus);
  return running >= share ? undefined : `runs ${String(running)} of ${String(share)}`;
}

/**
 * The pods of a Job are active, then succeeded, and never available. A Job of fewer pods than its share is all there when nothing of it runs any
 * more and something of it succeeded; one that failed is not Available.
 */
function runningOf({ availableReplicas, active = 0, succeeded = 0 }: ReplicaStatus = {}): number {
  if (availableReplicas !== undefined) return availableReplicas;
  return active === 0 && succeeded > 0 ? Infinity : active + succeeded;
}
