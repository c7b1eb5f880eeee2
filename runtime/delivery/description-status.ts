// What came of a delivery -> Description.status. Pure.

import type { Description, InventoryEntry } from "#api/apps/v1alpha1/description.ts";
import { feedText } from "./feeds.ts";
import { conditionTypes } from "#api/names.ts";
import { setCondition } from "#kube/conditions.ts";

/** Longer lists are cut: a status is read by people. */
const PROBLEMS_SHOWN_MAX = 5;

export interface ObjectProblem {
  readonly object: InventoryEntry;
  readonly message: string;
}

export interface Delivery {
  readonly inventory: readonly InventoryEntry[];
  readonly problems: readonly ObjectProblem[];
}

type Status = NonNullable<Description["status"]>;

/** Only what a deployer writes; manifestStatuses belong to the feed-status controller. */
export function deliveredStatus(description: Description, delivery: Delivery, now: number): Status {
  const failed = delivery.problems.length > 0;
  const reason = problemsText(delivery.problems);
  const observedGeneration = description.metadata.generation ?? 0;
  return {
    phase: failed ? "Failure" : "Success",
    reason,
    observedGeneration,
    inventory: delivery.inventory,
    conditions: setCondition(
      description.status?.conditions,
      {
        type: conditionTypes.applied,
        status: failed ? "False" : "True",
        reason: failed ? "ApplyFailed" : "Applied",
        message: failed ? reason : `${String(delivery.inventory.length)} objects are as described`,
        observedGeneration,
      },
      now,
    ),
  };
}

export interface Removal {
  /** Deleted, but still there: something in the child holds them. */
  readonly remaining: readonly InventoryEntry[];
  readonly problems: readonly ObjectProblem[];
}

export function removalStatus(description: Description, { remaining, problems }: Removal, now: number): Status {
  const removed = remaining.length === 0 && problems.length === 0;
  const names = remaining.slice(0, PROBLEMS_SHOWN_MAX).map(feedText).join(", ");
  const waiting = remaining.length === 0 ? "" : `Waiting for ${String(remaining.length)} objects to go: ${names}`;
  const message = [problemsText(problems), waiting].filter((part) => part !== "").join("; ");
  return {
    ...(problems.length === 0 ? {} : { phase: "Failure", reason: message }),
    conditions: setCondition(
      description.status?.conditions,
      {
        type: conditionTypes.removed,
        status: removed ? "True" : "False",
        reason: removed ? "Removed" : problems.length > 0 ? "RemovalFailed" : "Removing",
        message: removed ? "The child's objects are gone" : message,
        observedGeneration: description.metadata.generation ?? 0,
      },
      now,
    ),
  };
}

/** Nobody may deliver: the child is in Push mode and does not allow it. */
export function nobodyDeliversStatus(description: Description, now: number): Status {
  const observedGeneration = description.metadata.generation ?? 0;
  const message = "The cluster is in Push mode, and its agent does not allow the parent to push (--allow-push)";
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

/** The newest spec is in the child: nothing to do until it changes. */
export function isDelivered({ metadata, status }: Description): boolean {
  return status?.phase === "Success" && status.observedGeneration === metadata.generation;
}

export function problemsText(problems: readonly ObjectProblem[]): string {
  const shown = problems.slice(0, PROBLEMS_SHOWN_MAX).map(({ object, message }) => `${feedText(object)}: ${message}`);
  const hidden = problems.length - shown.length;
  return [...shown, ...(hidden > 0 ? [`and ${String(hidden)} more`] : [])].join("; ");
}
