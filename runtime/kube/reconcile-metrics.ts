// What every controller measures: clusternet_reconcile_*, one set per registry.

import type { Counter, Gauge, Histogram, Metrics } from "#std/metrics.ts";

export interface ReconcileMetrics {
  readonly total: Counter<"controller" | "result">;
  readonly seconds: Histogram<"controller">;
  readonly queueLength: Gauge<"controller">;
}

/** A registry refuses two metrics of one name, and several controllers share it. */
const sets = new WeakMap<Metrics, ReconcileMetrics>();

export function reconcileMetrics(metrics: Metrics): ReconcileMetrics {
  const existing = sets.get(metrics);
  if (existing !== undefined) return existing;
  const created: ReconcileMetrics = {
    total: metrics.counter({
      name: "clusternet_reconcile_total",
      help: "Reconciles by result: done, after (asked to be called again) or failed",
      labels: ["controller", "result"],
    }),
    seconds: metrics.histogram({
      name: "clusternet_reconcile_seconds",
      help: "How long one reconcile takes",
      labels: ["controller"],
      buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60],
    }),
    queueLength: metrics.gauge({
      name: "clusternet_reconcile_queue_length",
      help: "Keys that wait to be reconciled now",
      labels: ["controller"],
    }),
  };
  sets.set(metrics, created);
  return created;
}
