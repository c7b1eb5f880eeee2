// What the pods of a Subscription's feeds need, looked up in the templates: what is taken along to which cluster, and what is said about
// the rest. follow.ts decides.

import type { Base } from "#api/apps/v1alpha1/base.ts";
import { feedKey, type Feed } from "#api/apps/v1alpha1/feed.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { warningEventReasons } from "#api/event-reasons.ts";
import { parseKey } from "#api/meta.ts";
import { conditionTypes, labels } from "#api/names.ts";
import type { DeliveryDeps } from "#controller-manager/deps.ts";
import { by, feedCandidates, referenceKeys } from "#controller-manager/informers.ts";
import { dependenciesOf, mayNeed } from "#delivery/dependencies.ts";
import { namesFeed, resolveFeed, type FoundFeed, type ResolvedFeed } from "#delivery/feeds.ts";
import {
  findDependencies,
  followedIn,
  missingIn,
  missingText,
  type ClusterDependencies,
  type Dependencies,
  type MissingSomewhere,
} from "#delivery/follow.ts";
import { renderedWith } from "#delivery/override-report.ts";
import { applyOverrides, overridesOfCluster, overrideText, type Override } from "#delivery/overrides.ts";
import { policyOf } from "#delivery/policy.ts";
import { ServiceAccount } from "#kube/builtin-kinds.ts";
import { findCondition, isConditionTrue, setCondition, type NewCondition } from "#kube/conditions.ts";
import { keyTextOf } from "#kube/object.ts";
import { patchStatusIfChanged } from "#kube/write-if-changed.ts";

export interface DependencyDeps extends DeliveryDeps {
  readonly crossNamespaceFeeds: boolean;
}

/** Who has to look again when a template comes, changes or goes. Filled as Subscriptions are looked at, all of them after a start. */
export class Dependents {
  readonly #subscriptions = new Map<string, Set<string>>();
  readonly #needed = new Map<string, readonly string[]>();

  /** `key`: of the Subscription. */
  note(key: string, needed: readonly Feed[]): void {
    for (const feed of this.#needed.get(key) ?? []) {
      const others = this.#subscriptions.get(feed);
      others?.delete(key);
      if (others?.size === 0) this.#subscriptions.delete(feed);
    }
    const keys = [...new Set(needed.map(feedKey))];
    if (keys.length === 0) this.#needed.delete(key);
    else this.#needed.set(key, keys);
    for (const feed of keys) this.#subscriptions.set(feed, (this.#subscriptions.get(feed) ?? new Set()).add(key));
  }

  of(feedKeys: readonly string[]): readonly string[] {
    return [...new Set(feedKeys.flatMap((key) => [...(this.#subscriptions.get(key) ?? [])]))];
  }
}

/** What each cluster of a Subscription needs: its overrides may name something else. */
export interface SubscriptionDependencies {
  /** `current`: its Base, if it has one. */
  of(namespace: string, current: Base | undefined): Dependencies;
  /** By any of the clusters that the Subscription is bound to, or would be by any without overrides. */
  readonly needed: readonly Feed[];
  readonly missing: readonly MissingSomewhere[];
  readonly clusterCount: number;
}

export function dependenciesOfFeeds(
  subscription: Subscription,
  { bases, deps }: { readonly bases: readonly Base[]; readonly deps: DependencyDeps },
): SubscriptionDependencies {
  const { spec, metadata, status } = subscription;
  const { informers, crossNamespaceFeeds } = deps;
  const mode = policyOf(spec).dependencies;
  const rules = { subscriptionNamespace: metadata.namespace ?? "", crossNamespaceFeeds };
  const resolve = (feed: Feed): ResolvedFeed => resolveFeed(feed, feedCandidates(feed, informers), rules);
  const plain = findDependencies(spec.feeds, { mode, resolve, needsOf: ({ template }) => dependenciesOf(template) });
  const overrides = mode === "Ignore" ? undefined : relevantOverrides(subscription, deps);
  const of = (namespace: string, current: Base | undefined): Dependencies => {
    const here = overrides?.(namespace, current) ?? [];
    if (here.length === 0) return plain;
    return findDependencies(spec.feeds, { mode, resolve, needsOf: (found) => needsWith(found, here) });
  };
  const baseOf = new Map(bases.map((base) => [base.metadata.namespace ?? "", base]));
  const othersAt = new Map<string, ReadonlySet<string>>();
  const clusters = (mode === "Ignore" ? [] : (status?.bindingClusters ?? [])).map((binding): ClusterDependencies => {
    const { namespace = "", name } = parseKey(binding);
    const isOthers = (feed: Feed): boolean => {
      const key = feedKey(feed);
      const namespaces = othersAt.get(key) ?? deliveredByOthers(feed, subscription, deps);
      othersAt.set(key, namespaces);
      return namespaces.has(namespace);
    };
    return { name, dependencies: of(namespace, baseOf.get(namespace)), isOthers };
  });
  const needed = [plain, ...new Set(clusters.map(({ dependencies }) => dependencies))].flatMap((each) => each.needed);
  return { of, needed, missing: missingIn(clusters), clusterCount: clusters.length };
}

/** Of a cluster, in order: those that can change what is needed, and are in what it gets now. */
function relevantOverrides(
  { spec: { feeds } }: Subscription,
  { informers }: DependencyDeps,
): (namespace: string, current: Base | undefined) => readonly Override[] {
  const concerns = (feed: Feed): boolean => feeds.some((each) => namesFeed(feed, each) || namesFeed(each, feed));
  // A ServiceAccount may be taken along, so it is perhaps not among the feeds.
  const isRelevant = ({ spec: { feed } }: Override): boolean =>
    mayNeed(feed) && (feed.kind === ServiceAccount.kind || concerns(feed));
  const globalizations = informers.globalizations.list().filter(isRelevant);
  return (namespace, current) => {
    const localizations = informers.localizations.byIndex(by.namespace, namespace).filter(isRelevant);
    if (globalizations.length + localizations.length === 0) return [];
    const clusters = informers.managedClusters.byIndex(by.namespace, namespace);
    const all = overridesOfCluster({ globalizations, localizations, clusters });
    // One that waits (ApplyLater) is not in what the cluster has.
    if (current === undefined || all.every(isAppliedNow)) return all;
    const rendered = new Set(renderedWith(all, current.status?.overrides ?? []));
    return all.filter((override) => isAppliedNow(override) || rendered.has(override));
  };
}

function isAppliedNow({ spec }: Override): boolean {
  return spec.overridePolicy === "ApplyNow";
}

/** By template, then by the versions of the overrides: a thousand clusters with the same ones are looked at once. */
const needsKnown = new WeakMap<object, Map<string, readonly Feed[] | undefined>>();
const NEEDS_KNOWN_MAX = 10_000;

function needsWith({ template, identity }: FoundFeed, overrides: readonly Override[]): readonly Feed[] | undefined {
  const own = overrides.filter(({ spec }) => namesFeed(spec.feed, identity));
  const version = own
    .map((each) => `${overrideText(each)} ${each.metadata.uid ?? ""} ${each.metadata.resourceVersion ?? ""}`)
    .join();
  const known = needsKnown.get(template) ?? new Map<string, readonly Feed[] | undefined>();
  needsKnown.set(template, known);
  if (known.has(version)) return known.get(version);
  const overridden = applyOverrides(template, own);
  const needs = overridden.ok ? dependenciesOf(overridden.object) : undefined;
  if (known.size >= NEEDS_KNOWN_MAX) known.clear();
  known.set(version, needs);
  return needs;
}

/** Namespaces of the clusters to which another Subscription delivers it, or is about to. */
function deliveredByOthers(
  feed: Feed,
  { metadata: { uid } }: Subscription,
  { informers: { bases, subscriptions } }: DependencyDeps,
): ReadonlySet<string> {
  const keys = referenceKeys(feed);
  const delivered = keys
    .flatMap((key) => bases.byIndex(by.feed, key))
    .filter(({ metadata }) => metadata.labels?.[labels.subscriptionUid] !== uid)
    .map(({ metadata }) => metadata.namespace ?? "");
  const scheduled = keys
    .flatMap((key) => subscriptions.byIndex(by.feed, key))
    .filter(({ metadata }) => metadata.uid !== uid && metadata.deletionTimestamp === undefined)
    .flatMap(({ status }) => (status?.bindingClusters ?? []).map((binding) => parseKey(binding).namespace ?? ""));
  return new Set([...delivered, ...scheduled]);
}

/** What one cluster gets besides the feeds. */
export function followedFeeds(
  subscription: Subscription,
  dependencies: SubscriptionDependencies,
  { informers }: DependencyDeps,
): (namespace: string, current: Base | undefined) => readonly Feed[] {
  const { spec, metadata } = subscription;
  if (policyOf(spec).dependencies !== "Follow") return () => [];
  return (namespace, current) => {
    const has = new Set((current?.spec.feeds ?? []).map(feedKey));
    const isTaken = (feed: Feed): boolean =>
      referenceKeys(feed)
        .flatMap((key) => informers.bases.byIndex(by.feed, key))
        .filter((base) => base.metadata.namespace === namespace && base.metadata.deletionTimestamp === undefined)
        .filter((base) => base.metadata.labels?.[labels.subscriptionUid] !== metadata.uid)
        .some((base) => isFirst(base) || !has.has(feedKey(feed)) || isFed(base, feed));
    // Two that took it along at once would be in each other's way: one of them gives in.
    const isFirst = (base: Base): boolean => (base.metadata.uid ?? "") < (current?.metadata.uid ?? "");
    const here = dependencies.of(namespace, current);
    return followedIn({ dependencies: here, feeds: spec.feeds, current: current?.spec.feeds ?? [], isTaken });
  };

  /** Its Subscription names it; it is not only taken along. */
  function isFed({ metadata: { labels: own = {} } }: Base, feed: Feed): boolean {
    const owners = informers.subscriptions.byIndex(by.uid, own[labels.subscriptionUid] ?? "");
    return owners.some((owner) => owner.spec.feeds.some((each) => referenceKeys(feed).includes(feedKey(each))));
  }
}

/** A Subscription of which nothing ever was missing has no such condition. */
export async function sayDependencies(
  subscription: Subscription,
  { dependencies, deps }: { readonly dependencies: SubscriptionDependencies; readonly deps: DeliveryDeps },
  signal: AbortSignal,
): Promise<void> {
  const { client, events, clock, log } = deps;
  const { missing, clusterCount } = dependencies;
  const type = conditionTypes.dependenciesMissing;
  const { conditions } = subscription.status ?? {};
  if (missing.length === 0 && !isConditionTrue(conditions, type)) return;
  // The scheduler speaks first.
  if (subscription.status?.bindingClusters === undefined) return;
  const observedGeneration = subscription.metadata.generation ?? 0;
  const condition: NewCondition =
    missing.length === 0
      ? { type, status: "False", reason: "NothingMissing", message: "Somebody delivers all that is needed", observedGeneration }
      : { type, status: "True", reason: "NotDelivered", message: missingText(missing, clusterCount), observedGeneration };
  const known = findCondition(conditions, type);
  const status = { conditions: setCondition(conditions, condition, clock.now()) };
  await patchStatusIfChanged(client, { type: Subscription, object: subscription, status }, signal);
  if (missing.length === 0 || known?.message === condition.message) return;
  log.info("dependencies.missing", { subscription: keyTextOf(subscription), missing: missing.length });
  events.record(subscription, { type: "Warning", reason: warningEventReasons.dependenciesMissing, message: condition.message });
}
