// Who has to be decided again when a Subscription, a cluster or a FeedInventory changes: put into the queue.

import type { FeedInventory } from "#api/apps/v1alpha1/feed-inventory.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { annotations } from "#api/names.ts";
import type { Change, Informer } from "#kube/informer.ts";
import { keyTextOf } from "#kube/object.ts";
import { deepEqual } from "#std/canonical-json.ts";
import { isMoveReported, type GuardedScheduling } from "./failover/guarded.ts";
import type { OwnBindings } from "./own-bindings.ts";
import type { SchedulingQueue } from "./queue.ts";
import { clustersToWakeFor, clusterWithOtherRoom, isAffected, waitsForRoom } from "./wake.ts";

type Update = Extract<Change<Subscription>, { type: "updated" }>;

interface Wakers {
  readonly onSubscription: (change: Change<Subscription>) => void;
  readonly onCluster: (change: Change<ManagedCluster>) => void;
  readonly onInventory: (change: Change<FeedInventory>) => void;
}

interface Woken {
  readonly enqueue: (subscription: Subscription) => void;
  readonly queue: Pick<SchedulingQueue, "remove">;
  readonly scheduling: Pick<GuardedScheduling, "observe">;
  readonly own: Pick<OwnBindings, "recognises" | "forget">;
}

interface Caches {
  readonly subscriptions: Pick<Informer<Subscription>, "get" | "list">;
  readonly managedClusters: Pick<Informer<ManagedCluster>, "list">;
}

/** Who has to be decided again when something changes. */
export function createWakers({ subscriptions, managedClusters }: Caches, { enqueue, queue, scheduling, own }: Woken): Wakers {
  const isDecidedElsewhere = (change: Update): boolean => isScheduled(change) && !own.recognises(change.object);
  return {
    onSubscription: (change) => {
      if (change.type === "deleted") {
        queue.remove(keyTextOf(change.previous));
        own.forget(keyTextOf(change.previous));
      } else if (change.type === "added" || isDecidedElsewhere(change) || isMoveReported(change) || isAsked(change))
        enqueue(change.object);
    },
    onCluster: (change) => {
      const versions = clustersToWakeFor(change);
      const roomy = clusterWithOtherRoom(change);
      if (versions.length === 0 && roomy === undefined) return;
      const isFleetChanged = versions.length > 0 && scheduling.observe(managedClusters.list());
      for (const subscription of subscriptions.list()) {
        const isHeldOrFree = isFleetChanged && mayBeHeld(subscription);
        const isMoved = versions.some((cluster) => isAffected(subscription, cluster));
        const isPlaced = roomy === undefined || !waitsForRoom(subscription) || !isAffected(subscription, roomy);
        if (isHeldOrFree || isMoved || !isPlaced) enqueue(subscription);
      }
    },
    onInventory: (change) => {
      if (change.type === "updated" && deepEqual(change.object.spec, change.previous.spec)) return;
      const inventory = change.type === "deleted" ? change.previous : change.object;
      const subscription = subscriptions.get(keyTextOf(inventory));
      if (subscription?.spec.schedulingStrategy === "Dividing") enqueue(subscription);
    },
  };
}

/** Something of it moves, or may have to. */
function mayBeHeld({ spec, status }: Subscription): boolean {
  return spec.failover?.enabled === true || status?.rebalance?.phase === "CarryingOut";
}

/** Somebody asks for a rebalance. */
function isAsked({ object, previous }: Update): boolean {
  const [now, before] = [object, previous].map(({ metadata }) => metadata.annotations?.[annotations.rebalance]);
  return now !== before;
}

/** A spec to decide on, or a binding that somebody else changed. Numbers and other conditions mean nothing here. */
function isScheduled({ object, previous }: Update): boolean {
  return (
    object.metadata.generation !== previous.metadata.generation ||
    object.metadata.deletionTimestamp !== previous.metadata.deletionTimestamp ||
    object.status?.specHash !== previous.status?.specHash ||
    String(object.status?.bindingClusters) !== String(previous.status?.bindingClusters) ||
    !deepEqual(object.status?.replicas, previous.status?.replicas)
  );
}
