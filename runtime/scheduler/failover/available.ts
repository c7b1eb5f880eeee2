// Does what a cluster takes over work there? From what the cluster itself reported. Pure.

import { feedKey } from "#api/apps/v1alpha1/feed.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { Cluster } from "#scheduler/snapshot.ts";

/** Every feed is Available there, with as many replicas as its share says. */
export function isAvailableIn({ spec, status }: Subscription, cluster: Cluster): boolean {
  const index = (status?.bindingClusters ?? []).indexOf(cluster.key);
  if (index === -1) return false;
  return spec.feeds.every((feed) => {
    const key = feedKey(feed);
    const reported = status?.aggregatedStatuses?.find((each) => feedKey(each) === key);
    const detail = reported?.feedStatusDetails?.find(({ clusterId }) => clusterId === cluster.id);
    const share = status?.replicas?.[key]?.[index];
    // An old report may be of an older, smaller share.
    return detail?.available === true && (share === undefined || (detail.replicaStatus?.availableReplicas ?? 0) >= share);
  });
}
