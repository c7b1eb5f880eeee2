// Applies overrides to one feed, in their total order, and says what each of them did. Pure.
//
// Order: all Globalizations, then all Localizations; within these by priority, lowest first; then the older creationTimestamp first;
// then by name. Whoever comes later wins. Inside one override its patches are applied in the order they are written.
//
// A patch that cannot apply stops the feed, not the others: the feed keeps what was rendered last, and the problem names the override,
// the patch, the path and the cluster. (Upstream skips a JSONPatch whose path is missing without a word.)

import type { Globalization } from "#api/apps/v1alpha1/globalization.ts";
import type { Localization } from "#api/apps/v1alpha1/localization.ts";
import type { OverrideConfig } from "#api/apps/v1alpha1/override.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { matchesSelector } from "#kube/selector.ts";
import { compareText } from "#std/compare-text.ts";
import { applyPatch, type PatchTarget } from "./apply-patch.ts";
import { isJsonObject, type JsonObject } from "./json.ts";

export interface OverrideStep {
  /** `Globalization web-everywhere`, `Localization paris/web`. */
  readonly override: string;
  /** The patch's name, or `#0` by position. */
  readonly patch: string;
  readonly type: OverrideConfig["type"];
  readonly target: PatchTarget;
  readonly outcome: "applied" | "skipped" | "failed";
  readonly reason?: string;
  /** Of a failed one: where; see OverrideProblem. */
  readonly path?: string;
  /** The target before and after this step; the same object where nothing was applied. */
  readonly before: JsonObject;
  readonly after: JsonObject;
}

export interface OverrideProblem {
  readonly override: string;
  readonly patch: string;
  /** JSON pointer; empty when the patch as a whole is wrong. */
  readonly path: string;
  readonly reason: string;
}

interface Failed {
  readonly ok: false;
  readonly problem: OverrideProblem;
  readonly steps: readonly OverrideStep[];
}

export type Overridden = { readonly ok: true; readonly object: JsonObject; readonly steps: readonly OverrideStep[] } | Failed;

export interface ChartAndValues {
  /** The whole HelmChart object. */
  readonly chart: JsonObject;
  /** `{}` where nothing overrides the chart's own. */
  readonly values: JsonObject;
}

export type OverriddenChart = (ChartAndValues & { readonly ok: true; readonly steps: readonly OverrideStep[] }) | Failed;

export type Override = Globalization | Localization;

export interface OverridesView {
  readonly globalizations: readonly Globalization[];
  /** Those of the cluster's namespace. */
  readonly localizations: readonly Localization[];
  /** The ManagedClusters of the namespace: normally one. */
  readonly clusters: readonly ManagedCluster[];
}

/** Globalizations whose affinity selects this cluster, then its Localizations; without those that are going; in order. */
export function overridesOfCluster({ globalizations, localizations, clusters }: OverridesView): readonly Override[] {
  const selected = globalizations.filter(
    ({ spec: { clusterAffinity } }) =>
      clusterAffinity === undefined || clusters.some(({ metadata }) => matchesSelector(clusterAffinity, metadata.labels)),
  );
  return orderOverrides([...selected, ...localizations].filter(({ metadata }) => metadata.deletionTimestamp === undefined));
}

/** The order in which overrides are applied; total, so that the same overrides always give the same result. */
export function orderOverrides(overrides: readonly Override[]): readonly Override[] {
  return overrides.toSorted(
    (a, b) =>
      stage(a) - stage(b) ||
      a.spec.priority - b.spec.priority ||
      compareText(a.metadata.creationTimestamp ?? "", b.metadata.creationTimestamp ?? "") ||
      compareText(a.metadata.namespace ?? "", b.metadata.namespace ?? "") ||
      compareText(a.metadata.name, b.metadata.name),
  );
}

/** An object of a generic feed. `overrides` in the order of orderOverrides. */
export function applyOverrides(object: JsonObject, overrides: readonly Override[]): Overridden {
  const result = applyAll({ object }, overrides, ({ overrideChart }) => (overrideChart === true ? "chart" : "object"));
  if (!result.ok) return result;
  return { ok: true, object: withoutSystemFields(result.targets.object ?? object), steps: result.steps };
}

/**
 * A HelmChart feed: patches work on the values, those with `overrideChart` on the HelmChart object. (Upstream lets a JSONPatch work on
 * the values even then, and drops a value called `status`; we do neither.) `overrides` in the order of orderOverrides.
 */
export function applyChartOverrides({ chart, values }: ChartAndValues, overrides: readonly Override[]): OverriddenChart {
  const result = applyAll({ chart, values }, overrides, ({ overrideChart }) => (overrideChart === true ? "chart" : "values"));
  if (!result.ok) return result;
  const { targets, steps } = result;
  return { ok: true, chart: withoutSystemFields(targets.chart ?? chart), values: targets.values ?? values, steps };
}

export function problemText({ override, patch, path, reason }: OverrideProblem, cluster: string): string {
  return `${override}, patch ${patch}, cluster ${cluster}: ${path === "" ? "" : `${path} `}${reason}`;
}

/** How messages and statuses name an override: `Globalization web`, `Localization paris/web`. */
export function overrideText({ kind, metadata }: Override): string {
  return metadata.namespace === undefined ? `${kind} ${metadata.name}` : `${kind} ${metadata.namespace}/${metadata.name}`;
}

type Targets = Readonly<Partial<Record<PatchTarget, JsonObject>>>;
type Applied = { readonly ok: true; readonly targets: Targets; readonly steps: readonly OverrideStep[] } | Failed;

const NOT_A_CHART = { outcome: "failed", path: "", reason: "overrideChart is for HelmChart feeds" } as const;

function applyAll(initial: Targets, overrides: readonly Override[], targetOf: (config: OverrideConfig) => PatchTarget): Applied {
  const steps: OverrideStep[] = [];
  let targets = initial;
  for (const override of overrides) {
    for (const [index, config] of (override.spec.overrides ?? []).entries()) {
      const named = { override: overrideText(override), patch: config.name ?? `#${String(index)}` };
      const target = targetOf(config);
      const before = targets[target];
      const result = before === undefined ? NOT_A_CHART : applyPatch({ object: before, target }, config);
      const after = result.outcome === "applied" ? result.object : before;
      const reason = result.outcome === "applied" ? {} : { reason: result.reason };
      const path = result.outcome === "failed" ? { path: result.path } : {};
      steps.push({
        ...named,
        type: config.type,
        target,
        outcome: result.outcome,
        ...reason,
        ...path,
        before: before ?? {},
        after: after ?? {},
      });
      if (result.outcome === "failed") {
        return { ok: false, steps, problem: { ...named, path: result.path, reason: result.reason } };
      }
      targets = { ...targets, [target]: after };
    }
  }
  return { ok: true, targets, steps };
}

/** What the child's API server decides; a template may come from a dry run and carry the parent's. */
function withoutSystemFields(object: JsonObject): JsonObject {
  const metadata = isJsonObject(object["metadata"]) ? object["metadata"] : {};
  const rest = Object.fromEntries(Object.entries(object).filter(([field]) => field !== "status"));
  return { ...rest, metadata: Object.fromEntries(Object.entries(metadata).filter(([key]) => !SYSTEM_METADATA.has(key))) };
}

const SYSTEM_METADATA = new Set([
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "managedFields",
  "selfLink",
]);

function stage({ kind }: Override): number {
  return kind === "Globalization" ? 0 : 1;
}
