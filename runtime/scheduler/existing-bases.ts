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

/** `namespace/name` of their ManagedClusters, in whose namespaces they lie. A Base that is being deleted was told to go. */
export function clustersOf(bases: readonly Base[], { clusters }: Snapshot): readonly string[] {
  const live = bases.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const namespaces = new Set(live.map(({ metadata }) => metadata.namespace));
  return clusters.map(({ key }) => key).filter((key) => namespaces.has(key.split("/", 1)[0]));
}
