// What we read of Cluster API's objects, in both versions that are served.

import { expect, test } from "@jest/globals";
import {
  apiVersionFor,
  CONTRACT_VERSIONS,
  isBeingDeleted,
  isControlPlaneReady,
  isPaused,
  kubeconfigSecretName,
  meaningfulLabels,
  type CapiCluster,
} from "./contract.ts";

const aCluster = ({ metadata, ...more }: Partial<CapiCluster> = {}): CapiCluster => ({
  apiVersion: "cluster.x-k8s.io/v1beta2",
  kind: "Cluster",
  metadata: { name: "oslo", namespace: "default", ...metadata },
  ...more,
});

test.each<[string, CapiCluster["status"], boolean]>([
  ["v1beta2, ready", { initialization: { controlPlaneInitialized: true } }, true],
  ["v1beta2, not ready", { initialization: { controlPlaneInitialized: false } }, false],
  ["v1beta2, provisioning", { initialization: {} }, false],
  ["v1beta1, ready", { controlPlaneReady: true }, true],
  ["v1beta1, not ready", { controlPlaneReady: false }, false],
  ["an empty status", {}, false],
])("the control plane of a Cluster is ready or not: %s", (_what, status, ready) => {
  expect(isControlPlaneReady(aCluster(status === undefined ? {} : { status }))).toBe(ready);
});

test("a Cluster without a status is not ready", () => {
  expect(isControlPlaneReady(aCluster())).toBe(false);
});

test("a Cluster is paused by its field or by its annotation, whatever that says", () => {
  const annotated = (value: string): CapiCluster =>
    aCluster({ metadata: { name: "oslo", annotations: { "cluster.x-k8s.io/paused": value } } });
  expect(isPaused(aCluster())).toBe(false);
  expect(isPaused(aCluster({ spec: { paused: false } }))).toBe(false);
  expect(isPaused(aCluster({ spec: { paused: true } }))).toBe(true);
  expect(isPaused(annotated(""))).toBe(true);
  expect(isPaused(annotated("false"))).toBe(true);
});

test("a Cluster that finalizers still hold is being deleted", () => {
  expect(isBeingDeleted(aCluster())).toBe(false);
  expect(isBeingDeleted(aCluster({ metadata: { name: "oslo", deletionTimestamp: "2026-01-01T00:00:00Z" } }))).toBe(true);
});

test("labels of machinery are no labels of the cluster", () => {
  const labels = {
    stage: "demo",
    "example.com/team": "a",
    "cluster.x-k8s.io/cluster-name": "oslo",
    "topology.cluster.x-k8s.io/owned": "",
    "app.kubernetes.io/name": "x",
    "k8s.io/y": "x",
    "clusters.clusternet.io/cluster-id": "y",
    "notk8s.io/z": "kept",
    "k8s.io": "a key without a prefix",
  };
  expect(meaningfulLabels(aCluster({ metadata: { name: "oslo", labels } }))).toEqual({
    stage: "demo",
    "example.com/team": "a",
    "notk8s.io/z": "kept",
    "k8s.io": "a key without a prefix",
  });
  expect(meaningfulLabels(aCluster())).toEqual({});
});

test("the newest version comes first, and the Secret is named after the Cluster", () => {
  expect(CONTRACT_VERSIONS.map(apiVersionFor)).toEqual(["cluster.x-k8s.io/v1beta2", "cluster.x-k8s.io/v1beta1"]);
  expect(kubeconfigSecretName("oslo")).toBe("oslo-kubeconfig");
});
