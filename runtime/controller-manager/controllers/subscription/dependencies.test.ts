// What each cluster needs, with its own overrides; and that nothing is missing where another Subscription delivers it.

import { expect, test } from "@jest/globals";
import { Base } from "#api/apps/v1alpha1/base.ts";
import { Globalization } from "#api/apps/v1alpha1/globalization.ts";
import { Localization } from "#api/apps/v1alpha1/localization.ts";
import { Manifest } from "#api/apps/v1alpha1/manifest.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { feedKey } from "#api/apps/v1alpha1/feed.ts";
import { labels } from "#api/names.ts";
import type { KubeObject, ResourceType } from "#api/meta.ts";
import { by } from "#controller-manager/informers.ts";
import { manifestFeedKeys } from "#delivery/feeds.ts";
import { overrideRevision } from "#delivery/override-report.ts";
import { missingText } from "#delivery/follow.ts";
import { createStubInformer } from "#test/framework/stub-informer.ts";
import { dependenciesOfFeeds, type DependencyDeps, type SubscriptionDependencies } from "./dependencies.ts";

const feed = { apiVersion: "apps/v1", kind: "Deployment", namespace: "shop", name: "web" };
const container = { name: "main", envFrom: [{ configMapRef: { name: "settings" } }] };
const template = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { namespace: "shop", name: "web" },
  spec: { template: { spec: { containers: [container] } } },
};
const CLUSTERS = ["oslo", "paris", "tokyo"];
const namespaceOf = ({ metadata: { namespace } }: KubeObject): readonly string[] => [namespace ?? ""];
const object = <T extends KubeObject>(
  type: ResourceType<T> & { readonly apiVersion: string },
  metadata: KubeObject["metadata"],
  rest: object,
): T =>
  ({ apiVersion: type.apiVersion, kind: type.kind, metadata: { resourceVersion: "1", ...metadata }, ...rest }) as unknown as T;

/** The Deployment takes its settings from `name`. */
const renaming = (name: string, policy: "ApplyNow" | "ApplyLater" = "ApplyNow"): Localization["spec"] => {
  const path = "/spec/template/spec/containers/0/envFrom/0/configMapRef/name";
  const value = JSON.stringify([{ op: "replace", path, value: name }]);
  return { overridePolicy: policy, priority: 500, feed, overrides: [{ name: "rename", type: "JSONPatch", value }] };
};

interface World {
  readonly localizations?: readonly Localization[];
  readonly globalizations?: readonly Globalization[];
  readonly bases?: readonly Base[];
  readonly others?: readonly Subscription[];
  readonly mode?: "Report" | "Follow" | "Ignore";
}

function dependenciesIn({ localizations = [], globalizations = [], bases = [], others = [], mode = "Report" }: World) {
  const informers = {
    bases: createStubInformer(Base, { [by.feed]: ({ spec }: Base) => spec.feeds.map(feedKey) }),
    subscriptions: createStubInformer(Subscription, { [by.feed]: ({ spec }: Subscription) => spec.feeds.map(feedKey) }),
    manifests: createStubInformer(Manifest, { [by.feed]: manifestFeedKeys }),
    helmCharts: { byIndex: () => [] },
    globalizations: createStubInformer(Globalization),
    localizations: createStubInformer(Localization, { [by.namespace]: namespaceOf }),
    managedClusters: createStubInformer(ManagedCluster, { [by.namespace]: namespaceOf }),
  };
  informers.manifests.listed(object(Manifest, { namespace: "clusternet-reserved", name: "web" }, { template }));
  informers.bases.listed(...bases);
  informers.subscriptions.listed(...others);
  informers.globalizations.listed(...globalizations);
  informers.localizations.listed(...localizations);
  informers.managedClusters.listed(
    ...CLUSTERS.map((name) => object(ManagedCluster, { namespace: name, name, labels: { at: name } }, {})),
  );
  const subscription = object(
    Subscription,
    { namespace: "shop", name: "web", uid: "own" },
    {
      spec: { feeds: [feed], delivery: { dependencies: mode } },
      status: { bindingClusters: CLUSTERS.map((name) => `${name}/${name}`) },
    },
  );
  const deps = { informers, crossNamespaceFeeds: true } as unknown as DependencyDeps;
  return dependenciesOfFeeds(subscription, { bases, deps });
}

const said = ({ missing, clusterCount }: SubscriptionDependencies): string =>
  missingText(missing, clusterCount).replaceAll(/, which has no template.*?optional/g, "");
const localization = (namespace: string, spec: Localization["spec"]): Localization =>
  object(Localization, { namespace, name: "rename" }, { spec });
const configMap = (name: string) => ({ apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name });
const othersBase = (namespace: string): Base =>
  object(
    Base,
    { namespace, name: "others", labels: { [labels.subscriptionUid]: "other" } },
    { spec: { feeds: [configMap("settings")] } },
  );

test("all clusters need what the template names", () => {
  expect(said(dependenciesIn({}))).toBe("Deployment shop/web needs ConfigMap shop/settings");
  expect(said(dependenciesIn({ mode: "Ignore" }))).toBe("");
});

test("a cluster whose override names something else needs that", () => {
  const dependencies = dependenciesIn({ localizations: [localization("paris", renaming("other"))] });
  expect(said(dependencies)).toBe(
    "Deployment shop/web needs ConfigMap shop/settings in 2 of 3 clusters (oslo, tokyo); " +
      "Deployment shop/web needs ConfigMap shop/other in 1 of 3 clusters (paris)",
  );
  // A template of either wakes the Subscription.
  expect(new Set(dependencies.needed.map(({ name }) => name))).toEqual(new Set(["settings", "other"]));
});

test("a Globalization counts where it selects the cluster", () => {
  const clusterAffinity = { matchLabels: { at: "tokyo" } };
  const globalizations = [object(Globalization, { name: "g" }, { spec: { ...renaming("other"), clusterAffinity } })];
  expect(said(dependenciesIn({ globalizations }))).toContain("ConfigMap shop/other in 1 of 3 clusters (tokyo)");
});

test("an override that waits counts when it was rendered, or when nothing is there yet", () => {
  const waiting = localization("paris", renaming("other", "ApplyLater"));
  const base = (overrides: object[]): Base =>
    object(
      Base,
      { namespace: "paris", name: "web.shop", labels: { [labels.subscriptionUid]: "own" } },
      { spec: { feeds: [feed] }, status: { overrides } },
    );
  const rendered = { override: "Localization paris/rename", feed: "", revision: overrideRevision(waiting) };
  const needs = (bases: readonly Base[]): string => said(dependenciesIn({ localizations: [waiting], bases }));
  expect(needs([])).toContain("shop/other");
  expect(needs([base([])])).not.toContain("shop/other");
  expect(needs([base([rendered])])).toContain("shop/other");
});

test("nothing is missing where another Subscription delivers it, or is bound to", () => {
  const delivered = dependenciesIn({ bases: [othersBase("oslo")] });
  expect(said(delivered)).toBe("Deployment shop/web needs ConfigMap shop/settings in 2 of 3 clusters (paris, tokyo)");
  const bound = object(
    Subscription,
    { namespace: "shop", name: "settings", uid: "other" },
    { spec: { feeds: [configMap("settings")] }, status: { bindingClusters: CLUSTERS.map((name) => `${name}/${name}`) } },
  );
  expect(said(dependenciesIn({ others: [bound] }))).toBe("");
});
