// What came of a delivery -> Description.status. Pure.

import type { Description, InventoryEntry, ManifestStatus } from "#api/apps/v1alpha1/description.ts";
import { feedKey } from "#api/apps/v1alpha1/feed.ts";
import type { KubeObject } from "#api/meta.ts";
import { feedText } from "./feeds.ts";
import { conditionTypes } from "#api/names.ts";
import { setCondition } from "#kube/conditions.ts";
import type { Change } from "#kube/informer.ts";
import { deepEqual } from "#std/canonical-json.ts";
import { shortList } from "#std/short-list.ts";
import { entryOf } from "./plan.ts";
import { problemsText, reasonOfProblems, type ObjectProblem } from "./problems.ts";
import { manifestStatusOf } from "./summarize.ts";

/** Longer lists are cut: a status is read by people. */
const OBJECTS_SHOWN_MAX = 5;

export interface Delivery {
  readonly inventory: readonly InventoryEntry[];
  /** The applied objects as the child answered. */
  readonly live: readonly KubeObject[];
  readonly problems: readonly ObjectProblem[];
}

type Status = NonNullable<Description["status"]>;

/** With the first word on how the objects are; the feed-status controller has every later one. */
export function deliveredStatus(description: Description, delivery: Delivery, now: number): Status {
  const failed = delivery.problems.length > 0;
  const reason = problemsText(delivery.problems);
  const observedGeneration = description.metadata.generation ?? 0;
  return {
    phase: failed ? "Failure" : "Success",
    reason,
    observedGeneration,
    inventory: delivery.inventory,
    manifestStatuses: firstStatuses(description, delivery),
    conditions: setCondition(
      description.status?.conditions,
      {
        type: conditionTypes.applied,
        status: failed ? "False" : "True",
        reason: failed ? reasonOfProblems(delivery.problems, "ApplyFailed") : "Applied",
        message: failed ? reason : deliveredText(delivery),
        observedGeneration,
      },
      now,
    ),
  };
}

/** Of what was not applied now, what was known before still holds. */
function firstStatuses({ status }: Description, { inventory, live }: Delivery): readonly ManifestStatus[] {
  const known = new Map((status?.manifestStatuses ?? []).map((each) => [feedKey(each), each]));
  for (const object of live) known.set(feedKey(entryOf(object)), manifestStatusOf(object));
  return inventory.flatMap((entry) => known.get(feedKey(entry)) ?? []);
}

/** Also for Events. */
export function deliveredText({ inventory }: Pick<Delivery, "inventory">): string {
  const skipped = inventory.filter(({ origin }) => origin === "Skipped");
  const ours = `${String(inventory.length - skipped.length)} objects are as described`;
  if (skipped.length === 0) return ours;
  const names = shortList(skipped.map(feedText), OBJECTS_SHOWN_MAX).join(", ");
  return `${ours}; ${String(skipped.length)} were there before and are left alone: ${names}`;
}

export interface Removal {
  /** Deleted, but still there: something in the child holds them. */
  readonly remaining: readonly InventoryEntry[];
  readonly problems: readonly ObjectProblem[];
}

export function removalStatus(description: Description, { remaining, problems }: Removal, now: number): Status {
  const removed = remaining.length === 0 && problems.length === 0;
  const names = shortList(remaining.map(feedText), OBJECTS_SHOWN_MAX).join(", ");
  const waiting = remaining.length === 0 ? "" : `Waiting for ${String(remaining.length)} objects to go: ${names}`;
  const message = [problemsText(problems), waiting].filter((part) => part !== "").join("; ");
  return {
    ...(problems.length === 0 ? {} : { phase: "Failure", reason: message }),
    conditions: setCondition(
      description.status?.conditions,
      {
        type: conditionTypes.removed,
        status: removed ? "True" : "False",
        reason: removed ? "Removed" : problems.length > 0 ? reasonOfProblems(problems, "RemovalFailed") : "Removing",
        message: removed ? "The child's objects are gone" : message,
        observedGeneration: description.metadata.generation ?? 0,
      },
      now,
    ),
  };
}

export const nobodyDeliversMessage =
  "The cluster is in Push mode, and its agent does not allow the parent to push (--allow-push)";

/** Nobody may deliver: the child is in Push mode and does not allow it. */
export function nobodyDeliversStatus(description: Description, now: number): Status {
  const observedGeneration = description.metadata.generation ?? 0;
  const message = nobodyDeliversMessage;
  return {
    phase: "Failure",
    reason: message,
    conditions: setCondition(
      description.status?.conditions,
      { type: conditionTypes.applied, status: "False", reason: "PushNotAllowed", message, observedGeneration },
      now,
    ),
  };
}

/** Only the report of a failure, which has its own time to be tried again: its echo must not bring it back sooner. */
export function isFailureReport(change: Change<Description>): boolean {
  if (change.type !== "updated") return false;
  const { object, previous } = change;
  const isSameAsked =
    object.metadata.generation === previous.metadata.generation &&
    object.metadata.deletionTimestamp === undefined &&
    deepEqual(object.metadata.annotations, previous.metadata.annotations);
  return isSameAsked && object.status?.phase === "Failure" && object.status.observedGeneration === object.metadata.generation;
}

/** The newest spec is in the child: nothing to do until it changes. */
export function isDelivered({ metadata, status }: Description): boolean {
  return status?.phase === "Success" && status.observedGeneration === metadata.generation;
}
