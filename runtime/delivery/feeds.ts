// Feeds -> the templates they name, or why a feed cannot be used: missing, ambiguous, not granted, not supported. Pure.

import { feedKey, type Feed } from "#api/apps/v1alpha1/feed.ts";
import type { Manifest } from "#api/apps/v1alpha1/manifest.ts";
import { annotations, groups } from "#api/names.ts";
import { isJsonObject, type JsonObject } from "./json.ts";

export type FeedReason = "FeedMissing" | "FeedAmbiguous" | "FeedNotGranted" | "FeedUnsupported";

export type ResolvedFeed =
  | { readonly feed: Feed; readonly found: true; readonly template: JsonObject; readonly identity: Feed }
  | { readonly feed: Feed; readonly found: false; readonly reason: FeedReason; readonly message: string };

export interface FeedRules {
  /** Namespace of the Subscription: its own templates need no grant. */
  readonly subscriptionNamespace: string;
  /** Upstream's behaviour: every Subscription may use every template. */
  readonly crossNamespaceFeeds: boolean;
}

/** Under which keys an index finds a Manifest: with the namespace, and without it, because a feed may leave it out. */
export function manifestFeedKeys(manifest: Manifest): readonly string[] {
  const identity = identityOf(manifest.template);
  if (identity === undefined) return [];
  const withoutNamespace = feedKey({ ...identity, namespace: "" });
  return [...new Set([feedKey(identity), withoutNamespace])];
}

/** `manifests`: what the index holds under the feed's key. */
export function resolveFeed(feed: Feed, manifests: readonly Manifest[], rules: FeedRules): ResolvedFeed {
  const refuse = (reason: FeedReason, message: string): ResolvedFeed => ({ feed, found: false, reason, message });
  if (isChart(feed)) return refuse("FeedUnsupported", `${feedText(feed)}: HelmChart feeds are not supported yet`);
  const [manifest, second] = manifests;
  if (manifest === undefined) return refuse("FeedMissing", `${feedText(feed)}: there is no Manifest with this template`);
  if (second !== undefined) {
    const names = manifests.map(({ metadata }) => metadata.name).toSorted();
    return refuse("FeedAmbiguous", `${feedText(feed)}: several Manifests match (${names.join(", ")}); name the namespace`);
  }
  const identity = identityOf(manifest.template);
  if (identity === undefined)
    return refuse("FeedMissing", `${feedText(feed)}: Manifest ${manifest.metadata.name} is not an object`);
  if (!mayUse(manifest, identity, rules)) {
    const grant = `annotation ${annotations.allowSubscriptionsFrom} of Manifest ${manifest.metadata.name}`;
    return refuse(
      "FeedNotGranted",
      `${feedText(feed)}: outside of namespace ${rules.subscriptionNamespace}, and ${grant} does not allow it`,
    );
  }
  return { feed, found: true, template: manifest.template, identity };
}

function isChart({ kind, apiVersion }: Feed): boolean {
  return kind === "HelmChart" && apiVersion.startsWith(`${groups.apps}/`);
}

/** `Deployment shop/web`. */
export function feedText({ kind, namespace, name }: Feed): string {
  return namespace === undefined || namespace === "" ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

/** A feed or override names this object; an empty namespace means any. */
export function namesFeed(reference: Feed, identity: Feed): boolean {
  return (
    reference.apiVersion === identity.apiVersion &&
    reference.kind === identity.kind &&
    reference.name === identity.name &&
    (reference.namespace === undefined || reference.namespace === "" || reference.namespace === identity.namespace)
  );
}

export function identityOf(object: JsonObject): Feed | undefined {
  const { apiVersion, kind, metadata } = object;
  if (typeof apiVersion !== "string" || typeof kind !== "string" || !isJsonObject(metadata)) return undefined;
  const { namespace, name } = metadata;
  if (typeof name !== "string" || name === "") return undefined;
  return { apiVersion, kind, name, ...(typeof namespace === "string" && namespace !== "" ? { namespace } : {}) };
}

function mayUse(manifest: Manifest, identity: Feed, { subscriptionNamespace, crossNamespaceFeeds }: FeedRules): boolean {
  if (crossNamespaceFeeds || identity.namespace === subscriptionNamespace) return true;
  const granted = (manifest.metadata.annotations?.[annotations.allowSubscriptionsFrom] ?? "")
    .split(",")
    .map((part) => part.trim());
  return granted.includes("*") || granted.includes(subscriptionNamespace);
}
