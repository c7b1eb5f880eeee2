// The integration's settings hold on until nothing of ours is in any workload cluster, and say what is wrong with them.

import { beforeEach, expect, test } from "@jest/globals";
import type { KubeObject, ResourceType } from "#api/meta.ts";
import { finalizers, labels } from "#api/names.ts";
import { ConfigMap } from "#kube/builtin-kinds.ts";
import { silentLogger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";
import { createFakeClock } from "#test/framework/fake-clock.ts";
import { createMemoryCluster, type MemoryCluster } from "#test/framework/memory-cluster.ts";
import { createStubInformer } from "#test/framework/stub-informer.ts";
import { createSettingsController, releaseWithoutClusterApi } from "./settings-controller.ts";
import { apiVersionFor, type CapiCluster } from "./contract.ts";

const NAME = "clusternet-cluster-api-integration";
const SYSTEM = "clusternet-system";
const CLUSTER = "default/oslo";
const clusterType: ResourceType<CapiCluster> = {
  group: "cluster.x-k8s.io",
  version: "v1beta2",
  kind: "Cluster",
  plural: "clusters",
  scope: "Namespaced",
};
const usable = { image: "example.test/image:1", parentURL: "https://parent:6443" };

let parent: MemoryCluster;
let said: string[];

beforeEach(() => {
  parent = createMemoryCluster([clusterType]);
  said = [];
});

function makeSettings(data: Readonly<Record<string, string>> = usable, held = true): void {
  const metadata = {
    namespace: SYSTEM,
    name: NAME,
    finalizers: held ? [finalizers.clusterApi] : [],
    labels: { [labels.clusterApiSettings]: "true" },
  };
  parent.make({ apiVersion: "v1", kind: "ConfigMap", metadata, data }, "program");
}

function makeCluster(held: boolean): void {
  const metadata = { namespace: "default", name: "oslo", finalizers: held ? [finalizers.clusterApi] : [] };
  parent.make({ apiVersion: apiVersionFor("v1beta2"), kind: "Cluster", metadata, spec: {} }, "capi");
}

function makeGrant(cluster: string | undefined): KubeObject {
  const annotations = cluster === undefined ? {} : { "clusters.clusternet.io/cluster-api-cluster": cluster };
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: SYSTEM, name: "clusternet-join-oslo", annotations } };
}

const remove = (): void => {
  parent.edit("ConfigMap", NAME, {
    by: "program",
    change: ({ metadata }) => (metadata["deletionTimestamp"] = "2030-01-01T00:00:00Z"),
  });
};
const finalizersNow = (): readonly string[] | undefined => parent.object("ConfigMap", NAME)?.metadata.finalizers;

async function reconciled(grants: readonly KubeObject[] = []): Promise<void> {
  const informers = {
    settings: createStubInformer(ConfigMap),
    clusters: createStubInformer(clusterType),
    grants: createStubInformer(ConfigMap),
  };
  informers.settings.listed(parent.object("ConfigMap", NAME) as unknown as ConfigMap);
  informers.grants.listed(...(grants as readonly ConfigMap[]));
  const clock = createFakeClock();
  const stopping = new AbortController();
  const controller = createSettingsController({
    client: parent.client,
    clusterType,
    informers,
    events: { record: (_object, { reason, message }) => said.push(`${reason}: ${message}`), flush: () => Promise.resolve() },
    clock,
    log: silentLogger,
    metrics: createMetrics(),
  });
  const running = controller.run(stopping.signal);
  await clock.advance(10_000);
  stopping.abort(new Error("The test is over"));
  await running;
}

test("are held before anything is installed with them", async () => {
  makeSettings(usable, false);
  await reconciled();
  expect(finalizersNow()).toEqual([finalizers.clusterApi]);
  expect(said).toEqual([]);
});

test("that are held already are not written", async () => {
  makeSettings();
  await reconciled();
  expect(parent.writes()).toEqual([]);
});

test("that cannot be used say why, and are held all the same", async () => {
  makeSettings({ image: "x", parentURL: "http://parent" }, false);
  await reconciled();
  expect(said).toEqual([expect.stringMatching(/^InvalidSettings: Nothing is installed or changed .*parentURL/)]);
  expect(finalizersNow()).toEqual([finalizers.clusterApi]);
});

test("go when no Cluster has our finalizer and no grant is left", async () => {
  makeSettings();
  makeCluster(false);
  remove();
  await reconciled([makeGrant(undefined)]);
  expect(finalizersNow() ?? []).toEqual([]);
});

test("stay while a Cluster is held, though no cache knows of it", async () => {
  makeSettings();
  makeCluster(true);
  remove();
  await reconciled();
  expect(finalizersNow()).toEqual([finalizers.clusterApi]);
});

test("stay while a grant of a Cluster is left, though its Cluster is gone", async () => {
  makeSettings();
  remove();
  await reconciled([makeGrant(CLUSTER)]);
  expect(finalizersNow()).toEqual([finalizers.clusterApi]);
});

test("that are being deleted do not wait for a Cluster API that is gone", async () => {
  makeSettings();
  const { signal } = new AbortController();
  await releaseWithoutClusterApi({ client: parent.client, namespace: SYSTEM }, signal);
  expect(finalizersNow()).toEqual([finalizers.clusterApi]);
  remove();
  await releaseWithoutClusterApi({ client: parent.client, namespace: SYSTEM }, signal);
  expect(finalizersNow() ?? []).toEqual([]);
});
