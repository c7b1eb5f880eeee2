// What delivery watches on the parent, and under which keys it is found. Shared by the controllers, so that each kind is cached once.

import { Base } from "#api/apps/v1alpha1/base.ts";
import { Description } from "#api/apps/v1alpha1/description.ts";
import { feedKey, type Feed } from "#api/apps/v1alpha1/feed.ts";
import { Globalization } from "#api/apps/v1alpha1/globalization.ts";
import { HelmChart } from "#api/apps/v1alpha1/helm-chart.ts";
import { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import { Localization } from "#api/apps/v1alpha1/localization.ts";
import { Manifest } from "#api/apps/v1alpha1/manifest.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { FeedInventory } from "#api/apps/v1alpha1/feed-inventory.ts";
import { configMaps, labels } from "#api/names.ts";
import { ConfigMap } from "#kube/builtin-kinds.ts";
import type { KubeObject } from "#api/meta.ts";
import { chartFeedKeys, isChartFeed, manifestFeedKeys } from "#delivery/feeds.ts";
import type { Client } from "#kube/client.ts";
import { createInformer, type Informer } from "#kube/informer.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { Metrics } from "#std/metrics.ts";
import { SharedValues } from "#std/shared-values.ts";

export interface DeliveryInformers {
  readonly subscriptions: Informer<Subscription>;
  readonly bases: Informer<Base>;
  readonly descriptions: Informer<Description>;
  readonly manifests: Informer<Manifest>;
  readonly helmCharts: Informer<HelmChart>;
  readonly helmReleases: Informer<HelmRelease>;
  readonly globalizations: Informer<Globalization>;
  readonly localizations: Informer<Localization>;
  readonly managedClusters: Informer<ManagedCluster>;
  readonly feedInventories: Informer<FeedInventory>;
  /** The one ConfigMap with the registered interpreters. */
  readonly interpreters: Informer<ConfigMap>;
}

/** Index names. */
export const by = {
  uid: "uid",
  /** `apiVersion/kind[/namespace]/name`; a feed without a namespace is found under its own short form. */
  feed: "feed",
  /** Bases: the same without the namespace, for a reference that means any. */
  feedOfAnyNamespace: "feedOfAnyNamespace",
  namespace: "namespace",
  /** Subscriptions: `namespace/name` of the ManagedClusters they are bound to. */
  binding: "binding",
  /** Bases and Descriptions: uid of their Subscription. */
  subscription: "subscription",
  /** Descriptions: uid of their Base. */
  base: "base",
  /** HelmReleases: uid of their Description. */
  description: "description",
} as const;

export interface DeliveryInformersOptions {
  readonly reservedNamespace: string;
  readonly systemNamespace: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: Metrics;
}

export function createDeliveryInformers(client: Client, options: DeliveryInformersOptions): DeliveryInformers {
  const { reservedNamespace, systemNamespace, ...common } = options;
  const raws = new SharedValues<readonly string[]>();
  return {
    subscriptions: createInformer(client, Subscription, {
      ...common,
      indexes: {
        [by.uid]: uidOf,
        [by.feed]: ({ spec }) => feedKeys(spec.feeds),
        [by.binding]: ({ status }) => status?.bindingClusters ?? [],
      },
    }),
    bases: createInformer(client, Base, {
      ...common,
      indexes: {
        [by.uid]: uidOf,
        [by.feed]: ({ spec }) => feedKeys(spec.feeds),
        [by.feedOfAnyNamespace]: ({ spec }) => feedKeys(spec.feeds.map((feed) => ({ ...feed, namespace: "" }))),
        [by.namespace]: namespaceOf,
        [by.subscription]: labelOf(labels.subscriptionUid),
      },
    }),
    descriptions: createInformer(client, Description, {
      ...common,
      indexes: {
        [by.uid]: uidOf,
        [by.namespace]: namespaceOf,
        [by.subscription]: labelOf(labels.subscriptionUid),
        [by.base]: labelOf(labels.configUid),
      },
      trim: (description) => withSharedRaw(description, raws),
    }),
    manifests: createInformer(client, Manifest, {
      ...common,
      namespace: reservedNamespace,
      indexes: { [by.feed]: manifestFeedKeys },
    }),
    helmCharts: createInformer(client, HelmChart, { ...common, indexes: { [by.feed]: chartFeedKeys } }),
    helmReleases: createInformer(client, HelmRelease, {
      ...common,
      indexes: {
        [by.namespace]: namespaceOf,
        [by.description]: labelOf(labels.configUid),
        [by.subscription]: labelOf(labels.subscriptionUid),
      },
    }),
    globalizations: createInformer(client, Globalization, {
      ...common,
      indexes: { [by.feed]: ({ spec }) => [feedKey(spec.feed)] },
    }),
    localizations: createInformer(client, Localization, { ...common, indexes: { [by.namespace]: namespaceOf } }),
    managedClusters: createInformer(client, ManagedCluster, { ...common, indexes: { [by.namespace]: namespaceOf } }),
    feedInventories: createInformer(client, FeedInventory, common),
    interpreters: createInformer(client, ConfigMap, {
      ...common,
      namespace: systemNamespace,
      fieldSelector: `metadata.name=${configMaps.interpreters}`,
    }),
  };
}

/** Bases whose feeds may be the one that an override names; either may leave the namespace out. */
export function basesNaming(feed: Feed, bases: Pick<Informer<Base>, "byIndex">): readonly Base[] {
  const isAny = feed.namespace === undefined || feed.namespace === "";
  const found = isAny
    ? bases.byIndex(by.feedOfAnyNamespace, feedKey(feed))
    : referenceKeys(feed).flatMap((key) => bases.byIndex(by.feed, key));
  return [...new Set(found)];
}

/** What a feed may mean, for resolveFeed: templates, or charts. */
export function feedCandidates(
  feed: Feed,
  { manifests, helmCharts }: Pick<DeliveryInformers, "manifests" | "helmCharts">,
): readonly (Manifest | HelmChart)[] {
  return isChartFeed(feed) ? helmCharts.byIndex(by.feed, feedKey(feed)) : manifests.byIndex(by.feed, feedKey(feed));
}

/** A feed that names no namespace may mean an object in one, so both forms lead to whoever refers to it. */
export function referenceKeys(feed: Feed): readonly string[] {
  return [...new Set([feedKey(feed), feedKey({ ...feed, namespace: "" })])];
}

/** Most clusters get the same objects: what is large about their Descriptions is held once. */
function withSharedRaw(description: Description, raws: SharedValues<readonly string[]>): Description {
  const { raw } = description.spec;
  return raw === undefined ? description : { ...description, spec: { ...description.spec, raw: raws.share(raw) } };
}

function feedKeys(feeds: readonly Feed[]): readonly string[] {
  return [...new Set(feeds.map(feedKey))];
}

function uidOf({ metadata: { uid } }: KubeObject): readonly string[] {
  return uid === undefined ? [] : [uid];
}

function namespaceOf({ metadata: { namespace } }: KubeObject): readonly string[] {
  return namespace === undefined ? [] : [namespace];
}

function labelOf(key: string): (object: KubeObject) => readonly string[] {
  return ({ metadata: { labels: own = {} } }) => (own[key] === undefined ? [] : [own[key]]);
}
