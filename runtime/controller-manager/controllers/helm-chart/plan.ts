// What was learned about a chart -> HelmChart.status, and when to look again. Pure.
//
// (CHA-1) A repository that does not answer takes nothing away: a chart that was found stays found.

import type { HelmChart } from "#api/apps/v1alpha1/helm-chart.ts";
import { conditionTypes } from "#api/names.ts";
import type { ChartReason } from "#delivery/helm/charts/chart-error.ts";
import { setCondition } from "#kube/conditions.ts";

export type Lookup =
  | { readonly found: true; readonly version: string }
  | { readonly found: false; readonly reason: ChartReason; readonly message: string };

export interface ChartStep {
  readonly status: NonNullable<HelmChart["status"]>;
  readonly againAfterMs: number;
}

/** A repository changes seldom, and nothing that runs depends on it. */
const FOUND_AGAIN_MS = 600_000;
/** A person is mending it, or the repository comes back. */
const NOT_FOUND_AGAIN_MS = 30_000;

export function planChart(chart: HelmChart, lookup: Lookup, now: number): ChartStep {
  const observedGeneration = chart.metadata.generation ?? 0;
  const conditions = setCondition(
    chart.status?.conditions,
    {
      type: conditionTypes.ready,
      status: lookup.found ? "True" : "False",
      reason: lookup.found ? "ChartFound" : lookup.reason,
      message: lookup.found ? `Version ${lookup.version} is in the repository` : lookup.message,
      observedGeneration,
    },
    now,
  );
  if (lookup.found) {
    return { status: { phase: "Found", reason: "", observedGeneration, conditions }, againAfterMs: FOUND_AGAIN_MS };
  }
  const wasFound = chart.status?.phase === "Found" && chart.status.observedGeneration === observedGeneration;
  const keeps = wasFound && lookup.reason === "RepositoryUnreachable";
  return {
    status: { phase: keeps ? "Found" : "NotFound", reason: lookup.message, observedGeneration, conditions },
    againAfterMs: NOT_FOUND_AGAIN_MS,
  };
}
