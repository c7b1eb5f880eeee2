// A cache that comes back empty (another etcd, a server that just started, a lost selector) is silence, not an instruction: the parent's
// delivery deletes nothing, and what a child gets stays as it was.

import { expect, test } from "@jest/globals";
import { Base } from "#api/apps/v1alpha1/base.ts";
import { Description } from "#api/apps/v1alpha1/description.ts";
import { feedKey } from "#api/apps/v1alpha1/feed.ts";
import { Globalization } from "#api/apps/v1alpha1/globalization.ts";
import { HelmChart } from "#api/apps/v1alpha1/helm-chart.ts";
import { Localization } from "#api/apps/v1alpha1/localization.ts";
import { Manifest } from "#api/apps/v1alpha1/manifest.ts";
import { specHash } from "#api/apps/v1alpha1/spec-hash.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { KubeObject } from "#api/meta.ts";
import { labels } from "#api/names.ts";
import { baseController } from "#controller-manager/controllers/base/controller.ts";
import { descriptionController } from "#controller-manager/controllers/description/controller.ts";
import { subscriptionController } from "#controller-manager/controllers/subscription/controller.ts";
import { by, type DeliveryInformers } from "#controller-manager/informers.ts";
import { manifestFeedKeys } from "#delivery/feeds.ts";
import { silentLogger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";
import { createFakeClock } from "#test/framework/fake-clock.ts";
import { createMemoryCluster } from "#test/framework/memory-cluster.ts";
import { createStubInformer, type StubInformer } from "#test/framework/stub-informer.ts";

const apiVersion = Subscription.apiVersion;
const feed = { apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name: "settings" };
const spec = { subscribers: [{ clusterAffinity: {} }], feeds: [feed] } as unknown as Subscription["spec"];
const template = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace: "shop", name: "settings" },
  data: { colour: "blue" },
};

const uidOf = ({ metadata: { uid } }: KubeObject): readonly string[] => (uid === undefined ? [] : [uid]);
const namespaceOf = ({ metadata: { namespace = "" } }: KubeObject): readonly string[] => [namespace];
const labelOf =
  (key: string) =>
  ({ metadata }: KubeObject): readonly string[] => [metadata.labels?.[key] ?? ""];
const feedsOf = ({ spec: { feeds } }: { spec: { feeds: readonly (typeof feed)[] } }): readonly string[] => feeds.map(feedKey);

function stubs(): { readonly [K in keyof DeliveryInformers]: StubInformer<never> } {
  const bases = {
    [by.uid]: uidOf,
    [by.feed]: feedsOf as never,
    [by.namespace]: namespaceOf,
    [by.subscription]: labelOf(labels.subscriptionUid),
  };
  const descriptions = {
    [by.namespace]: namespaceOf,
    [by.subscription]: labelOf(labels.subscriptionUid),
    [by.base]: labelOf(labels.configUid),
  };
  return {
    subscriptions: createStubInformer(Subscription, {
      [by.uid]: uidOf,
      [by.binding]: ({ status }) => status?.bindingClusters ?? [],
    }),
    bases: createStubInformer(Base, bases),
    descriptions: createStubInformer(Description, descriptions),
    manifests: createStubInformer(Manifest, { [by.feed]: manifestFeedKeys }),
    helmCharts: createStubInformer(HelmChart),
    globalizations: createStubInformer(Globalization),
    localizations: createStubInformer(Localization, { [by.namespace]: namespaceOf }),
    managedClusters: createStubInformer(ManagedCluster, { [by.namespace]: namespaceOf }),
  } as unknown as { readonly [K in keyof DeliveryInformers]: StubInformer<never> };
}

test("every kind in turn, and all at once, list as empty and come back: nothing is deleted, nothing is rendered to less", async () => {
  const parent = createMemoryCluster([]);
  const clock = createFakeClock();
  const informers = stubs();
  parent.make(
    { apiVersion, kind: "Manifest", metadata: { namespace: "clusternet-reserved", name: "configmaps.shop.settings" }, template },
    "t",
  );
  const cluster = {
    apiVersion: ManagedCluster.apiVersion,
    kind: "ManagedCluster",
    metadata: { namespace: "paris", name: "paris" },
  };
  parent.make({ ...cluster, spec: { clusterId: "id", syncMode: "Pull" } }, "t");
  const status = { bindingClusters: ["paris/paris"], specHash: specHash(spec) };
  parent.make({ apiVersion, kind: "Subscription", metadata: { namespace: "shop", name: "web" }, spec, status }, "t");

  const kinds = {
    subscriptions: "Subscription",
    bases: "Base",
    descriptions: "Description",
    manifests: "Manifest",
    managedClusters: "ManagedCluster",
  } as const;
  const names = {
    Subscription: "web",
    Base: "web.shop",
    Description: "web.shop-generic",
    Manifest: "configmaps.shop.settings",
    ManagedCluster: "paris",
  };
  const tell = (key: keyof typeof kinds): void => {
    const object = parent.object(kinds[key], names[kinds[key]]);
    informers[key].listed(...((object === undefined ? [] : [object]) as never[]));
  };
  const keys = Object.keys(kinds) as (keyof typeof kinds)[];
  const settle = async (told = keys): Promise<void> => {
    for (let round = 0; round < 10; round += 1) {
      await clock.advance(200);
      for (const key of told) tell(key);
    }
  };

  const common = {
    client: parent.client,
    informers: informers as unknown as DeliveryInformers,
    events: { record: () => undefined, flush: () => Promise.resolve() },
    clock,
    log: silentLogger,
    metrics: createMetrics(),
    concurrency: 2,
  };
  const stopping = new AbortController();
  for (const key of keys) tell(key);
  const children = { of: () => ({ client: parent.client, discovery: parent.discovery }) };
  const running = Promise.all(
    [
      subscriptionController({ ...common, fleetPercentMax: 30 }),
      baseController({ ...common, crossNamespaceFeeds: false }),
      descriptionController({ ...common, children, lostClusterGraceMs: 1_000 }),
    ].map((controller) => controller.run(stopping.signal)),
  );
  await settle();
  const raw = (): unknown =>
    (parent.object("Description", "web.shop-generic") as { spec?: { raw?: unknown } } | undefined)?.spec?.raw;
  const before = raw();
  expect(before).toHaveLength(1);

  for (const empty of [...keys.map((key) => [key]), keys]) {
    for (const key of empty) informers[key].listed();
    await settle(keys.filter((key) => !empty.includes(key)));
    expect(raw()).toEqual(before);
    await settle();
    expect(raw()).toEqual(before);
  }
  expect(parent.calls.filter(({ verb }) => verb === "delete")).toEqual([]);
  stopping.abort(new Error("The test is over"));
  await running;
});
