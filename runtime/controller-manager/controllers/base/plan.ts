// Which Descriptions a Base needs, from its feeds and the overrides for its cluster; and what to say about it. Pure.
//
// All objects are in one Description (deployer Generic), all charts in another one (deployer Helm).

import { Base, type OverrideOutcome } from "#api/apps/v1alpha1/base.ts";
import { Description } from "#api/apps/v1alpha1/description.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { Globalization } from "#api/apps/v1alpha1/globalization.ts";
import type { Localization } from "#api/apps/v1alpha1/localization.ts";
import { annotations, conditionTypes, finalizers } from "#api/names.ts";
import { isChartFeed, type ResolvedFeed } from "#delivery/feeds.ts";
import { renderCharts, type ChartSpec } from "#delivery/helm/render-charts.ts";
import { descriptionLabels, descriptionName, helmDescriptionName } from "#delivery/names.ts";
import { isOfChart, overrideOutcomes, renderedWith } from "#delivery/override-report.ts";
import { orderOverrides, type Override } from "#delivery/overrides.ts";
import { withPolicy } from "#delivery/policy.ts";
import { overridesOfFeeds, render, renderTrigger, type RenderProblem } from "#delivery/render.ts";
import type { NewCondition } from "#kube/conditions.ts";
import { matchesSelector } from "#kube/selector.ts";
import { canonicalHash, deepEqual } from "#std/canonical-json.ts";

export interface BaseWorld {
  readonly feeds: readonly ResolvedFeed[];
  readonly globalizations: readonly Globalization[];
  /** Those of the Base's namespace. */
  readonly localizations: readonly Localization[];
  /** The ManagedClusters of the Base's namespace: normally one. */
  readonly clusters: readonly ManagedCluster[];
  /** The Descriptions that this Base has: of objects, and of charts. */
  readonly descriptions: { readonly generic: Description | undefined; readonly helm: Description | undefined };
}

export type DescriptionAction =
  | { readonly type: "create"; readonly description: Description; readonly reason: string }
  | { readonly type: "update"; readonly description: Description; readonly current: Description; readonly reason: string }
  | { readonly type: "delete"; readonly description: Description; readonly reason: string };

export interface BasePlan {
  readonly actions: readonly DescriptionAction[];
  /** undefined: nothing was rendered, what the status says still holds. */
  readonly problems: readonly RenderProblem[] | undefined;
  /** What was rendered with which overrides; like `problems`. */
  readonly overrides: readonly OverrideOutcome[] | undefined;
}

export function planDescriptions(base: Base, world: BaseWorld): BasePlan {
  const halves = [genericHalf(base, world), helmHalf(base, world)];
  if (halves.every(({ isCurrent }) => isCurrent) && isReported(base)) {
    return { actions: halves.flatMap((half) => policyChange(base, half)), problems: undefined, overrides: undefined };
  }
  const planned = halves.map((half) => planHalf(base, half));
  const problems = planned.flatMap((each) => each.problems);
  const overrides = halves.flatMap((half) => outcomesOf(base, half, problems));
  return { actions: planned.flatMap(({ action }) => action), problems, overrides };
}

/** Where nothing is rendered again, what was recorded still holds: an ApplyLater override that waits is not in it. */
function outcomesOf(base: Base, half: Half, problems: readonly RenderProblem[]): readonly OverrideOutcome[] {
  if (!half.isCurrent) return overrideOutcomes(half.overrides, problems);
  return (base.status?.overrides ?? []).filter((outcome) => isOfChart(outcome) === half.isOfCharts);
}

/** One of the two Descriptions. */
interface Half {
  readonly current: Description | undefined;
  readonly name: string;
  readonly isOfCharts: boolean;
  readonly overrides: readonly Override[];
  /** What it is rendered from, as a hash. */
  readonly trigger: string;
  /** It was rendered from just that, or is not needed and not there. */
  readonly isCurrent: boolean;
  /** No feed asks for it. */
  readonly isUnwanted: boolean;
  readonly render: () => { readonly spec: Description["spec"]; readonly problems: readonly RenderProblem[] };
}

function genericHalf(base: Base, world: BaseWorld): Half {
  const feeds = world.feeds.filter(({ feed }) => !isChartFeed(feed));
  const overrides = overridesFor(base, feeds, world);
  const current = world.descriptions.generic;
  const previous = current?.spec.raw ?? [];
  const trigger = renderTrigger({ feeds, overrides });
  // A Base that names nothing at all has an empty Description: that is what is delivered.
  const isUnwanted = feeds.length === 0 && world.feeds.length > 0;
  const isCurrent = isUnwanted ? current === undefined : isMarked(current, mark(trigger, previous));
  return {
    current,
    name: descriptionName(base.metadata.name),
    isOfCharts: false,
    overrides,
    trigger,
    isUnwanted,
    isCurrent,
    render: () => {
      const { raw, problems } = render({
        feeds,
        overrides: usedOverrides(base, overrides, isCurrent),
        previous,
        cluster: clusterName(base, world),
      });
      return { spec: { deployer: "Generic", raw }, problems };
    },
  };
}

function helmHalf(base: Base, world: BaseWorld): Half {
  const feeds = world.feeds.filter(({ feed }) => isChartFeed(feed));
  const overrides = overridesFor(base, feeds, world);
  const current = world.descriptions.helm;
  const previous = chartsOf(current?.spec);
  const trigger = renderTrigger({ feeds, overrides });
  const isUnwanted = feeds.length === 0;
  const isCurrent = isUnwanted ? current === undefined : isMarked(current, mark(trigger, previous));
  return {
    current,
    name: helmDescriptionName(base.metadata.name),
    isOfCharts: true,
    overrides,
    trigger,
    isUnwanted,
    isCurrent,
    render: () => {
      const { spec, problems } = renderCharts({
        feeds,
        overrides: usedOverrides(base, overrides, isCurrent),
        previous,
        cluster: clusterName(base, world),
      });
      return { spec: { deployer: "Helm", ...spec }, problems };
    },
  };
}

function planHalf(
  base: Base,
  half: Half,
): { readonly action: readonly DescriptionAction[]; readonly problems: readonly RenderProblem[] } {
  const { current, isCurrent, isUnwanted } = half;
  if (isUnwanted) {
    const reason = "no feed asks for it any more";
    return { action: current === undefined ? [] : [{ type: "delete", description: current, reason }], problems: [] };
  }
  const { spec, problems } = half.render();
  if (isCurrent) return { action: policyChange(base, half), problems };
  const description = describe(base, { ...half, spec });
  if (current !== undefined) {
    const isSame = deepEqual(renderedOf(current.spec), renderedOf(spec));
    const reason = isSame ? "inputs changed, result did not" : "templates, feeds or overrides changed";
    return { action: [{ type: "update", description, current, reason }], problems };
  }
  // Nothing to deliver yet, and a Description without objects would count as delivered.
  if ((spec.raw ?? []).length === 0 && problems.length > 0) return { action: [], problems };
  return { action: [{ type: "create", description, reason: "the Base has none" }], problems };
}

export function baseConditions(base: Base, problems: readonly RenderProblem[]): readonly NewCondition[] {
  const observedGeneration = base.metadata.generation ?? 0;
  const condition = (
    type: string,
    { found, good }: { found: readonly RenderProblem[]; good: [string, string] },
  ): NewCondition => {
    const [first] = found;
    return {
      type,
      status: first === undefined ? "True" : "False",
      reason: first?.reason ?? good[0],
      message: first === undefined ? good[1] : found.map(({ message }) => message).join("; "),
      observedGeneration,
    };
  };
  const ofFeeds = problems.filter(({ reason }) => reason.startsWith("Feed"));
  return [
    condition(conditionTypes.feedsResolved, { found: ofFeeds, good: ["FeedsFound", "Every feed was found and may be used"] }),
    condition(conditionTypes.rendered, {
      found: problems.filter((problem) => !ofFeeds.includes(problem)),
      good: ["Rendered", "Every feed was rendered with its overrides"],
    }),
  ];
}

/** Nothing is rendered for another policy: an override that waits goes on waiting. */
function policyChange(base: Base, half: Half): readonly DescriptionAction[] {
  const { current } = half;
  if (current === undefined || deepEqual(current.spec.delivery, base.spec.delivery)) return [];
  const { delivery: _old, ...spec } = current.spec;
  return [{ type: "update", description: describe(base, { ...half, spec }), current, reason: "delivery policy changed" }];
}

/** Globalizations whose affinity selects this cluster, then its Localizations; for these feeds; without those that are going. */
function overridesFor(
  base: Base,
  feeds: readonly ResolvedFeed[],
  { globalizations, localizations, clusters }: BaseWorld,
): readonly Override[] {
  const selected = globalizations.filter(
    ({ spec: { clusterAffinity } }) =>
      clusterAffinity === undefined || clusters.some(({ metadata }) => matchesSelector(clusterAffinity, metadata.labels)),
  );
  const own = localizations.filter(({ metadata }) => metadata.namespace === base.metadata.namespace);
  const live = [...selected, ...own].filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  return orderOverrides(overridesOfFeeds(feeds, live));
}

/** What is only looked at again is judged by what is in it. */
function usedOverrides(base: Base, overrides: readonly Override[], isCurrent: boolean): readonly Override[] {
  return isCurrent ? renderedWith(overrides, base.status?.overrides ?? []) : overrides;
}

function clusterName(base: Base, { clusters }: BaseWorld): string {
  return clusters[0]?.metadata.name ?? base.metadata.namespace ?? "";
}

function describe(
  base: Base,
  { name: ownName, spec, trigger }: { readonly name: string; readonly spec: Description["spec"]; readonly trigger: string },
): Description {
  const { name, namespace = "", uid = "" } = base.metadata;
  const { apiVersion, kind } = Base;
  return {
    apiVersion: Description.apiVersion,
    kind: Description.kind,
    metadata: {
      namespace,
      name: ownName,
      labels: descriptionLabels(base),
      annotations: { [annotations.renderedFrom]: mark(trigger, renderedOf(spec)) },
      finalizers: [finalizers.apps],
      ownerReferences: [{ apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true }],
    },
    spec: { ...spec, ...withPolicy(base.spec.delivery) },
  };
}

/** What was rendered, without who delivers it. */
function renderedOf(spec: Description["spec"]): unknown {
  return spec.deployer === "Helm" ? chartsOf(spec) : (spec.raw ?? []);
}

function chartsOf(spec: Description["spec"] | undefined): ChartSpec {
  return { charts: spec?.charts ?? [], raw: spec?.raw ?? [], chartRaw: spec?.chartRaw ?? [] };
}

function isMarked(description: Description | undefined, expected: string): boolean {
  return description?.metadata.annotations?.[annotations.renderedFrom] === expected;
}

/** With the result in it, so that an edit of the Description by hand is noticed too. */
function mark(trigger: string, rendered: unknown): string {
  return `${trigger}.${canonicalHash(rendered)}`;
}

export function isReported({ metadata, status }: Base): boolean {
  return status?.observedGeneration === metadata.generation;
}
