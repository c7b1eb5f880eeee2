// Where a Subscription that does not know its bindings is delivered to: the clusters that have a Base of it.
//
// A backup holds specs and no status, so a restored Subscription comes without its bindings and with another uid. Who decided from nothing
// would leave out every cluster that is silent just then, and with its Base its objects would go.

import { Base } from "#api/apps/v1alpha1/base.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { labels, labelValueLengthMax } from "#api/names.ts";
import type { Client } from "#kube/client.ts";
import type { Snapshot } from "./snapshot.ts";

/** Nothing is asked while its status knows the bindings. */
export async function basesOf(
  subscription: Subscription,
  client: Pick<Client, "list">,
  signal: AbortSignal,
): Promise<readonly Base[]> {
  if (subscription.status?.bindingClusters !== undefined) return [];
  return (await client.list(Base, { labelSelector: selectorOf(subscription) }, signal)).items;
}

/** By name, which a restore keeps. A name that is too long for a label is found by its uid only. */
export function selectorOf({ metadata: { namespace = "", name, uid = "" } }: Subscription): string {
  if (name.length > labelValueLengthMax) return `${labels.subscriptionUid}=${uid}`;
  return `${labels.subscriptionNamespace}=${namespace},${labels.subscriptionName}=${name}`;
}

/**
 * A Subscription whose status is lost, with the replicas that its Bases say: else the first division would take a silent cluster for empty.
 * `clusters`: those that have a Base of it.
 */
export function withReplicasOf(subscription: Subscription, bases: readonly Base[], clusters: readonly string[]): Subscription {
  const live = bases.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const feeds = new Set(live.flatMap(({ spec: { shares = [] } }) => shares.map(({ feed }) => feed)));
  if (feeds.size === 0) return subscription;
  const sharesIn = new Map(live.map(({ metadata, spec }) => [metadata.namespace, spec.shares ?? []]));
  const replicasIn = (cluster: string, feed: string): number =>
    sharesIn.get(cluster.split("/", 1)[0])?.find((share) => share.feed === feed)?.replicas ?? 0;
  const replicas = Object.fromEntries(
    [...feeds].map((feed) => [feed, clusters.map((cluster) => replicasIn(cluster, feed))] as const),
  );
  return { ...subscription, status: { ...subscription.status, bindingClusters: clusters, replicas } };
}

/** `namespace/name` of their ManagedClusters, in whose namespaces they lie. A Base that is being deleted was told to go. */
export function clustersOf(bases: readonly Base[], { clusters }: Snapshot): readonly string[] {
  const live = bases.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const namespaces = new Set(live.map(({ metadata }) => metadata.namespace));
  return clusters.map(({ key }) => key).filter((key) => namespaces.has(key.split("/", 1)[0]));
}
