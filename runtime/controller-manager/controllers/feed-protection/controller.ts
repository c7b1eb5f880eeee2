// Keeps a Manifest or HelmChart while a Subscription or a Base still uses it, and says which.

import { HelmChart } from "#api/apps/v1alpha1/helm-chart.ts";
import { Manifest } from "#api/apps/v1alpha1/manifest.ts";
import { annotations, finalizers, labels } from "#api/names.ts";
import { Base } from "#api/apps/v1alpha1/base.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { keyText, type ResourceType } from "#api/meta.ts";
import type { Feed } from "#api/apps/v1alpha1/feed.ts";
import { changesBeyondStatus } from "#controller-manager/changes.ts";
import type { DeliveryDeps } from "#controller-manager/deps.ts";
import { by, referenceKeys } from "#controller-manager/informers.ts";
import { chartFeedKeys, isGranted, manifestFeedKeys, type FeedRules } from "#delivery/feeds.ts";
import { createController, done, ownKey, source, type Controller, type Result } from "#kube/controller.ts";
import { addFinalizer, removeFinalizer } from "#kube/finalizers.ts";
import type { Informer } from "#kube/informer.ts";
import { keyTextOf } from "#kube/object.ts";
import { patchMetadataIfChanged } from "#kube/write-if-changed.ts";
import { planProtection } from "./plan.ts";

export interface FeedProtectionDeps extends DeliveryDeps {
  readonly crossNamespaceFeeds: boolean;
}

export function feedProtectionControllers(deps: FeedProtectionDeps): readonly Controller[] {
  const { manifests, helmCharts } = deps.informers;
  return [
    protectionController(deps, { name: "feed-protection", type: Manifest, informer: manifests, keysOf: manifestFeedKeys }),
    protectionController(deps, { name: "chart-protection", type: HelmChart, informer: helmCharts, keysOf: chartFeedKeys }),
  ];
}

interface Protected<T extends Manifest | HelmChart> {
  readonly name: string;
  readonly type: ResourceType<T>;
  readonly informer: Informer<T>;
  /** Under which keys feeds name it. */
  readonly keysOf: (object: T) => readonly string[];
}

function protectionController<T extends Manifest | HelmChart>(
  deps: FeedProtectionDeps,
  { name, type, informer, keysOf }: Protected<T>,
): Controller {
  const { client, crossNamespaceFeeds } = deps;
  const { subscriptions, bases } = deps.informers;

  async function reconcile(key: string, signal: AbortSignal): Promise<Result> {
    const object = informer.get(key);
    if (object === undefined) return done;
    const step = planProtection(object, usersOf(object));
    const change = { type, object, finalizer: finalizers.feedProtection };
    switch (step.type) {
      case "none":
        return done;
      case "protect":
        await addFinalizer(client, change, signal);
        return done;
      case "release":
        await confirmUnused(object, signal);
        await removeFinalizer(client, change, signal);
        return done;
      case "explain":
        await patchMetadataIfChanged(
          client,
          { type, object, annotations: { [annotations.feedProtection]: step.message } },
          signal,
        );
        return done;
      default:
        return step satisfies never;
    }
  }

  function usersOf(object: T): readonly string[] {
    const keys = keysOf(object);
    return usersAmong(
      { object, keys },
      {
        crossNamespaceFeeds,
        subscriptions: keys.flatMap((key) => subscriptions.byIndex(by.feed, key)),
        bases: keys.flatMap((key) => bases.byIndex(by.feed, key)),
      },
    );
  }

  /** A deleted template is gone for good when it is let go: not because a cache was empty for a moment. */
  async function confirmUnused(object: T, signal: AbortSignal): Promise<void> {
    if (object.metadata.deletionTimestamp === undefined) return;
    const [listed, listedBases] = await Promise.all([client.list(Subscription, {}, signal), client.list(Base, {}, signal)]);
    const users = usersAmong(
      { object, keys: keysOf(object) },
      { crossNamespaceFeeds, subscriptions: listed.items, bases: listedBases.items },
    );
    if (users.length > 0)
      throw new Error(`${type.kind} ${keyTextOf(object)} is used by ${users.join(", ")}, which the cache does not know`);
  }

  const named = (feeds: readonly Feed[]): readonly string[] =>
    [...new Set(feeds.flatMap(referenceKeys).flatMap((key) => informer.byIndex(by.feed, key)))].map(keyTextOf);

  return createController({
    ...deps,
    name,
    sources: [
      source(informer, ownKey),
      source(subscriptions, ({ spec }, change) => (changesBeyondStatus(change) ? named(spec.feeds) : [])),
      source(bases, ({ spec }, change) => (changesBeyondStatus(change) ? named(spec.feeds) : [])),
    ],
    reconcile,
  });
}

interface Users {
  readonly crossNamespaceFeeds: boolean;
  readonly subscriptions: readonly Subscription[];
  readonly bases: readonly Base[];
}

interface Used {
  readonly object: Manifest | HelmChart;
  /** Under which feeds name it. */
  readonly keys: readonly string[];
}

function usersAmong(used: Used, among: Users): readonly string[] {
  const { crossNamespaceFeeds } = among;
  const users = new Set<string>();
  for (const { metadata, spec } of among.subscriptions) {
    if (mayUse(used, spec.feeds, { crossNamespaceFeeds, subscriptionNamespace: metadata.namespace ?? "" }))
      users.add(keyText(metadata));
  }
  // A Base outlives its Subscription's interest by the time that removal takes.
  for (const base of among.bases) {
    if (
      mayUse(used, base.spec.feeds, {
        crossNamespaceFeeds,
        subscriptionNamespace: base.metadata.labels?.[labels.subscriptionNamespace] ?? "",
      })
    )
      users.add(userOfBase(base));
  }
  return [...users];
}

/** Who has no grant cannot hold somebody else's template either. */
function mayUse({ object, keys }: Used, feeds: readonly Feed[], rules: FeedRules): boolean {
  const isNamed = feeds.some((feed) => referenceKeys(feed).some((key) => keys.includes(key)));
  return isNamed && isGranted(object, rules);
}

function userOfBase({ metadata }: Base): string {
  const { [labels.subscriptionNamespace]: namespace, [labels.subscriptionName]: name } = metadata.labels ?? {};
  return namespace === undefined || name === undefined
    ? `Base ${metadata.namespace ?? ""}/${metadata.name}`
    : `${namespace}/${name}`;
}
