// One Cluster at a time, from what is there to what is written: nothing too early, nothing twice, and everything gone before it is let go.

import { beforeEach, expect, test } from "@jest/globals";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { ResourceType } from "#api/meta.ts";
import { annotations, finalizers, joinGrantKeys } from "#api/names.ts";
import { ConfigMap } from "#kube/builtin-kinds.ts";
import { canonicalHash } from "#std/canonical-json.ts";
import { silentLogger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";
import { createFakeClock } from "#test/framework/fake-clock.ts";
import { createMemoryCluster, type MemoryCluster } from "#test/framework/memory-cluster.ts";
import { createStubInformer } from "#test/framework/stub-informer.ts";
import { apiVersionFor, type CapiCluster } from "./contract.ts";
import { createClusterController } from "./controller.ts";
import { nameCandidates } from "./names.ts";
import { readSettings } from "./settings.ts";
import { stagesFor } from "./workload-objects.ts";

const SYSTEM = "clusternet-system";
const KEY = "default/oslo";
const GRANT = "clusternet-join-oslo";
const SETTINGS = "clusternet-cluster-api-integration";
const clusterType = {
  group: "cluster.x-k8s.io",
  version: "v1beta2",
  kind: "Cluster",
  plural: "clusters",
  scope: "Namespaced",
} as ResourceType<CapiCluster>;

let parent: MemoryCluster;
let said: string[];

beforeEach(() => {
  parent = createMemoryCluster([clusterType]);
  said = [];
  const data = { image: "example.test/image:1", parentURL: "https://parent:6443" };
  const metadata = { namespace: SYSTEM, name: SETTINGS, finalizers: [finalizers.clusterApi] };
  parent.make({ apiVersion: "v1", kind: "ConfigMap", metadata, data }, "program");
});

interface ClusterState {
  readonly isReady?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  readonly isHeld?: boolean;
  readonly isGoing?: boolean;
}

function makeCluster({ isReady = true, labels = {}, isHeld = false, isGoing = false }: ClusterState = {}): void {
  const metadata = { namespace: "default", name: "oslo", labels, finalizers: isHeld ? [finalizers.clusterApi] : [] };
  const status = { initialization: { controlPlaneInitialized: isReady } };
  parent.make({ apiVersion: apiVersionFor("v1beta2"), kind: "Cluster", metadata, spec: {}, status }, "capi");
  if (isGoing)
    parent.edit("Cluster", "oslo", {
      by: "capi",
      change: (object) => (object.metadata["deletionTimestamp"] = "2030-01-01T00:00:00Z"),
    });
}

const settings = (): ConfigMap => parent.object("ConfigMap", SETTINGS) as unknown as ConfigMap;

/** As after an installation, by what it is told of itself. */
function makeGrant(labelsText = "{}"): void {
  const read = readSettings(settings());
  const [names] = nameCandidates(KEY);
  if (read.state !== "ready" || names === undefined) throw new Error("The settings are not ready");
  const marks = {
    [annotations.clusterApiCluster]: KEY,
    [annotations.installedHash]: canonicalHash(stagesFor(names, read.settings)),
    [annotations.joinTokenExpires]: "2099-01-01T00:00:00Z",
  };
  const data = { [joinGrantKeys.clusterName]: "oslo", [joinGrantKeys.clusterLabels]: labelsText };
  parent.make(
    { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: SYSTEM, name: GRANT, annotations: marks }, data },
    "us",
  );
}

async function reconciled(): Promise<readonly string[]> {
  const informers = {
    clusters: createStubInformer(clusterType),
    settings: createStubInformer(ConfigMap),
    grants: createStubInformer(ConfigMap),
    managedClusters: createStubInformer(ManagedCluster),
  };
  const [cluster, grant] = [parent.object("Cluster", "oslo"), parent.object("ConfigMap", GRANT)];
  if (cluster !== undefined) informers.clusters.listed(cluster);
  if (grant !== undefined) informers.grants.listed(grant);
  informers.settings.listed(settings());
  const clock = createFakeClock();
  const stopping = new AbortController();
  const controller = createClusterController({
    client: parent.client,
    clusterType,
    informers,
    namespace: SYSTEM,
    joinTokenLifetimeMs: 60_000,
    discoveryOf: () => parent.discovery,
    events: { record: (_object, { reason, message }) => said.push(`${reason}: ${message}`), flush: () => Promise.resolve() },
    clock,
    log: silentLogger,
    metrics: createMetrics(),
  });
  const running = controller.run(stopping.signal);
  await clock.advance(1_000);
  stopping.abort(new Error("The test is over"));
  await running;
  return parent.writes();
}

test("a control plane that is not ready is not touched", async () => {
  makeCluster({ isReady: false });
  expect(await reconciled()).toEqual([]);
});

test("a Cluster without a kubeconfig yet gets nothing, and an Event says why", async () => {
  makeCluster();
  expect(await reconciled()).toEqual([]);
  expect(said).toEqual(["KubeconfigMissing: Secret oslo-kubeconfig is missing"]);
});

test("what is installed as it should be is not written again", async () => {
  makeCluster({ isHeld: true });
  makeGrant();
  expect(await reconciled()).toEqual([]);
});

test("labels of the Cluster become those of its grant, and nothing else changes", async () => {
  makeCluster({ isHeld: true, labels: { stage: "demo", "cluster.x-k8s.io/cluster-name": "oslo" } });
  makeGrant();
  expect(await reconciled()).toEqual([`patch ConfigMap ${GRANT}`]);
  expect((parent.object("ConfigMap", GRANT) as unknown as ConfigMap).data?.[joinGrantKeys.clusterLabels]).toBe(
    '{"stage":"demo"}',
  );
});

test("a Cluster that goes is let go when nothing of ours is left, and its grant goes first", async () => {
  makeCluster({ isHeld: true, isGoing: true });
  makeGrant();
  const writes = await reconciled();
  expect(writes[0]).toBe(`delete ConfigMap ${GRANT}`);
  expect(parent.object("Cluster", "oslo")?.metadata.finalizers ?? []).toEqual([]);
});

test("a Cluster that goes is held while its child is being deregistered", async () => {
  makeCluster({ isHeld: true, isGoing: true });
  makeGrant();
  parent.edit("ConfigMap", GRANT, {
    by: "us",
    change: (object) => (object.metadata["finalizers"] = ["apps.clusternet.io/finalizer"]),
  });
  await reconciled();
  expect(parent.object("Cluster", "oslo")?.metadata.finalizers).toEqual([finalizers.clusterApi]);
});

test("a Cluster that goes and was never ours is not touched", async () => {
  makeCluster({ isGoing: true });
  expect(await reconciled()).toEqual([]);
});
