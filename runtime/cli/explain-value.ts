// `kubectl clusternet explain value`: reads what the controller-manager renders from, and lets delivery explain it.

import { Base } from "#api/apps/v1alpha1/base.ts";
import { Description } from "#api/apps/v1alpha1/description.ts";
import { feedKey, type Feed } from "#api/apps/v1alpha1/feed.ts";
import { Globalization } from "#api/apps/v1alpha1/globalization.ts";
import { HelmChart } from "#api/apps/v1alpha1/helm-chart.ts";
import { Localization } from "#api/apps/v1alpha1/localization.ts";
import { Manifest } from "#api/apps/v1alpha1/manifest.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { ObjectKey } from "#api/meta.ts";
import { labels } from "#api/names.ts";
import { explain, type Explanation } from "#delivery/explain.ts";
import { explanationText } from "#delivery/explain-text.ts";
import {
  chartFeedKeys,
  identityOf,
  isChartFeed,
  manifestFeedKeys,
  namesFeed,
  resolveFeed,
  type ResolvedFeed,
} from "#delivery/feeds.ts";
import { isJsonObject, type JsonObject } from "#delivery/json.ts";
import { baseName } from "#delivery/names.ts";
import { shareOf } from "#delivery/share.ts";
import { decodeRaw } from "#delivery/render.ts";
import type { Client } from "#kube/client.ts";
import { parseExactJson } from "#std/exact-json.ts";
import { Problem } from "./problem.ts";

export interface ExplainValueOptions {
  readonly subscription: string;
  readonly namespace: string;
  /** Name of a ManagedCluster, or `namespace/name`. */
  readonly cluster: string;
  readonly feed?: string;
  readonly path?: string;
  readonly output: "text" | "json";
  /** Also what overrides of other feeds there are. */
  readonly all?: boolean;
  readonly reservedNamespace: string;
}

/** What to print. */
export async function explainValue(client: Client, options: ExplainValueOptions, signal: AbortSignal): Promise<string> {
  const { path, output, all = false } = options;
  if (path !== undefined && !path.startsWith("/")) {
    throw new Problem(`--path ${path} is no JSON pointer`, "Start it with /, such as /spec/replicas; write ~1 for a / in a key");
  }
  const subscription = await client.get(Subscription, { namespace: options.namespace, name: options.subscription }, signal);
  if (subscription === undefined) {
    throw new Problem(
      `There is no Subscription ${options.namespace}/${options.subscription}`,
      "Name its namespace with -n; kubectl get subscriptions -A lists them",
    );
  }
  const binding = bindingOf(subscription, options.cluster);
  const feed = feedOf(subscription, options.feed);
  const explanation = await explainIn(client, { subscription, binding, feed, options }, signal);
  const shown = all
    ? explanation
    : { ...explanation, steps: explanation.steps.filter(({ reason }) => reason?.startsWith("it is for ") !== true) };
  return output === "json" ? `${JSON.stringify(shown, null, 2)}\n` : `${explanationText(shown).join("\n")}\n`;
}

interface Question {
  readonly subscription: Subscription;
  readonly binding: ObjectKey & { readonly namespace: string };
  readonly feed: Feed;
  readonly options: ExplainValueOptions;
}

async function explainIn(
  client: Client,
  { subscription, binding, feed, options }: Question,
  signal: AbortSignal,
): Promise<Explanation> {
  const { namespace, name } = binding;
  const [cluster, base, resolved, globalizations, localizations] = await Promise.all([
    client.get(ManagedCluster, binding, signal),
    client.get(Base, { namespace, name: baseName(subscription.metadata) }, signal),
    resolve(client, { feed, options }, signal),
    client.list(Globalization, {}, signal),
    client.list(Localization, { namespace }, signal),
  ]);
  if (!resolved.found) throw new Problem(resolved.message, "A feed that cannot be used stays in the clusters as it was");
  const { template, identity } = resolved;
  return explain({
    feed: identity,
    template,
    cluster: { name, namespace, ...(cluster?.metadata.labels === undefined ? {} : { labels: cluster.metadata.labels }) },
    overrides: [...globalizations.items, ...localizations.items],
    outcomes: base?.status?.overrides,
    share: shareOf(feed, base?.spec.shares ?? []),
    delivered: base === undefined ? undefined : await deliveredOf(client, { base, identity }, signal),
    ...(options.path === undefined ? {} : { path: options.path }),
  });
}

function bindingOf({ metadata, status }: Subscription, cluster: string): Question["binding"] {
  const bindings = (status?.bindingClusters ?? []).map((text) => {
    const [namespace = "", name = ""] = text.split("/");
    return { namespace, name, text };
  });
  const [first, second] = bindings.filter(({ name, text }) => name === cluster || text === cluster);
  if (first === undefined) {
    const known = bindings.length === 0 ? "It is bound to none" : `It is bound to ${bindings.map(({ name }) => name).join(", ")}`;
    throw new Problem(`Subscription ${metadata.name} is not bound to a cluster ${cluster}`, known);
  }
  if (second !== undefined)
    throw new Problem(`Several clusters are called ${cluster}`, `Write one as ${first.text} or ${second.text}`);
  return { namespace: first.namespace, name: first.name };
}

function feedOf({ metadata, spec: { feeds } }: Subscription, wanted: string | undefined): Feed {
  const known = feeds.map(({ kind, name }) => `${kind}/${name}`).join(", ");
  const [kind = "", ...rest] = (wanted ?? "").split("/");
  const name = rest.pop();
  const [namespace] = rest;
  const found =
    wanted === undefined
      ? feeds
      : feeds.filter(
          (feed) =>
            feed.kind.toLowerCase() === kind.toLowerCase() &&
            feed.name === name &&
            (namespace === undefined || feed.namespace === namespace),
        );
  const [first, second] = found;
  if (first === undefined) throw new Problem(`Subscription ${metadata.name} has no feed ${wanted ?? ""}`, `Its feeds: ${known}`);
  if (second !== undefined)
    throw new Problem(`Subscription ${metadata.name} has several feeds`, `Name one with --feed: ${known}`);
  return first;
}

async function resolve(
  client: Client,
  { feed, options }: Pick<Question, "feed" | "options">,
  signal: AbortSignal,
): Promise<ResolvedFeed> {
  // Whether the feed may be used is the controller-manager's business, and said by the Subscription's conditions.
  const rules = { subscriptionNamespace: options.namespace, crossNamespaceFeeds: true };
  const key = feedKey(feed);
  if (isChartFeed(feed)) {
    const { items } = await client.list(HelmChart, { fieldSelector: `metadata.name=${feed.name}` }, signal);
    return resolveFeed(
      feed,
      items.filter((chart) => chartFeedKeys(chart).includes(key)),
      rules,
    );
  }
  const { items } = await client.list(Manifest, { namespace: options.reservedNamespace }, signal);
  return resolveFeed(
    feed,
    items.filter((manifest) => manifestFeedKeys(manifest).includes(key)),
    rules,
  );
}

/** The object as the Base's Descriptions say it; of a chart `{chart, values}`. */
async function deliveredOf(
  client: Client,
  { base, identity }: { readonly base: Base; readonly identity: Feed },
  signal: AbortSignal,
): Promise<JsonObject | undefined> {
  const { namespace = "", uid = "" } = base.metadata;
  const { items } = await client.list(Description, { namespace, labelSelector: `${labels.configUid}=${uid}` }, signal);
  const objects = items.flatMap(({ spec }) => (spec.deployer === "Helm" ? chartsIn(spec) : objectsIn(spec)));
  return objects.find(({ feed }) => namesFeed(feed, identity))?.object;
}

interface Delivered {
  readonly feed: Feed;
  readonly object: JsonObject;
}

function objectsIn({ raw = [] }: Description["spec"]): readonly Delivered[] {
  return raw.flatMap((text) => {
    const object = decodeRaw(text);
    const feed = object === undefined ? undefined : identityOf(object);
    return object === undefined || feed === undefined ? [] : [{ feed, object }];
  });
}

function chartsIn({ charts = [], raw = [], chartRaw = [] }: Description["spec"]): readonly Delivered[] {
  return charts.flatMap(({ namespace, name }, index) => {
    const chart = decodeRaw(chartRaw[index] ?? "");
    const values = Buffer.from(raw[index] ?? "", "base64")
      .toString("utf8")
      .trim();
    const parsed: unknown = values === "" ? {} : parseExactJson(values);
    if (chart === undefined || !isJsonObject(parsed)) return [];
    const feed = { apiVersion: HelmChart.apiVersion, kind: HelmChart.kind, namespace, name };
    return [{ feed, object: { chart, values: parsed } }];
  });
}
