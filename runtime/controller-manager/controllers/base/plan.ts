// Which Description a Base needs, from its feeds and the overrides for its cluster; and what to say about it. Pure.

import { Base } from "#api/apps/v1alpha1/base.ts";
import { Description } from "#api/apps/v1alpha1/description.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { Globalization } from "#api/apps/v1alpha1/globalization.ts";
import type { Localization } from "#api/apps/v1alpha1/localization.ts";
import { annotations, conditionTypes, finalizers } from "#api/names.ts";
import type { ResolvedFeed } from "#delivery/feeds.ts";
import { descriptionLabels, descriptionName } from "#delivery/names.ts";
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
  /** The Description that this Base has. */
  readonly description: Description | undefined;
}

export type DescriptionAction =
  | { readonly type: "none" }
  | { readonly type: "create"; readonly description: Description; readonly reason: string }
  | { readonly type: "update"; readonly description: Description; readonly current: Description; readonly reason: string };

export interface BasePlan {
  readonly action: DescriptionAction;
  /** undefined: nothing was rendered, what the status says still holds. */
  readonly problems: readonly RenderProblem[] | undefined;
}

export function planDescription(base: Base, world: BaseWorld): BasePlan {
  const { feeds, description } = world;
  const overrides = overridesFor(base, world);
  const trigger = renderTrigger({ feeds, overrides });
  const previous = description?.spec.raw ?? [];
  const isCurrent = description?.metadata.annotations?.[annotations.renderedFrom] === mark(trigger, previous);
  if (isCurrent && !deepEqual(description.spec.delivery, base.spec.delivery)) {
    // Nothing is rendered for it: an override that waits goes on waiting.
    const same = describe(base, { raw: previous, trigger });
    const action = { type: "update", description: same, current: description, reason: "delivery policy changed" } as const;
    return { action, problems: undefined };
  }
  if (isCurrent && isReported(base)) return { action: { type: "none" }, problems: undefined };

  const cluster = world.clusters[0]?.metadata.name ?? base.metadata.namespace ?? "";
  const { raw, problems } = render({ feeds, overrides, previous, cluster });
  if (isCurrent) return { action: { type: "none" }, problems };
  const wanted = describe(base, { raw, trigger });
  if (description !== undefined) {
    const reason = sameList(previous, raw) ? "inputs changed, result did not" : "templates, feeds or overrides changed";
    return { action: { type: "update", description: wanted, current: description, reason }, problems };
  }
  // Nothing to deliver yet, and a Description without objects would count as delivered.
  if (raw.length === 0 && problems.length > 0) return { action: { type: "none" }, problems };
  return { action: { type: "create", description: wanted, reason: "the Base has none" }, problems };
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

/** Globalizations whose affinity selects this cluster, then its Localizations; for these feeds; without those that are going. */
function overridesFor(base: Base, { feeds, globalizations, localizations, clusters }: BaseWorld): readonly Override[] {
  const selected = globalizations.filter(
    ({ spec: { clusterAffinity } }) =>
      clusterAffinity === undefined || clusters.some(({ metadata }) => matchesSelector(clusterAffinity, metadata.labels)),
  );
  const own = localizations.filter(({ metadata }) => metadata.namespace === base.metadata.namespace);
  const live = [...selected, ...own].filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  return orderOverrides(overridesOfFeeds(feeds, live));
}

function describe(base: Base, { raw, trigger }: { readonly raw: readonly string[]; readonly trigger: string }): Description {
  const { name, namespace = "", uid = "" } = base.metadata;
  const { apiVersion, kind } = Base;
  return {
    apiVersion: Description.apiVersion,
    kind: Description.kind,
    metadata: {
      namespace,
      name: descriptionName(name),
      labels: descriptionLabels(base),
      annotations: { [annotations.renderedFrom]: mark(trigger, raw) },
      finalizers: [finalizers.apps],
      ownerReferences: [{ apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true }],
    },
    spec: { deployer: "Generic", raw, ...withPolicy(base.spec.delivery) },
  };
}

/** With the result in it, so that an edit of the Description by hand is noticed too. */
function mark(trigger: string, raw: readonly string[]): string {
  return `${trigger}.${canonicalHash(raw)}`;
}

function isReported({ metadata, status }: Base): boolean {
  return status?.observedGeneration === metadata.generation;
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
