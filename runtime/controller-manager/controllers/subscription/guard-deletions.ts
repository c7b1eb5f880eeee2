// Holds back what would delete too much (deletion-budget.ts decides), says so at the Subscription, and notes confirmations at the Bases.

import { Base } from "#api/apps/v1alpha1/base.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { warningEventReasons } from "#api/event-reasons.ts";
import { annotations, conditionTypes } from "#api/names.ts";
import type { DeliveryDeps } from "#controller-manager/deps.ts";
import { findCondition, isConditionTrue, setCondition, type NewCondition } from "#kube/conditions.ts";
import { keyTextOf } from "#kube/object.ts";
import { patchMetadataIfChanged, patchStatusIfChanged } from "#kube/write-if-changed.ts";
import { deletesSomething, planBudget, sizeOf, sizeOfBases, type BudgetVerdict } from "./deletion-budget.ts";
import type { DeletionLog } from "./deletion-log.ts";
import type { BaseAction } from "./plan.ts";

export interface GuardDeps extends DeliveryDeps {
  readonly deletions: DeletionLog;
  /** Share of the fleet that may go in ten minutes. */
  readonly fleetPercentMax: number;
}

export interface Guarded {
  readonly subscription: Subscription;
  readonly actions: readonly BaseAction[];
  /** The Subscription's Bases. */
  readonly bases: readonly Base[];
}

/** The actions that may be carried out now. */
export async function guardDeletions(
  { subscription, actions, bases }: Guarded,
  deps: GuardDeps,
  signal: AbortSignal,
): Promise<readonly BaseAction[]> {
  const { client, informers, deletions, fleetPercentMax, clock } = deps;
  const dooming = actions.filter(deletesSomething);
  if (dooming.length === 0) {
    await say(subscription, { verdict: { type: "free" }, deps }, signal);
    return actions;
  }
  const planned = dooming.map(({ base }) => base.metadata.uid ?? "");
  const recent = deletions.recent({ subscription: subscription.metadata.uid ?? "", planned, now: clock.monotonic() });
  const fleetSize = sizeOfBases(informers.bases.list());
  const verdict = planBudget(subscription, { actions, bases, fleetSize, fleetPercentMax, recent });
  await say(subscription, { verdict, deps }, signal);
  switch (verdict.type) {
    case "free":
      return actions;
    case "blocked":
      return actions.filter((action) => !deletesSomething(action));
    case "confirmed":
      // BUD-4: all of them before the first one goes.
      for (const object of verdict.bases) {
        const marks = { [annotations.deletionConfirmed]: verdict.plan };
        await patchMetadataIfChanged(client, { type: Base, object, annotations: marks }, signal);
      }
      deps.log.info("deletion.confirmed", { subscription: keyTextOf(subscription), plan: verdict.plan });
      // The Bases changed under these actions: their arrival in the cache brings us back.
      return actions.filter((action) => !deletesSomething(action));
    default:
      return verdict satisfies never;
  }
}

export function logDeletion(subscription: Subscription, action: BaseAction, { deletions, clock }: GuardDeps): void {
  const count = sizeOf(action);
  if (count === 0) return;
  const { uid = "" } = subscription.metadata;
  deletions.add({ at: clock.monotonic(), subscription: uid, base: action.base.metadata.uid ?? "", count });
}

interface Said {
  readonly verdict: BudgetVerdict;
  readonly deps: GuardDeps;
}

/** A Subscription that never was blocked has no such condition. */
async function say(subscription: Subscription, { verdict, deps }: Said, signal: AbortSignal): Promise<void> {
  const { client, events, clock, log } = deps;
  const { conditions } = subscription.status ?? {};
  const type = conditionTypes.deletionBlocked;
  if (verdict.type !== "blocked" && !isConditionTrue(conditions, type)) return;
  const observedGeneration = subscription.metadata.generation ?? 0;
  const known = findCondition(conditions, type);
  const condition: NewCondition =
    verdict.type === "blocked"
      ? { type, status: "True", reason: verdict.reason, message: verdict.message, observedGeneration }
      : { type, status: "False", reason: "NothingBlocked", message: "Every deletion may go on", observedGeneration };
  // The same as before: the reason that was given then is the one that helps.
  if (verdict.type === "blocked" && verdict.reason === "BlockedBefore" && known?.message === verdict.message) return;
  const status = { conditions: setCondition(conditions, condition, clock.now()) };
  await patchStatusIfChanged(client, { type: Subscription, object: subscription, status }, signal);
  if (verdict.type !== "blocked" || known?.message === verdict.message) return;
  log.warn("deletion.blocked", { subscription: keyTextOf(subscription), plan: verdict.plan, reason: verdict.reason });
  events.record(subscription, { type: "Warning", reason: warningEventReasons.deletionBlocked, message: verdict.message });
}
