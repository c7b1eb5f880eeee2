// A Subscription's FeedInventory -> what its feeds need. Pure.

import { feedKey } from "#api/apps/v1alpha1/feed.ts";
import type { FeedInventory } from "#api/apps/v1alpha1/feed-inventory.ts";
import type { FeedNeed } from "./plugin.ts";

/** In the order of the inventory; none: there is no inventory. */
export function needsOf(inventory: FeedInventory | undefined): readonly FeedNeed[] {
  return (inventory?.spec.feeds ?? []).map((order) => {
    const { desiredReplicas, replicaRequirements, replicaJsonPath } = order;
    return {
      feed: feedKey(order),
      ...(desiredReplicas === undefined ? {} : { desiredReplicas }),
      ...(replicaRequirements === undefined ? {} : { replicaRequirements }),
      ...(replicaJsonPath === undefined ? {} : { replicaJsonPath }),
    };
  });
}
