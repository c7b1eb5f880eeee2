// schedule() with failover, for the one process that leads: asks the fleet's guard before a decision, and tells it what was decided.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { normalEventReasons, warningEventReasons } from "#api/event-reasons.ts";
import type { EventRecorder } from "#kube/events.ts";
import type { Change } from "#kube/informer.ts";
import { keyTextOf } from "#kube/object.ts";
import type { Decision } from "#scheduler/decision.ts";
import type { ScheduleInput } from "#scheduler/schedule.ts";
import { deepEqual } from "#std/canonical-json.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import { FleetGuard, type FleetLimits } from "./fleet-guard.ts";
import { scheduleWithFailover } from "./plan.ts";

/** An Event holds 1 KiB. */
const EVENT_MESSAGE_MAX = 1_000;

export interface GuardedScheduling {
  /** This process begins to lead. */
  start(clusters: readonly ManagedCluster[]): void;
  /** True: what waits for the fleet is decided again. */
  observe(clusters: readonly ManagedCluster[]): boolean;
  schedule(subscription: Subscription, input: ScheduleInput): Decision;
  /** The decision was not carried out. */
  undo(decision: Decision | undefined): void;
}

export function createGuardedScheduling(limits: FleetLimits, clock: Clock): GuardedScheduling {
  const guard = new FleetGuard(limits);
  return {
    start: (clusters) => {
      guard.start(clusters, clock.now());
    },
    observe: (clusters) => guard.observe(clusters, clock.now()),
    schedule: (subscription, input) => {
      const now = clock.now();
      const decision = scheduleWithFailover(subscription, { ...input, now, fleet: guard.view(now) });
      guard.spend(startedBy(decision), now);
      return decision;
    },
    undo: (decision) => {
      guard.refund(startedBy(decision));
    },
  };
}

function startedBy(decision: Decision | undefined): number {
  return decision?.type === "bound" ? (decision.failover?.started ?? 0) : 0;
}

/** How long until time alone changes what is decided; undefined: it does not. */
export function failoverDelayMs(decision: Decision, now: number): number | undefined {
  const at = decision.type === "bound" ? decision.failover?.lookAgainAt : undefined;
  return at === undefined ? undefined : Math.max(0, at - now);
}

/** A cluster is being left, and what replaces it reported something. */
export function isMoveReported({ object, previous }: Extract<Change<Subscription>, { type: "updated" }>): boolean {
  const isMoving = object.status?.failover?.some(({ phase }) => phase !== "Left") === true;
  return isMoving && !deepEqual(object.status.aggregatedStatuses, previous.status?.aggregatedStatuses);
}

export function announceFailover(
  subscription: Subscription,
  decision: Decision,
  { events, log }: { readonly events: EventRecorder; readonly log: Logger },
): void {
  if (decision.type !== "bound") return;
  for (const { type, reason, message } of decision.failover?.events ?? []) {
    log.info("failover.changed", { subscription: keyTextOf(subscription), message });
    const name = reason === "failover" ? normalEventReasons.failover : warningEventReasons[reason];
    events.record(subscription, { type, reason: name, message: message.slice(0, EVENT_MESSAGE_MAX) });
  }
}
