// Keeps a Manifest while a Subscription or a Base still uses it, and says which.

import { Manifest } from "#api/apps/v1alpha1/manifest.ts";
import { annotations, finalizers, labels } from "#api/names.ts";
import { Base } from "#api/apps/v1alpha1/base.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { keyText } from "#api/meta.ts";
import type { Feed } from "#api/apps/v1alpha1/feed.ts";
import { changesBeyondStatus } from "#controller-manager/changes.ts";
import type { DeliveryDeps } from "#controller-manager/deps.ts";
import { by, referenceKeys } from "#controller-manager/informers.ts";
import { manifestFeedKeys, resolveFeed, type FeedRules } from "#delivery/feeds.ts";
import { createController, done, ownKey, source, type Controller, type Result } from "#kube/controller.ts";
import { addFinalizer, removeFinalizer } from "#kube/finalizers.ts";
import { keyTextOf } from "#kube/object.ts";
import { patchMetadataIfChanged } from "#kube/write-if-changed.ts";
import { planProtection } from "./plan.ts";

export interface FeedProtectionDeps extends DeliveryDeps {
  readonly crossNamespaceFeeds: boolean;
}

export function feedProtectionController(deps: FeedProtectionDeps): Controller {
  const { client, informers, crossNamespaceFeeds } = deps;
  const { manifests, subscriptions, bases } = informers;

  async function reconcile(key: string, signal: AbortSignal): Promise<Result> {
    const manifest = manifests.get(key);
    if (manifest === undefined) return done;
    const step = planProtection(manifest, usersOf(manifest));
    const change = { type: Manifest, object: manifest, finalizer: finalizers.feedProtection };
    switch (step.type) {
      case "none":
        return done;
      case "protect":
        await addFinalizer(client, change, signal);
        return done;
      case "release":
        await confirmUnused(manifest, signal);
        await removeFinalizer(client, change, signal);
        return done;
      case "explain":
        await patchMetadataIfChanged(
          client,
          { type: Manifest, object: manifest, annotations: { [annotations.feedProtection]: step.message } },
          signal,
        );
        return done;
      default:
        return step satisfies never;
    }
  }

  function usersOf(manifest: Manifest): readonly string[] {
    const keys = manifestFeedKeys(manifest);
    return usersAmong(manifest, {
      crossNamespaceFeeds,
      subscriptions: keys.flatMap((key) => subscriptions.byIndex(by.feed, key)),
      bases: keys.flatMap((key) => bases.byIndex(by.feed, key)),
    });
  }

  /** A deleted template is gone for good when it is let go: not because a cache was empty for a moment. */
  async function confirmUnused(manifest: Manifest, signal: AbortSignal): Promise<void> {
    if (manifest.metadata.deletionTimestamp === undefined) return;
    const [listed, listedBases] = await Promise.all([client.list(Subscription, {}, signal), client.list(Base, {}, signal)]);
    const users = usersAmong(manifest, { crossNamespaceFeeds, subscriptions: listed.items, bases: listedBases.items });
    if (users.length > 0)
      throw new Error(`Manifest ${keyTextOf(manifest)} is used by ${users.join(", ")}, which the cache does not know`);
  }

  const manifestsOf = (feeds: readonly Feed[]): readonly string[] =>
    [...new Set(feeds.flatMap(referenceKeys).flatMap((key) => manifests.byIndex(by.feed, key)))].map(keyTextOf);

  return createController({
    ...deps,
    name: "feed-protection",
    sources: [
      source(manifests, ownKey),
      source(subscriptions, ({ spec }, change) => (changesBeyondStatus(change) ? manifestsOf(spec.feeds) : [])),
      source(bases, ({ spec }, change) => (changesBeyondStatus(change) ? manifestsOf(spec.feeds) : [])),
    ],
    reconcile,
  });
}

interface Users {
  readonly crossNamespaceFeeds: boolean;
  readonly subscriptions: readonly Subscription[];
  readonly bases: readonly Base[];
}

function usersAmong(manifest: Manifest, among: Users): readonly string[] {
  const { crossNamespaceFeeds } = among;
  const users = new Set<string>();
  for (const { metadata, spec } of among.subscriptions) {
    if (mayUse(manifest, spec.feeds, { crossNamespaceFeeds, subscriptionNamespace: metadata.namespace ?? "" }))
      users.add(keyText(metadata));
  }
  // A Base outlives its Subscription's interest by the time that removal takes.
  for (const base of among.bases) {
    if (
      mayUse(manifest, base.spec.feeds, {
        crossNamespaceFeeds,
        subscriptionNamespace: base.metadata.labels?.[labels.subscriptionNamespace] ?? "",
      })
    )
      users.add(userOfBase(base));
  }
  return [...users];
}

/** Who has no grant cannot hold somebody else's template either. */
function mayUse(manifest: Manifest, feeds: readonly Feed[], rules: FeedRules): boolean {
  const keys = new Set(manifestFeedKeys(manifest));
  return feeds.some((feed) => referenceKeys(feed).some((key) => keys.has(key)) && resolveFeed(feed, [manifest], rules).found);
}

function userOfBase({ metadata }: Base): string {
  const { [labels.subscriptionNamespace]: namespace, [labels.subscriptionName]: name } = metadata.labels ?? {};
  return namespace === undefined || name === undefined
    ? `Base ${metadata.namespace ?? ""}/${metadata.name}`
    : `${namespace}/${name}`;
}
