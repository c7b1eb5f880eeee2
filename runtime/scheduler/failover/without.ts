// The same question as if some clusters were not there: what would the others get? And the answer with the clusters that are still kept. Pure.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { Toleration } from "#api/core-types.ts";
import { untolerated } from "#kube/tolerations.ts";
import type { Capacities } from "#scheduler/capacity.ts";
import type { BoundDecision } from "#scheduler/decision.ts";
import type { Cluster, Snapshot } from "#scheduler/snapshot.ts";

export type Replicas = Readonly<Record<string, readonly number[]>>;

export function snapshotWithout(snapshot: Snapshot, away: ReadonlySet<string>): Snapshot {
  return {
    clusters: snapshot.clusters.filter(({ key }) => !away.has(key)),
    get: (key) => (away.has(key) ? undefined : snapshot.get(key)),
  };
}

export function subscriptionWithout(subscription: Subscription, away: ReadonlySet<string>): Subscription {
  const { status } = subscription;
  if (status?.bindingClusters === undefined) return subscription;
  const { replicas, bindingClusters, ...rest } = status;
  const stays = bindingClusters.map((key) => !away.has(key));
  const kept = Object.entries(replicas ?? {}).map(
    ([feed, numbers]) => [feed, numbers.filter((_, index) => stays[index])] as const,
  );
  return {
    ...subscription,
    status: {
      ...rest,
      bindingClusters: bindingClusters.filter((_, index) => stays[index]),
      ...(replicas === undefined ? {} : { replicas: Object.fromEntries(kept) }),
    },
  };
}

interface Anew {
  readonly subscription: Subscription;
  readonly capacities: Capacities;
}

/** As if the clusters that work had nothing yet, and all the room that they would then have. Of the others nothing is taken. */
export function anew({ subscription, capacities }: Anew, { clusters }: Snapshot): Anew {
  const { status, spec } = subscription;
  const free = new Set(clusters.filter((cluster) => isFree(cluster, spec.clusterTolerations ?? [])).map(({ key }) => key));
  const bound = status?.bindingClusters ?? [];
  const before = replicasIn(bound, status?.replicas ?? {});
  const emptied = Object.entries(status?.replicas ?? {}).map(
    ([feed, numbers]) => [feed, numbers.map((each, index) => (free.has(bound[index] ?? "") ? 0 : each))] as const,
  );
  return {
    subscription: { ...subscription, status: { ...status, replicas: Object.fromEntries(emptied) } },
    capacities: {
      of: (cluster, feed) => {
        const answer = capacities.of(cluster, feed);
        if (answer?.type !== "fits" || !free.has(cluster)) return answer;
        return { ...answer, replicas: answer.replicas + (before(feed, cluster) ?? 0) };
      },
    },
  };
}

function isFree({ ready, taints }: Cluster, tolerations: readonly Toleration[]): boolean {
  return ready === "True" && untolerated(taints, tolerations) === undefined;
}

/** With clusters that are still bound, each with the replicas that it has. */
export function withKept(decision: BoundDecision, kept: readonly string[], subscription: Subscription): BoundDecision {
  if (kept.length === 0) return decision;
  const clusters = [...decision.clusters, ...kept].toSorted();
  const { replicas } = decision;
  if (replicas === undefined) return { ...decision, clusters };
  const before = replicasIn(subscription.status?.bindingClusters ?? [], subscription.status?.replicas ?? {});
  const now = replicasIn(decision.clusters, replicas);
  const merged = Object.entries(replicas).map(([feed, numbers]) => {
    const isDivided = numbers.length > 0 || decision.clusters.length === 0;
    return [feed, isDivided ? clusters.map((key) => now(feed, key) ?? before(feed, key) ?? 0) : []] as const;
  });
  return { ...decision, clusters, replicas: Object.fromEntries(merged) };
}

/** Who takes over: clusters that are new, or get more of something. And of how many replicas nobody does. */
export function compare(
  before: BoundDecision,
  after: BoundDecision,
): { readonly takers: readonly string[]; readonly missing: number } {
  const had = replicasIn(before.clusters, before.replicas ?? {});
  const has = replicasIn(after.clusters, after.replicas ?? {});
  const feeds = Object.keys(after.replicas ?? {});
  const known = new Set(before.clusters);
  const takers = after.clusters.filter(
    (key) => !known.has(key) || feeds.some((feed) => (has(feed, key) ?? 0) > (had(feed, key) ?? 0)),
  );
  const missing = feeds.reduce(
    (sum, feed) => sum + Math.max(0, total(before.replicas?.[feed]) - total(after.replicas?.[feed])),
    0,
  );
  return { takers, missing };
}

function replicasIn(clusters: readonly string[], replicas: Replicas): (feed: string, key: string) => number | undefined {
  const indexes = new Map(clusters.map((key, index) => [key, index]));
  return (feed, key) => replicas[feed]?.[indexes.get(key) ?? -1];
}

function total(numbers: readonly number[] = []): number {
  return numbers.reduce((sum, each) => sum + each, 0);
}
