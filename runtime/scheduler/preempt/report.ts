// What people read of preemption: the reason of a shortfall, Events, log lines.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { normalEventReasons, warningEventReasons } from "#api/event-reasons.ts";
import type { EventRecorder } from "#kube/events.ts";
import { keyTextOf } from "#kube/object.ts";
import type { Decision, Problem } from "#scheduler/decision.ts";
import type { DividingReason } from "#scheduler/divide/reasons.ts";
import type { Logger } from "#std/log.ts";
import { shortList } from "#std/short-list.ts";
import type { Giving, Plan } from "./room.ts";
import { givenIn } from "./taken.ts";

/** Names in a message; the rest is a number. */
const SHOWN_MAX = 5;

/** Lower priorities give room for what is missing. */
export function awaiting(shortfall: Problem | undefined, plan: Plan): Problem {
  const reason: DividingReason = "AwaitingPreemption";
  return { reason, message: [...(shortfall === undefined ? [] : [shortfall.message]), planText(plan)].join("; ") };
}

function planText({ givings }: Pick<Plan, "givings">): string {
  return `room is being freed: ${shortList(givings.map(givingText), SHOWN_MAX).join(", ")}`;
}

function givingText({ giver: { subscription, priority, cluster, feed }, replicas }: Giving): string {
  return `${subscription} (priority ${String(priority)}) gives ${String(replicas)} of ${feed} in ${cluster}`;
}

export function announcePreemption(
  subscription: Subscription,
  decision: Decision,
  { events, log }: { readonly events: EventRecorder; readonly log: Logger },
): void {
  if (decision.type !== "bound") return;
  const key = keyTextOf(subscription);
  for (const { cluster, feed, replicas, by } of givenIn(decision.divisions ?? [])) {
    log.info("scheduling.preempted", { subscription: key, cluster, feed, replicas, by });
    const message = `${by} takes room: ${String(replicas)} replicas of ${feed} leave ${cluster}`;
    events.record(subscription, {
      type: "Warning",
      reason: warningEventReasons.preempted,
      message,
    });
  }
  const { waitsFor, isNew = false } = decision.preemption ?? {};
  if (waitsFor === undefined || !isNew) return;
  const message = planText(waitsFor);
  log.info("scheduling.preempting", { subscription: key, replicas: replicasOf(waitsFor), message });
  events.record(subscription, {
    type: "Normal",
    reason: normalEventReasons.preempting,
    message,
  });
}

/** Taken from others. */
export function replicasOf({ givings }: Pick<Plan, "givings">): number {
  return givings.reduce((sum, { replicas }) => sum + replicas, 0);
}

/** Room is being freed: it is looked at again sooner. */
export function isAwaitingRoom(decision: Decision): boolean {
  return decision.type === "bound" && decision.preemption?.waitsFor !== undefined;
}
