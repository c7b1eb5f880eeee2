// schedule() with failover and rebalancing, for the one process that leads: asks what the fleet allows before a decision, and tells what was
// decided.

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
import { scheduleWithRebalance } from "#scheduler/rebalance/rebalance.ts";
import { REBALANCES_MAX_DEFAULT, RebalanceTurns } from "#scheduler/rebalance/turns.ts";

export interface GuardedScheduling {
  /** This process begins to lead. */
  start(clusters: readonly ManagedCluster[]): void;
  /** True: what waits for the fleet is decided again. */
  observe(clusters: readonly ManagedCluster[]): boolean;
  schedule(subscription: Subscription, input: ScheduleInput): Decision;
  /** The decision was carried out. */
  carriedOut?(decision: Decision): void;
  /** The decision was not carried out. */
  undo(decision: Decision | undefined): void;
}

export function createGuardedScheduling(
  limits: FleetLimits,
  clock: Clock,
  turns = new RebalanceTurns(REBALANCES_MAX_DEFAULT),
): GuardedScheduling {
  const guard = new FleetGuard(limits);
  return {
    start: (clusters) => {
      guard.start(clusters, clock.now());
    },
    observe: (clusters) => guard.observe(clusters, clock.now()),
    schedule: (subscription, input) => {
      const now = clock.now();
      const turn = turns.of(subscription, now);
      const decision = scheduleWithRebalance(subscription, { ...input, now, fleet: guard.view(now), turn });
      guard.spend(startedBy(decision), now);
      if (decision.type === "bound") turns.decided(subscription, { now, phase: decision.rebalance?.stated?.status.phase });
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

/** What is tolerated for longer is looked at on the way: clocks may disagree. */
const FAILOVER_LOOK_MS_MAX = 5 * 60_000;

/** How long until time alone changes what is decided; undefined: it does not. */
export function lookAgainDelayMs(decision: Decision, now: number): number | undefined {
  if (decision.type !== "bound") return undefined;
  const { failover, rebalance } = decision;
  const failoverAt = failover?.lookAgainAt === undefined ? Infinity : Math.min(failover.lookAgainAt, now + FAILOVER_LOOK_MS_MAX);
  const at = Math.min(failoverAt, rebalance?.lookAgainAt ?? Infinity);
  return Number.isFinite(at) ? Math.max(0, at - now) : undefined;
}

/** A cluster is being left or a rebalance moves something, and what replaces it reported something. */
export function isMoveReported({ object, previous }: Extract<Change<Subscription>, { type: "updated" }>): boolean {
  const { failover, rebalance } = object.status ?? {};
  const isMoving = failover?.some(({ phase }) => phase !== "Left") === true || rebalance?.phase === "CarryingOut";
  return isMoving && !deepEqual(object.status?.aggregatedStatuses, previous.status?.aggregatedStatuses);
}

/** What failover and rebalancing did. */
export function announceMoves(
  subscription: Subscription,
  decision: Decision,
  { events, log }: { readonly events: EventRecorder; readonly log: Logger },
): void {
  if (decision.type !== "bound") return;
  for (const { type, reason, message } of decision.failover?.events ?? []) {
    log.info("failover.changed", { subscription: keyTextOf(subscription), message });
    const name = reason === "failover" ? normalEventReasons.failover : warningEventReasons[reason];
    events.record(subscription, { type, reason: name, message });
  }
  for (const { type, reason, message } of decision.rebalance?.events ?? []) {
    log.info("rebalance.changed", { subscription: keyTextOf(subscription), reason, message });
    const name = reason === "rebalanceStopped" ? warningEventReasons[reason] : normalEventReasons[reason];
    events.record(subscription, { type, reason: name, message });
  }
}
