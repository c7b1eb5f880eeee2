// What is measured about helm: runs by command and result, how long they take, how many run now.

import type { Counter, Gauge, Histogram, Metrics } from "#std/metrics.ts";

export interface HelmMetrics {
  readonly total: Counter<"command" | "result">;
  readonly seconds: Histogram<"command">;
  readonly running: Gauge;
}

/** A registry refuses two metrics of one name. */
const sets = new WeakMap<Metrics, HelmMetrics>();

export function helmMetrics(metrics: Metrics): HelmMetrics {
  const existing = sets.get(metrics);
  if (existing !== undefined) return existing;
  const created: HelmMetrics = {
    total: metrics.counter({
      name: "clusternet_helm_runs_total",
      help: "Runs of helm by command and result: done, failed, or stopped (a time limit, or we were asked to stop)",
      labels: ["command", "result"],
    }),
    seconds: metrics.histogram({
      name: "clusternet_helm_run_seconds",
      help: "How long one run of helm takes",
      labels: ["command"],
      buckets: [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    }),
    running: metrics.gauge({ name: "clusternet_helm_running", help: "Runs of helm at this moment" }),
  };
  sets.set(metrics, created);
  return created;
}
