// Which Descriptions a Base needs, from its feeds and the overrides for its cluster; and what to say about it. Pure.
//
// All objects are in one Description (deployer Generic), or several when they are too large for one; all charts are in another one
// (deployer Helm).

import { Base, type OverrideOutcome } from "#api/apps/v1alpha1/base.ts";
import { Description } from "#api/apps/v1alpha1/description.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { Globalization } from "#api/apps/v1alpha1/globalization.ts";
import type { Localization } from "#api/apps/v1alpha1/localization.ts";
import { annotations, conditionTypes, finalizers } from "#api/names.ts";
import { isChartFeed, type ResolvedFeed } from "#delivery/feeds.ts";
import { renderCharts, type ChartSpec } from "#delivery/helm/render-charts.ts";
import { descriptionLabels, descriptionName, helmDescriptionName, partNumberOf } from "#delivery/names.ts";
import { isOfChart, overrideOutcomes, renderedWith } from "#delivery/override-report.ts";
import { overridesOfCluster, type Override } from "#delivery/overrides.ts";
import { withPolicy } from "#delivery/policy.ts";
import { overridesOfFeeds, render, renderTrigger, type RenderProblem } from "#delivery/render.ts";
import type { NewCondition } from "#kube/conditions.ts";
import { splitDescribed, type DescribedPart } from "./split-described.ts";
import { canonicalHash, deepEqual } from "#std/canonical-json.ts";

export interface BaseWorld {
  readonly feeds: readonly ResolvedFeed[];
  readonly globalizations: readonly Globalization[];
  /** Those of the Base's namespace. */
  readonly localizations: readonly Localization[];
  /** The ManagedClusters of the Base's namespace: normally one. */
  readonly clusters: readonly ManagedCluster[];
  /** The Descriptions that this Base has: of objects, and of charts. */
  readonly descriptions: { readonly generic: readonly Description[]; readonly helm: Description | undefined };
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
  return { actions: planned.flatMap(({ actions }) => actions), problems, overrides };
}

/** Where nothing is rendered again, what was recorded still holds: an ApplyLater override that waits is not in it. */
function outcomesOf(base: Base, half: Half, problems: readonly RenderProblem[]): readonly OverrideOutcome[] {
  if (!half.isCurrent) return overrideOutcomes(half.overrides, problems);
  return (base.status?.overrides ?? []).filter((outcome) => isOfChart(outcome) === half.isOfCharts);
}

/** The Descriptions of one deployer. */
interface Half {
  /** Ascending by part; those that are not going away. */
  readonly current: readonly Description[];
  readonly isOfCharts: boolean;
  readonly overrides: readonly Override[];
  /** What it is rendered from, as a hash. */
  readonly trigger: string;
  /** It was rendered from just that, or is not needed and not there. */
  readonly isCurrent: boolean;
  /** No feed asks for it. */
  readonly isUnwanted: boolean;
  /** In the order in which they are to be written. */
  readonly render: () => { readonly parts: readonly DescribedPart[]; readonly problems: readonly RenderProblem[] };
}

function genericHalf(base: Base, world: BaseWorld): Half {
  const feeds = world.feeds.filter(({ feed }) => !isChartFeed(feed));
  const overrides = overridesFor(base, feeds, world);
  const first = descriptionName(base.metadata.name);
  const known = world.descriptions.generic.toSorted((a, b) => partNumberOf(a) - partNumberOf(b));
  // Like any other the first one is made again when it is gone; a further one is on its way out for good.
  const current = known.filter((part) => isLive(part) || part.metadata.name === first);
  const taken = new Set(known.filter((part) => !current.includes(part)).map(partNumberOf));
  const { shares = [] } = base.spec;
  const trigger = renderTrigger({ feeds, overrides, shares });
  // A Base that names nothing at all has an empty Description: that is what is delivered.
  const isUnwanted = feeds.length === 0 && world.feeds.length > 0;
  const isCurrent = isUnwanted ? current.length === 0 : areMarked(current, { first, trigger });
  return {
    current,
    isOfCharts: false,
    overrides,
    trigger,
    isUnwanted,
    isCurrent,
    render: () => {
      const { objects, problems } = render({
        feeds,
        overrides: usedOverrides(base, overrides, isCurrent),
        shares,
        previous: current.flatMap(({ spec }) => spec.raw ?? []),
        cluster: clusterName(base, world),
      });
      return { parts: splitDescribed(objects, { first, current, taken }), problems };
    },
  };
}

function helmHalf(base: Base, world: BaseWorld): Half {
  const feeds = world.feeds.filter(({ feed }) => isChartFeed(feed));
  const overrides = overridesFor(base, feeds, world);
  const current = world.descriptions.helm === undefined ? [] : [world.descriptions.helm];
  const name = helmDescriptionName(base.metadata.name);
  const trigger = renderTrigger({ feeds, overrides });
  const isUnwanted = feeds.length === 0;
  const isCurrent = isUnwanted ? current.length === 0 : areMarked(current, { first: name, trigger });
  return {
    current,
    isOfCharts: true,
    overrides,
    trigger,
    isUnwanted,
    isCurrent,
    render: () => {
      const { spec, problems } = renderCharts({
        feeds,
        overrides: usedOverrides(base, overrides, isCurrent),
        previous: chartsOf(current[0]?.spec),
        cluster: clusterName(base, world),
      });
      return { parts: [{ name, number: 0, spec: { deployer: "Helm", ...spec } }], problems };
    },
  };
}

function planHalf(
  base: Base,
  half: Half,
): { readonly actions: readonly DescriptionAction[]; readonly problems: readonly RenderProblem[] } {
  const { current, isCurrent, isUnwanted, trigger } = half;
  const remove = (reason: string): ((description: Description) => DescriptionAction) => {
    return (description) => ({ type: "delete", description, reason });
  };
  if (isUnwanted) return { actions: current.map(remove("no feed asks for it any more")), problems: [] };
  const { parts, problems } = half.render();
  if (isCurrent) return { actions: policyChange(base, half), problems };
  // Nothing to deliver yet, and a Description without objects would count as delivered.
  const isEmpty = parts.every(({ spec }) => (spec.raw ?? []).length === 0);
  if (current.length === 0 && isEmpty && problems.length > 0) return { actions: [], problems };
  // Objects must not move while the part whose mark they carry is on its way out: it is made again first.
  const [first] = current;
  if (first !== undefined && !isLive(first) && parts.length + current.length > 2) return { actions: [], problems };
  const renderedFrom = mark(
    trigger,
    parts.toSorted((a, b) => a.number - b.number).map(({ spec }) => spec),
  );
  const writes = parts.map((part) => planPart(base, { ...part, renderedFrom }, current));
  const names = new Set(parts.map(({ name }) => name));
  const obsolete = current.filter(({ metadata }) => !names.has(metadata.name)).map(remove("its objects are in other parts"));
  return { actions: [...writes, ...obsolete], problems };
}

function planPart(base: Base, part: Described, currents: readonly Description[]): DescriptionAction {
  const description = describe(base, part);
  const current = currents.find(({ metadata }) => metadata.name === part.name);
  if (current === undefined) {
    const reason = part.number === 0 ? "the Base has none" : "the objects are too large for one";
    return { type: "create", description, reason };
  }
  const isSame = deepEqual(renderedOf(current.spec), renderedOf(part.spec));
  const reason = isSame ? "inputs changed, result did not" : "templates, feeds, overrides or replicas changed";
  return { type: "update", description, current, reason };
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
function policyChange(base: Base, { current, trigger }: Half): readonly DescriptionAction[] {
  const changed = current.filter(({ spec }) => !deepEqual(spec.delivery, base.spec.delivery));
  if (changed.length === 0) return [];
  const renderedFrom = mark(
    trigger,
    current.map(({ spec }) => spec),
  );
  return changed.map((each) => {
    const { delivery: _old, ...spec } = each.spec;
    const part = { name: each.metadata.name, number: partNumberOf(each), spec, renderedFrom };
    return { type: "update", description: describe(base, part), current: each, reason: "delivery policy changed" };
  });
}

/** For these feeds. */
function overridesFor(base: Base, feeds: readonly ResolvedFeed[], world: BaseWorld): readonly Override[] {
  const localizations = world.localizations.filter(({ metadata }) => metadata.namespace === base.metadata.namespace);
  return overridesOfFeeds(feeds, overridesOfCluster({ ...world, localizations }));
}

/** What is only looked at again is judged by what is in it. */
function usedOverrides(base: Base, overrides: readonly Override[], isCurrent: boolean): readonly Override[] {
  return isCurrent ? renderedWith(overrides, base.status?.overrides ?? []) : overrides;
}

function clusterName(base: Base, { clusters }: BaseWorld): string {
  return clusters[0]?.metadata.name ?? base.metadata.namespace ?? "";
}

type Described = DescribedPart & { readonly renderedFrom: string };

function describe(base: Base, { name: ownName, number, spec, renderedFrom }: Described): Description {
  const { name, namespace = "", uid = "" } = base.metadata;
  const { apiVersion, kind } = Base;
  const first = descriptionName(name);
  return {
    apiVersion: Description.apiVersion,
    kind: Description.kind,
    metadata: {
      namespace,
      name: ownName,
      labels: descriptionLabels(base),
      annotations: { [annotations.renderedFrom]: renderedFrom, ...(number === 0 ? {} : { [annotations.partOf]: first }) },
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

/** All of them are there, and every one says so: a part that somebody deleted is noticed by the marks of the others. */
function areMarked(
  descriptions: readonly Description[],
  { first, trigger }: { readonly first: string; readonly trigger: string },
): boolean {
  if (descriptions[0]?.metadata.name !== first) return false;
  const expected = mark(
    trigger,
    descriptions.map(({ spec }) => spec),
  );
  return descriptions.every(({ metadata }) => metadata.annotations?.[annotations.renderedFrom] === expected);
}

/** With the result in it, so that an edit of a Description by hand is noticed too. */
function mark(trigger: string, specs: readonly Description["spec"][]): string {
  const [first, ...more] = specs.map(renderedOf);
  return `${trigger}.${canonicalHash(more.length === 0 ? first : [first, ...more])}`;
}

function isLive({ metadata }: Description): boolean {
  return metadata.deletionTimestamp === undefined;
}

function isReported({ metadata, status }: Base): boolean {
  return status?.observedGeneration === metadata.generation;
}
