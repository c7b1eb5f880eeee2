// A deleted template is let go only when nobody uses it, also when the caches were empty for a moment.

import { expect, test } from "@jest/globals";
import { Base } from "#api/apps/v1alpha1/base.ts";
import { HelmChart } from "#api/apps/v1alpha1/helm-chart.ts";
import { Manifest } from "#api/apps/v1alpha1/manifest.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { silentLogger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";
import { createFakeClock } from "#test/framework/fake-clock.ts";
import { createMemoryCluster, type MemoryCluster } from "#test/framework/memory-cluster.ts";
import { createStubInformer } from "#test/framework/stub-informer.ts";
import { feedProtectionControllers } from "./controller.ts";

const template = { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "shop", name: "c" } };
const feed = { apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name: "c" };
const apiVersion = "apps.clusternet.io/v1alpha1";

async function afterDeletion(parent: MemoryCluster): Promise<readonly string[] | undefined> {
  const metadata = {
    namespace: "clusternet-reserved",
    name: "configmaps.shop.c",
    finalizers: ["apps.clusternet.io/feed-protection"],
  };
  parent.make({ apiVersion, kind: "Manifest", metadata, template }, "test");
  parent.edit("Manifest", metadata.name, {
    by: "test",
    change: (object) => (object.metadata["deletionTimestamp"] = "2030-01-01T00:00:00Z"),
  });
  const manifests = createStubInformer(Manifest);
  manifests.listed(parent.object("Manifest", metadata.name) as unknown as Manifest);
  const clock = createFakeClock();
  const stopping = new AbortController();
  const informers = {
    manifests,
    subscriptions: createStubInformer(Subscription),
    bases: createStubInformer(Base),
    helmCharts: createStubInformer(HelmChart),
  };
  const [controller] = feedProtectionControllers({
    client: parent.client,
    informers: informers as unknown as Parameters<typeof feedProtectionControllers>[0]["informers"],
    events: { record: () => undefined, flush: () => Promise.resolve() },
    clock,
    log: silentLogger,
    metrics: createMetrics(),
    concurrency: 1,
    crossNamespaceFeeds: false,
  });
  const running = controller!.run(stopping.signal);
  await clock.advance(60_000);
  stopping.abort(new Error("The test is over"));
  await running;
  return parent.object("Manifest", metadata.name)?.metadata.finalizers;
}

test("lets go of a template that nobody uses", async () => {
  expect(await afterDeletion(createMemoryCluster([]))).toEqual([]);
});

test("asks once more before it lets go: a cache that came back empty is no answer", async () => {
  const parent = createMemoryCluster([]);
  parent.make(
    { apiVersion, kind: "Subscription", metadata: { namespace: "shop", name: "web" }, spec: { feeds: [feed] } },
    "test",
  );
  expect(await afterDeletion(parent)).toEqual(["apps.clusternet.io/feed-protection"]);
});
