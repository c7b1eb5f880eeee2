// Examples of the kinds in this folder: shown in the docs, accepted by a real API server in a test.

import type { Example } from "#api/define-kind.ts";

const clusterId = "dc91021d-2361-4f6d-a404-7c33b9e01118";
const clusterName = "clusternet-cluster-x7k2p";
const apiVersion = "clusters.clusternet.io/v1beta1";

export const clusterRegistrationRequestExamples: readonly Example[] = [
  {
    title: "approved, of an upstream agent",
    object: {
      apiVersion,
      kind: "ClusterRegistrationRequest",
      metadata: {
        name: `clusternet-${clusterId}`,
        labels: {
          "clusters.clusternet.io/registered-by": "clusternet-agent",
          "clusters.clusternet.io/cluster-id": clusterId,
          "clusters.clusternet.io/cluster-name": clusterName,
        },
      },
      spec: { clusterId, clusterName, clusterType: "StandardCluster", syncMode: "Dual" },
      status: {
        result: "Approved",
        dedicatedNamespace: "clusternet-5l82l",
        managedClusterName: clusterName,
        token: "ZXhhbXBsZQ==",
        caCertificate: "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==",
      },
    },
  },
  {
    title: "approved, of our agent: the token is sealed to the agent's key",
    object: {
      apiVersion,
      kind: "ClusterRegistrationRequest",
      metadata: {
        name: "clusternet-0f6f2f0e-5a0c-4f0b-9f57-3b7a8f1f2c11",
        annotations: { "clusters.clusternet.io/requested-by": "system:bootstrap:07401b" },
        labels: {
          "clusters.clusternet.io/registered-by": "clusternet-agent",
          "clusters.clusternet.io/cluster-id": "0f6f2f0e-5a0c-4f0b-9f57-3b7a8f1f2c11",
          "clusters.clusternet.io/cluster-name": "berlin-1",
        },
      },
      spec: {
        clusterId: "0f6f2f0e-5a0c-4f0b-9f57-3b7a8f1f2c11",
        clusterName: "berlin-1",
        clusterNamespace: "fleet-berlin-1",
        clusterLabels: { region: "eu" },
        clusterType: "StandardCluster",
        syncMode: "Pull",
        publicKey:
          '{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}',
      },
      status: {
        observedGeneration: 1,
        result: "Approved",
        dedicatedNamespace: "fleet-berlin-1",
        managedClusterName: "berlin-1",
        sealedToken: "eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTI1NkdDTSJ9..aXY.Y2lwaGVydGV4dA.dGFn",
        caCertificate: "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==",
        conditions: [
          {
            type: "Approved",
            status: "True",
            reason: "GrantFound",
            message: "system:bootstrap:07401b may join as berlin-1",
            lastTransitionTime: "2026-01-01T00:00:00Z",
          },
        ],
      },
    },
  },
];

export const managedClusterExamples: readonly Example[] = [
  {
    title: "ready",
    object: {
      apiVersion,
      kind: "ManagedCluster",
      metadata: {
        name: clusterName,
        namespace: "clusternet-5l82l",
        labels: {
          "clusternet.io/created-by": "clusternet-agent",
          "clusters.clusternet.io/cluster-id": clusterId,
          "clusters.clusternet.io/cluster-name": clusterName,
        },
      },
      spec: { clusterId, clusterType: "StandardCluster", syncMode: "Dual", taints: [] },
      status: {
        agentVersion: "v0.18.0",
        k8sVersion: "v1.30.2",
        platform: "linux/amd64",
        apiserverURL: "https://10.96.0.1:443",
        appPusher: true,
        useSocket: true,
        healthz: true,
        livez: true,
        readyz: true,
        kubeQPS: 50,
        kubeBurst: 100,
        heartbeatFrequencySeconds: 180,
        lastObservedTime: "2026-01-01T00:00:00Z",
        nodeStatistics: { readyNodes: 3 },
        allocatable: { cpu: "12", memory: "24Gi" },
        capacity: { cpu: "12", memory: "24Gi" },
        clusterCIDR: "10.244.0.0/16",
        serviceCIDR: "10.96.0.0/16",
        predictorEnabled: true,
        predictorAddress: "http://localhost:8080",
        predictorDirectAccess: false,
        conditions: [
          {
            type: "Ready",
            status: "True",
            reason: "ManagedClusterReady",
            message: "The cluster is ready",
            lastTransitionTime: "2026-01-01T00:00:00Z",
          },
          {
            type: "ClusterInit",
            status: "True",
            reason: "ClusterInitDisabled",
            message: "The cluster starts without a workload",
            lastTransitionTime: "2026-01-01T00:00:00Z",
          },
        ],
      },
    },
  },
];
