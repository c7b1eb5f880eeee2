// The scheduler's metrics of its work, named as upstream's.

import type { Clock } from "#std/clock.ts";
import type { Metrics } from "#std/metrics.ts";
import type { Decision } from "./decision.ts";
import { createPluginTimes, type PluginTimes } from "./plugin-times.ts";
import type { Profile } from "./profile.ts";
import type { TimeStage } from "./schedule.ts";

export interface SchedulingMeasures {
  /** One Subscription, from the queue to its status. */
  attempt(profile: string): { ends(decision: Decision): void; fails(): void };
  /** The profile whose plugins are measured. */
  readonly timed: (profile: Profile) => Profile;
  /** A part of a decision: what all plugins of a point take together. */
  readonly stage: TimeStage;
  /** The decision alone. */
  readonly algorithm: <T>(decide: () => T) => T;
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
  const plugins = createPluginTimes(metrics, clock);
  return {
    timed: plugins.timed,
    stage: stageTimer(metrics, clock),
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
    algorithm: algorithmTimer(metrics, { clock, plugins }),
    permitWait: (milliseconds) => {
      if (milliseconds !== undefined) permitSeconds.observe(milliseconds / 1_000);
    },
  };
}

function resultOf(decision: Decision): string {
  if (decision.type !== "bound") return decision.type;
  return decision.clusters.length === 0 ? "unschedulable" : "scheduled";
}

function algorithmTimer(
  metrics: Metrics,
  { clock, plugins }: { readonly clock: Clock; readonly plugins: PluginTimes },
): SchedulingMeasures["algorithm"] {
  const seconds = metrics.histogram({
    name: "clusternet_scheduler_scheduling_algorithm_duration_seconds",
    help: "Time that a decision takes, without reading and without writing",
    buckets: [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1],
  });
  return (decide) => {
    const startedAt = clock.monotonic();
    try {
      const decision = decide();
      seconds.observe((clock.monotonic() - startedAt) / 1_000);
      return decision;
    } finally {
      plugins.tell();
    }
  };
}

function stageTimer(metrics: Metrics, clock: Clock): TimeStage {
  const seconds = metrics.histogram({
    name: "clusternet_scheduler_framework_extension_point_duration_seconds",
    help: "Time that all plugins of a point take in a decision; filter is with select, score with preScore, assign with preAssign",
    labels: ["extension_point"],
    buckets: [0.000_01, 0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1],
  });
  return (stage, work) => {
    const startedAt = clock.monotonic();
    try {
      return work();
    } finally {
      seconds.observe({ extension_point: stage }, (clock.monotonic() - startedAt) / 1_000);
    }
  };
}
