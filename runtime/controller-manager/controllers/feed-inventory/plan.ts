// Subscription + templates -> its FeedInventory: what there is to divide. Pure.
//
// (INV-1) Written only when every feed was found: a scheduler must not divide on half of what is wanted. Until then the last one stays.
// (INV-2) One that somebody else owns is left alone: other controllers may keep inventories, the CRD is the contract.
// (INV-3) A chart that is not counted keeps the numbers that it had, and stops nobody else.

import { feedKey, type Feed } from "#api/apps/v1alpha1/feed.ts";
import { FeedInventory } from "#api/apps/v1alpha1/feed-inventory.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { createdByValues, labels } from "#api/names.ts";
import { isChartFeed, type ResolvedFeed } from "#delivery/feeds.ts";
import type { Interpreters } from "#delivery/interpreters.ts";
import { nameLabel } from "#delivery/names.ts";
import { feedOrderOf, type FeedOrder, type Requirements } from "#delivery/replica-requirements.ts";
import { deepEqual } from "#std/canonical-json.ts";

export interface InventoryFacts {
  /** The Subscription's feeds, in its order. */
  readonly feeds: readonly ResolvedFeed[];
  /** The FeedInventory of the same name. */
  readonly current: FeedInventory | undefined;
  readonly interpreters: Interpreters;
  /** What one release of a chart needs; undefined: it is not counted yet, or cannot be. */
  readonly chartNeeds: (chart: Feed) => { readonly requirements: Requirements | undefined } | undefined;
}

export type InventoryStep =
  | { readonly type: "none"; readonly reason: string }
  | { readonly type: "create" | "update"; readonly inventory: FeedInventory; readonly reason: string }
  | { readonly type: "delete"; readonly inventory: FeedInventory; readonly reason: string };

export function planInventory(subscription: Subscription, facts: InventoryFacts): InventoryStep {
  const { feeds, current } = facts;
  const none = (reason: string): InventoryStep => ({ type: "none", reason });
  if (subscription.metadata.deletionTimestamp !== undefined)
    return none("the Subscription is being deleted, and this goes with it");
  const isOurs = current?.metadata.ownerReferences?.some(({ uid }) => uid === subscription.metadata.uid) === true;
  if (current !== undefined && !isOurs) return none("somebody else keeps it");
  if (subscription.spec.schedulingStrategy !== "Dividing") {
    return current === undefined
      ? none("nothing is divided")
      : { type: "delete", inventory: current, reason: "nothing is divided any more" };
  }
  const missing = feeds.flatMap((feed) => (feed.found ? [] : [feed.message]));
  if (missing.length > 0) return none(`not every feed is known: ${missing.join("; ")}`);
  const inventory = inventoryOf(subscription, facts);
  if (current === undefined) return { type: "create", inventory, reason: "there is none yet" };
  const isSame = deepEqual(current.spec, inventory.spec) && hasLabels(current, inventory);
  return isSame ? none("up to date") : { type: "update", inventory, reason: "templates or feeds changed" };
}

function inventoryOf(subscription: Subscription, facts: InventoryFacts): FeedInventory {
  const { name, namespace = "", uid = "" } = subscription.metadata;
  return {
    apiVersion: FeedInventory.apiVersion,
    kind: FeedInventory.kind,
    metadata: {
      name,
      namespace,
      labels: {
        [labels.createdBy]: createdByValues.controllerManager,
        ...nameLabel(labels.subscriptionName, name),
        [labels.subscriptionNamespace]: namespace,
        [labels.subscriptionUid]: uid,
      },
      ownerReferences: [
        { apiVersion: Subscription.apiVersion, kind: Subscription.kind, name, uid, controller: true, blockOwnerDeletion: true },
      ],
    },
    spec: {
      feeds: facts.feeds.flatMap((resolved) => (resolved.found ? [orderOf(resolved, facts)] : [])),
    },
  };
}

function orderOf(
  { feed, template, identity }: ResolvedFeed & { readonly found: true },
  { current, interpreters, chartNeeds }: InventoryFacts,
): FeedOrder {
  const order = feedOrderOf(feed, template, interpreters);
  if (!isChartFeed(feed)) return order;
  const counted = chartNeeds(identity);
  const before = current?.spec.feeds.find((each) => feedKey(each) === feedKey(feed))?.replicaRequirements;
  const requirements = counted === undefined ? before : counted.requirements;
  return { ...order, ...(requirements === undefined ? {} : { replicaRequirements: requirements }) };
}

function hasLabels(current: FeedInventory, wanted: FeedInventory): boolean {
  return Object.entries(wanted.metadata.labels ?? {}).every(([key, value]) => current.metadata.labels?.[key] === value);
}
