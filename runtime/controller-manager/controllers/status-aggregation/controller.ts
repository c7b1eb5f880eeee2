// Description statuses -> Subscription status, batched: many clusters report, one write follows.

import type { Base } from "#api/apps/v1alpha1/base.ts";
import type { Description } from "#api/apps/v1alpha1/description.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { conditionTypes, labels } from "#api/names.ts";
import type { DeliveryDeps } from "#controller-manager/deps.ts";
import { changesBeyondStatus } from "#controller-manager/changes.ts";
import { chartFeedKeys, isChartFeed, manifestFeedKeys, resolveFeed, type ResolvedFeed } from "#delivery/feeds.ts";
import type { InterpreterRegistry } from "#controller-manager/interpreters.ts";
import { by, feedCandidates } from "#controller-manager/informers.ts";
import { baseName, descriptionName, helmDescriptionName, partNumberOf } from "#delivery/names.ts";
import type { KubeObject } from "#api/meta.ts";
import { findCondition } from "#kube/conditions.ts";
import { after, createController, done, ownKey, source, type Controller, type Result } from "#kube/controller.ts";
import type { Informer } from "#kube/informer.ts";
import { keyTextOf } from "#kube/object.ts";
import { patchStatusIfChanged } from "#kube/write-if-changed.ts";
import { aggregate, type ClusterReport } from "./plan.ts";

/** A Subscription's status is written at most this often: its size grows with the clusters, so its writes must not. */
const WRITE_INTERVAL_MS = 500;

export interface StatusAggregationDeps extends DeliveryDeps {
  readonly crossNamespaceFeeds: boolean;
  readonly interpreters: InterpreterRegistry;
}

export function statusAggregationController(deps: StatusAggregationDeps): Controller {
  const { client, informers, clock, crossNamespaceFeeds, interpreters } = deps;
  const { subscriptions, bases, descriptions, manifests, managedClusters } = informers;
  const writtenAt = new Map<string, number>();

  const subscriptionOf = ({ metadata }: KubeObject): readonly string[] => {
    const uid = metadata.labels?.[labels.subscriptionUid];
    return uid === undefined ? [] : subscriptions.byIndex(by.uid, uid).map(keyTextOf);
  };

  async function reconcile(key: string, signal: AbortSignal): Promise<Result> {
    const subscription = subscriptions.get(key);
    if (subscription === undefined) {
      writtenAt.delete(key);
      return done;
    }
    // The scheduler speaks first: a word before would only make its own a conflict.
    if (!isScheduled(subscription)) return done;
    const waitMs = (writtenAt.get(key) ?? -WRITE_INTERVAL_MS) + WRITE_INTERVAL_MS - clock.monotonic();
    if (waitMs > 0) return after(waitMs);
    const known = { feeds: feedsOf(subscription), reports: reportsOf(subscription), interpreters: interpreters.current() };
    const status = aggregate(subscription, known, clock.now());
    const written = await patchStatusIfChanged(client, { type: Subscription, object: subscription, status }, signal);
    if (written !== subscription) writtenAt.set(key, clock.monotonic());
    return done;
  }

  function feedsOf({ spec, metadata: { namespace = "" } }: Subscription): readonly ResolvedFeed[] {
    const rules = { subscriptionNamespace: namespace, crossNamespaceFeeds };
    return spec.feeds.map((feed) => resolveFeed(feed, feedCandidates(feed, informers), rules));
  }

  function reportsOf(subscription: Subscription): readonly ClusterReport[] {
    const own = bases.byIndex(by.subscription, subscription.metadata.uid ?? "");
    const name = baseName(subscription.metadata);
    return (subscription.status?.bindingClusters ?? []).map((binding) => {
      const namespace = binding.split("/", 1)[0] ?? "";
      const base = bases.get(`${namespace}/${name}`) ?? own.find(({ metadata }) => metadata.namespace === namespace);
      return {
        binding,
        cluster: managedClusters.get(binding),
        base,
        descriptions: descriptionsOf(subscription, base, descriptions),
      };
    });
  }

  return createController({
    ...deps,
    name: "status-aggregation",
    sources: [
      source(subscriptions, ownKey),
      source(bases, subscriptionOf),
      source(descriptions, subscriptionOf),
      // Not for its heartbeats, but a status without the clusters' ids must not be written because they are not cached yet.
      source(managedClusters, (cluster, change) =>
        change.type === "updated" ? [] : subscriptions.byIndex(by.binding, keyTextOf(cluster)).map(keyTextOf),
      ),
      source(informers.helmCharts, (chart) =>
        chartFeedKeys(chart).flatMap((key) => subscriptions.byIndex(by.feed, key).map(keyTextOf)),
      ),
      source(manifests, (manifest, change) =>
        changesBeyondStatus(change)
          ? manifestFeedKeys(manifest).flatMap((key) => subscriptions.byIndex(by.feed, key).map(keyTextOf))
          : [],
      ),
      source(interpreters.informer, () => subscriptions.list().map(keyTextOf)),
    ],
    reconcile,
  });
}

/** Another scheduler than ours writes no condition. */
function isScheduled({ status }: Subscription): boolean {
  return status?.bindingClusters !== undefined || findCondition(status?.conditions, conditionTypes.scheduled) !== undefined;
}

/** Those that the feeds ask for, whether they are there or not. */
function descriptionsOf(
  { spec }: Subscription,
  base: Base | undefined,
  descriptions: Informer<Description>,
): ClusterReport["descriptions"] {
  if (base === undefined) return [];
  const { name, namespace = "", uid = "" } = base.metadata;
  const charts = spec.feeds.filter(isChartFeed);
  const further = descriptions.byIndex(by.base, uid).filter(isFurtherPart);
  return [
    ...(charts.length < spec.feeds.length ? [descriptions.get(`${namespace}/${descriptionName(name)}`), ...further] : []),
    ...(charts.length > 0 ? [descriptions.get(`${namespace}/${helmDescriptionName(name)}`)] : []),
  ];
}

/** Of a Base that is too large for one Description. */
function isFurtherPart(description: Description): boolean {
  return description.metadata.deletionTimestamp === undefined && partNumberOf(description) > 0;
}
