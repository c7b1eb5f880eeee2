// HelmChart -> is it in its repository? On every change, and from time to time.

import { HelmChart } from "#api/apps/v1alpha1/helm-chart.ts";
import { warningEventReasons } from "#api/event-reasons.ts";
import { changesBeyondStatus } from "#controller-manager/changes.ts";
import type { DeliveryDeps } from "#controller-manager/deps.ts";
import { readAccess } from "#delivery/helm/charts/access.ts";
import { ChartError } from "#delivery/helm/charts/chart-error.ts";
import { findChart } from "#delivery/helm/charts/find-chart.ts";
import { after, createController, done, ownKey, source, type Controller, type Result } from "#kube/controller.ts";
import { patchStatusIfChanged } from "#kube/write-if-changed.ts";
import { planChart, type Lookup } from "./plan.ts";

/** A repository that is slow keeps others waiting at most as long as this, times the lookups before it. */
const LOOKUP_MS_MAX = 60_000;

export function helmChartController(deps: DeliveryDeps): Controller {
  const { client, informers, events, clock, log } = deps;

  async function reconcile(key: string, signal: AbortSignal): Promise<Result> {
    const chart = informers.helmCharts.get(key);
    if (chart === undefined || chart.metadata.deletionTimestamp !== undefined) return done;
    const lookup = await lookUp(chart, signal);
    const { status, againAfterMs } = planChart(chart, lookup, clock.now());
    const written = await patchStatusIfChanged(client, { type: HelmChart, object: chart, status }, signal);
    if (written !== chart) log.info("helm-chart.looked-up", { chart: key, phase: status.phase, reason: status.reason });
    if (!lookup.found) {
      events.record(chart, { type: "Warning", reason: warningEventReasons.helmChartNotFound, message: lookup.message });
    }
    return after(againAfterMs);
  }

  async function lookUp({ spec, metadata: { namespace = "" } }: HelmChart, signal: AbortSignal): Promise<Lookup> {
    try {
      const access = await readAccess(spec, { parent: client, chartNamespace: namespace }, signal);
      const { version } = await findChart(spec, access, signal);
      return { found: true, version };
    } catch (error) {
      if (!(error instanceof ChartError)) throw error;
      return { found: false, reason: error.reason, message: error.message };
    }
  }

  return createController({
    ...deps,
    name: "helm-chart",
    reconcileMsMax: LOOKUP_MS_MAX,
    sources: [source(informers.helmCharts, (chart, change) => (changesBeyondStatus(change) ? ownKey(chart) : []))],
    reconcile,
  });
}
