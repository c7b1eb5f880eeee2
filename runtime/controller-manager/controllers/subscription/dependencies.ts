// What the pods of a Subscription's feeds need, looked up in the templates: what is taken along to which cluster, and what is said about
// the rest. follow.ts decides.

import type { Base } from "#api/apps/v1alpha1/base.ts";
import { feedKey, type Feed } from "#api/apps/v1alpha1/feed.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { warningEventReasons } from "#api/event-reasons.ts";
import { conditionTypes, labels } from "#api/names.ts";
import type { DeliveryDeps } from "#controller-manager/deps.ts";
import { by, feedCandidates, referenceKeys } from "#controller-manager/informers.ts";
import { resolveFeed } from "#delivery/feeds.ts";
import { findDependencies, followedIn, missingText, type Dependencies } from "#delivery/follow.ts";
import { policyOf } from "#delivery/policy.ts";
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
    const keys = needed.map(feedKey);
    if (keys.length === 0) this.#needed.delete(key);
    else this.#needed.set(key, keys);
    for (const feed of keys) this.#subscriptions.set(feed, (this.#subscriptions.get(feed) ?? new Set()).add(key));
  }

  of(feedKeys: readonly string[]): readonly string[] {
    return [...new Set(feedKeys.flatMap((key) => [...(this.#subscriptions.get(key) ?? [])]))];
  }
}

export function dependenciesOfFeeds(
  { spec, metadata }: Subscription,
  { informers, crossNamespaceFeeds }: DependencyDeps,
): Dependencies {
  const rules = { subscriptionNamespace: metadata.namespace ?? "", crossNamespaceFeeds };
  return findDependencies(spec.feeds, {
    mode: policyOf(spec).dependencies,
    resolve: (feed) => resolveFeed(feed, feedCandidates(feed, informers), rules),
    isOthers: (feed) =>
      referenceKeys(feed)
        .flatMap((key) => informers.bases.byIndex(by.feed, key))
        .some((base) => base.metadata.labels?.[labels.subscriptionUid] !== metadata.uid),
  });
}

/** What one cluster gets besides the feeds. */
export function followedFeeds(
  subscription: Subscription,
  dependencies: Dependencies,
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
    return followedIn({ dependencies, feeds: spec.feeds, current: current?.spec.feeds ?? [], isTaken });
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
  { missing, deps }: { readonly missing: Dependencies["missing"]; readonly deps: DeliveryDeps },
  signal: AbortSignal,
): Promise<void> {
  const { client, events, clock, log } = deps;
  const type = conditionTypes.dependenciesMissing;
  const { conditions } = subscription.status ?? {};
  if (missing.length === 0 && !isConditionTrue(conditions, type)) return;
  // The scheduler speaks first.
  if (subscription.status?.bindingClusters === undefined) return;
  const observedGeneration = subscription.metadata.generation ?? 0;
  const condition: NewCondition =
    missing.length === 0
      ? { type, status: "False", reason: "NothingMissing", message: "Somebody delivers all that is needed", observedGeneration }
      : { type, status: "True", reason: "NotDelivered", message: missingText(missing), observedGeneration };
  const known = findCondition(conditions, type);
  const status = { conditions: setCondition(conditions, condition, clock.now()) };
  await patchStatusIfChanged(client, { type: Subscription, object: subscription, status }, signal);
  if (missing.length === 0 || known?.message === condition.message) return;
  log.info("dependencies.missing", { subscription: keyTextOf(subscription), missing: missing.length });
  events.record(subscription, { type: "Warning", reason: warningEventReasons.dependenciesMissing, message: condition.message });
}
