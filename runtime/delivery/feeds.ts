// Feeds -> the templates they name, or why a feed cannot be used: missing, ambiguous, not granted, not in its repository. Pure.

import { feedKey, type Feed } from "#api/apps/v1alpha1/feed.ts";
import { HelmChart } from "#api/apps/v1alpha1/helm-chart.ts";
import type { Manifest } from "#api/apps/v1alpha1/manifest.ts";
import { annotations, groups } from "#api/names.ts";
import { isJsonObject, type JsonObject } from "./json.ts";

export type FeedReason = "FeedMissing" | "FeedAmbiguous" | "FeedNotGranted" | "FeedChartNotFound" | "FeedNotVerified";

export interface FoundFeed {
  readonly feed: Feed;
  readonly found: true;
  readonly template: JsonObject;
  readonly identity: Feed;
}

export type ResolvedFeed =
  FoundFeed | { readonly feed: Feed; readonly found: false; readonly reason: FeedReason; readonly message: string };

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

/** `candidates`: what the index holds under the feed's key, Manifests or HelmCharts. */
export function resolveFeed(feed: Feed, candidates: readonly (Manifest | HelmChart)[], rules: FeedRules): ResolvedFeed {
  return isChartFeed(feed)
    ? resolveChart(
        feed,
        candidates.filter((candidate) => "spec" in candidate),
        rules,
      )
    : resolveManifest(
        feed,
        candidates.filter((candidate) => "template" in candidate),
        rules,
      );
}

function resolveManifest(feed: Feed, manifests: readonly Manifest[], rules: FeedRules): ResolvedFeed {
  const refuse = (reason: FeedReason, message: string): ResolvedFeed => ({ feed, found: false, reason, message });
  const [manifest, second] = manifests;
  if (manifest === undefined) return refuse("FeedMissing", `${feedText(feed)}: there is no Manifest with this template`);
  if (second !== undefined) {
    const names = manifests.map(({ metadata }) => metadata.name).toSorted();
    return refuse("FeedAmbiguous", `${feedText(feed)}: several Manifests match (${names.join(", ")}); name the namespace`);
  }
  const identity = identityOf(manifest.template);
  if (identity === undefined)
    return refuse("FeedMissing", `${feedText(feed)}: Manifest ${manifest.metadata.name} is not an object`);
  if (!mayUse(manifest, identity, rules)) return refuse("FeedNotGranted", notGranted(feed, manifest, rules));
  return { feed, found: true, template: manifest.template, identity };
}

function resolveChart(feed: Feed, charts: readonly HelmChart[], rules: FeedRules): ResolvedFeed {
  const refuse = (reason: FeedReason, message: string): ResolvedFeed => ({ feed, found: false, reason, message });
  const [chart, second] = charts;
  if (chart === undefined) return refuse("FeedMissing", `${feedText(feed)}: there is no such HelmChart`);
  if (second !== undefined) {
    const names = charts.map(({ metadata }) => `${metadata.namespace ?? ""}/${metadata.name}`).toSorted();
    return refuse("FeedAmbiguous", `${feedText(feed)}: several HelmCharts match (${names.join(", ")}); name the namespace`);
  }
  const identity = chartIdentity(chart);
  if (!mayUse(chart, identity, rules)) return refuse("FeedNotGranted", notGranted(feed, chart, rules));
  if (!isVerified(chart)) return refuse("FeedNotVerified", `${feedText(feed)}: its repository has not been asked yet`);
  if (chart.status?.phase === "NotFound") {
    return refuse("FeedChartNotFound", `${feedText(feed)}: ${chart.status.reason ?? "it is not in its repository"}`);
  }
  return { feed, found: true, template: chartTemplate(chart), identity };
}

/** Somebody looked it up, as it is now. Upstream's controller does not say of which generation it speaks. */
function isVerified({ metadata, status }: HelmChart): boolean {
  if (status?.phase === undefined) return false;
  return status.observedGeneration === undefined || status.observedGeneration === metadata.generation;
}

export function isChartFeed({ kind, apiVersion }: Feed): boolean {
  return kind === HelmChart.kind && apiVersion.startsWith(`${groups.apps}/`);
}

/** Under which keys an index finds a HelmChart. */
export function chartFeedKeys(chart: HelmChart): readonly string[] {
  const identity = chartIdentity(chart);
  return [feedKey(identity), feedKey({ ...identity, namespace: "" })];
}

function chartIdentity({ metadata: { namespace, name } }: HelmChart): Feed {
  return { apiVersion: HelmChart.apiVersion, kind: HelmChart.kind, name, ...(namespace === undefined ? {} : { namespace }) };
}

/** Charts come from a cache and are shared, so one template is made of each. */
const chartTemplates = new WeakMap<HelmChart, JsonObject>();

/** What a HelmChart is to a cluster: without its status and what the API server keeps about it. */
export function chartTemplate(chart: HelmChart): JsonObject {
  const known = chartTemplates.get(chart);
  if (known !== undefined) return known;
  const { namespace, name, labels = {}, annotations: own = {} } = chart.metadata;
  const kept = Object.fromEntries(Object.entries(own).filter(([key]) => !PARENT_ANNOTATIONS.has(key)));
  const metadata = { ...(namespace === undefined ? {} : { namespace }), name, labels, annotations: kept };
  const template: JsonObject = { ...chartIdentityType, metadata, spec: chart.spec };
  chartTemplates.set(chart, template);
  return template;
}

const chartIdentityType = { apiVersion: HelmChart.apiVersion, kind: HelmChart.kind };

/** They speak to the parent, and may change while nothing changes for a cluster. */
const PARENT_ANNOTATIONS: ReadonlySet<string> = new Set([
  annotations.feedProtection,
  annotations.allowSubscriptionsFrom,
  "kubectl.kubernetes.io/last-applied-configuration",
]);

function notGranted(feed: Feed, { kind, metadata }: Manifest | HelmChart, { subscriptionNamespace }: FeedRules): string {
  const grant = `annotation ${annotations.allowSubscriptionsFrom} of ${kind} ${metadata.name}`;
  return `${feedText(feed)}: outside of namespace ${subscriptionNamespace}, and ${grant} does not allow it`;
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

/** Whether Subscriptions of a namespace may use this template or chart, whatever else may be wrong with it. */
export function isGranted(object: Manifest | HelmChart, rules: FeedRules): boolean {
  const identity = "template" in object ? identityOf(object.template) : chartIdentity(object);
  return identity !== undefined && mayUse(object, identity, rules);
}

function mayUse(
  { metadata }: Manifest | HelmChart,
  identity: Feed,
  { subscriptionNamespace, crossNamespaceFeeds }: FeedRules,
): boolean {
  if (crossNamespaceFeeds || identity.namespace === subscriptionNamespace) return true;
  const granted = (metadata.annotations?.[annotations.allowSubscriptionsFrom] ?? "").split(",").map((part) => part.trim());
  return granted.includes("*") || granted.includes(subscriptionNamespace);
}
