// Delivered objects in this cluster -> Description.status.manifestStatuses, in every sync mode. Many changes, one write.

import { Description, type InventoryEntry, type ManifestStatus } from "#api/apps/v1alpha1/description.ts";
import { feedKey } from "#api/apps/v1alpha1/feed.ts";
import type { DescriptionDeps } from "#agent/controllers/description/controller.ts";
import { describedObjects } from "#delivery/deliver.ts";
import { removesItself } from "#delivery/drift.ts";
import { keysOfParts } from "#delivery/parts.ts";
import { entryOf } from "#delivery/plan.ts";
import { manifestStatusOf } from "#delivery/summarize.ts";
import { after, createController, done, ownKey, source, type Controller, type Result } from "#kube/controller.ts";
import { patchStatusIfChanged } from "#kube/write-if-changed.ts";
import { kindKey } from "./watched-kinds.ts";

export type FeedStatusDeps = DescriptionDeps;

/** A Description's status is written at most this often: a rollout changes its object dozens of times. */
const WRITE_INTERVAL_MS = 500;

/** How often objects are looked at whose kind is not watched: the child does not know it yet, or there are too many kinds. */
const UNWATCHED_POLL_MS = 5_000;

export function feedStatusController(deps: FeedStatusDeps): Controller {
  const { parent, informers, clock, watched } = deps;
  const { descriptions } = informers;
  const writtenAt = new Map<string, number>();
  const deliveredGenerations = new Map<string, number>();
  let running: AbortSignal | undefined;

  async function reconcile(key: string, signal: AbortSignal): Promise<Result> {
    await watched.keepOnly(kindsInUse(descriptions.list()), running ?? signal);
    const description = descriptions.get(key);
    if (description === undefined) {
      writtenAt.delete(key);
      deliveredGenerations.delete(key);
      return done;
    }
    if (description.metadata.deletionTimestamp !== undefined || description.status?.inventory === undefined) return done;
    if (isBeingDelivered(description)) return done;
    noteDelivery(key, description.status.observedGeneration);
    const waitMs = (writtenAt.get(key) ?? -WRITE_INTERVAL_MS) + WRITE_INTERVAL_MS - clock.monotonic();
    if (waitMs > 0) return after(waitMs);
    const objects = await Promise.all(description.status.inventory.map((entry) => watched.read(entry, signal)));
    const manifestStatuses = objects.flatMap((object, index) =>
      object === undefined ? lastOf(description, description.status?.inventory?.[index]) : [manifestStatusOf(object)],
    );
    const written = await patchStatusIfChanged(
      parent,
      { type: Description, object: description, status: { manifestStatuses } },
      signal,
    );
    if (written !== description) writtenAt.set(key, clock.monotonic());
    return description.status.inventory.every((entry) => watched.isWatched(entry)) ? done : after(UNWATCHED_POLL_MS);
  }

  /** Whoever delivered said how the objects are; the watch may still show how they were. */
  function noteDelivery(key: string, generation = 0): void {
    if (deliveredGenerations.get(key) === generation) return;
    deliveredGenerations.set(key, generation);
    writtenAt.set(key, clock.monotonic());
  }

  const controller = createController({ ...deps, name: "feed-status", sources: [source(descriptions, ownKey)], reconcile });
  return {
    ...controller,
    run: async (signal) => {
      running = signal;
      const unsubscribe = watched.subscribe((owner) => {
        for (const key of keysOfParts(owner, descriptions)) controller.enqueue(key);
      });
      try {
        await controller.run(signal);
      } finally {
        unsubscribe();
        await watched.stop();
      }
    },
  };
}

/** A Job that the cluster removed because it was done stays as it was last seen. */
function lastOf(description: Description, entry: InventoryEntry | undefined): readonly ManifestStatus[] {
  if (entry?.kind !== "Job") return [];
  const key = feedKey(entry);
  const isDone = describedObjects(description).objects.some(
    (object) => feedKey(entryOf(object)) === key && removesItself(object),
  );
  return isDone ? (description.status?.manifestStatuses ?? []).filter((each) => feedKey(each) === key) : [];
}

/** Its status is about to be written; a second writer would only be in the way. */
function isBeingDelivered({ metadata, status }: Description): boolean {
  return status?.observedGeneration !== metadata.generation && status?.phase !== "Failure";
}

function kindsInUse(descriptions: readonly Description[]): ReadonlyMap<string, InventoryEntry> {
  const entries = descriptions.flatMap(({ status, metadata }) =>
    metadata.deletionTimestamp === undefined ? (status?.inventory ?? []) : [],
  );
  return new Map(entries.map((entry) => [kindKey(entry), entry]));
}
