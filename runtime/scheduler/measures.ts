// The scheduler's metrics of its work, named as upstream's.

import type { Clock } from "#std/clock.ts";
import type { Metrics } from "#std/metrics.ts";
import type { Decision } from "./decision.ts";

export interface SchedulingMeasures {
  /** One Subscription, from the queue to its status. */
  attempt(profile: string): { ends(decision: Decision): void; fails(): void };
  /** The decision alone. */
  algorithm<T>(decide: () => T): T;
  /** Replicas that a rebalance moved, and plans that ended. */
  rebalance(decision: Decision): void;
  /** How long plugins held a decision back; undefined: not at all. */
  permitWait(milliseconds: number | undefined): void;
}

export function schedulingMeasures(metrics: Metrics, clock: Clock): SchedulingMeasures {
  const attempts = metrics.counter({
    name: "clusternet_scheduler_schedule_attempts_total",
    help: "Attempts to schedule a Subscription; result: scheduled, unschedulable, refused, waiting or error",
    labels: ["result", "profile"],
  });
  const attemptSeconds = metrics.histogram({
    name: "clusternet_scheduler_scheduling_attempt_duration_seconds",
    help: "Time from taking a Subscription off the queue to its written status",
    labels: ["result", "profile"],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10],
  });
  const algorithmSeconds = metrics.histogram({
    name: "clusternet_scheduler_scheduling_algorithm_duration_seconds",
    help: "Time that a decision takes, without reading and without writing",
    buckets: [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1],
  });
  const permitSeconds = metrics.histogram({
    name: "clusternet_scheduler_permit_wait_duration_seconds",
    help: "Time for which plugins held a decision back that was carried out or refused then",
    buckets: [0.1, 1, 10, 60, 300, 900],
  });
  const rebalancedReplicas = metrics.counter({
    name: "clusternet_scheduler_rebalanced_replicas_total",
    help: "Replicas that rebalancing has moved from one cluster to another",
  });
  const rebalances = metrics.counter({
    name: "clusternet_scheduler_rebalances_total",
    help: "Plans by what came of them; result: Planned, CarryingOut (begun), Done or Stopped",
    labels: ["result"],
  });
  return {
    rebalance: (decision) => {
      if (decision.type !== "bound" || decision.rebalance === undefined) return;
      const { moved, stated, events } = decision.rebalance;
      if (moved > 0) rebalancedReplicas.inc({}, moved);
      if (stated !== undefined && events.length > 0) rebalances.inc({ result: stated.status.phase });
    },
    attempt: (profile) => {
      const startedAt = clock.monotonic();
      const count = (result: string): void => {
        attempts.inc({ result, profile });
        attemptSeconds.observe({ result, profile }, (clock.monotonic() - startedAt) / 1_000);
      };
      return {
        ends: (decision) => {
          count(resultOf(decision));
        },
        fails: () => {
          count("error");
        },
      };
    },
    algorithm: (decide) => {
      const startedAt = clock.monotonic();
      const decision = decide();
      algorithmSeconds.observe((clock.monotonic() - startedAt) / 1_000);
      return decision;
    },
    permitWait: (milliseconds) => {
      if (milliseconds !== undefined) permitSeconds.observe(milliseconds / 1_000);
    },
  };
}

function resultOf(decision: Decision): string {
  if (decision.type !== "bound") return decision.type;
  return decision.clusters.length === 0 ? "unschedulable" : "scheduled";
}
