// Examples of the kinds in this folder, one chain from template to child: shown in the docs, accepted by a real API server in a test.

import type { Example } from "#api/define-kind.ts";

const apiVersion = "apps.clusternet.io/v1alpha1";
const clusterId = "dc91021d-2361-4f6d-a404-7c33b9e01118";
const clusterName = "clusternet-cluster-x7k2p";
const dedicatedNamespace = "clusternet-5l82l";
const subscriptionUid = "0c1d9a52-6b1f-4a1e-8f55-2d0a7f3f9b01";
const baseUid = "6b6f3f2c-0d7a-4d4b-9a53-b1c0f5b2a902";
const manifestUid = "9d3be8d1-3a63-4f0e-bd0f-6a1a3f5c7703";
const finalizers = ["apps.clusternet.io/finalizer"];
const feed = { apiVersion: "apps/v1", kind: "Deployment", namespace: "foo", name: "web" };
const clusterLabels = { "clusters.clusternet.io/cluster-id": clusterId, "clusters.clusternet.io/cluster-name": clusterName };
const byControllerManager = { "clusternet.io/created-by": "clusternet-controller-manager" };
const bySubscription = {
  "apps.clusternet.io/subs.namespace": "default",
  "apps.clusternet.io/subs.uid": subscriptionUid,
};

export const manifestExamples: readonly Example[] = [
  {
    title: "the template of Deployment foo/web",
    object: {
      apiVersion,
      kind: "Manifest",
      metadata: {
        name: "deployments.foo.web",
        namespace: "clusternet-reserved",
        finalizers: ["apps.clusternet.io/finalizer", "apps.clusternet.io/feed-protection"],
        labels: {
          app: "web",
          "clusternet.io/created-by": "clusternet-hub",
          "apps.clusternet.io/config.group": "apps",
          "apps.clusternet.io/config.version": "v1",
          "apps.clusternet.io/config.kind": "Deployment",
          "apps.clusternet.io/config.name": "web",
          "apps.clusternet.io/config.namespace": "foo",
          [baseUid]: "Base",
          [subscriptionUid]: "Subscription",
        },
      },
      template: {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: {
          name: "web",
          namespace: "foo",
          uid: "3f8f7f6e-9a51-4d1c-8f0b-5b3c5e0c1104",
          labels: { app: "web", "clusternet.io/created-by": "clusternet-hub" },
        },
        spec: {
          replicas: 2,
          selector: { matchLabels: { app: "web" } },
          template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image: "nginx" }] } },
        },
      },
    },
  },
];

export const subscriptionExamples: readonly Example[] = [
  {
    title: "a Deployment to one cluster",
    object: {
      apiVersion,
      kind: "Subscription",
      metadata: { name: "web-sub", namespace: "default", labels: { [subscriptionUid]: "Subscription" }, finalizers },
      spec: {
        schedulingStrategy: "Replication",
        subscribers: [{ clusterAffinity: { matchLabels: { "clusters.clusternet.io/cluster-id": clusterId } } }],
        feeds: [feed],
      },
      status: { bindingClusters: [`${dedicatedNamespace}/${clusterName}`], specHash: 1234567890, desiredReleases: 1 },
    },
  },
  {
    title: "replicas shared out by weight, two to one",
    object: {
      apiVersion,
      kind: "Subscription",
      metadata: { name: "web-by-weight", namespace: "default" },
      spec: {
        schedulingStrategy: "Dividing",
        dividingScheduling: { type: "Static" },
        subscribers: [
          { clusterAffinity: { matchLabels: { region: "eu" } }, weight: 2 },
          { clusterAffinity: { matchLabels: { region: "us" } }, weight: 1 },
        ],
        clusterTolerations: [{ key: "clusters.clusternet.io/unschedulable", operator: "Exists", effect: "NoSchedule" }],
        feeds: [feed],
      },
      status: {
        observedGeneration: 1,
        bindingClusters: [`${dedicatedNamespace}/${clusterName}`, "clusternet-7xw2q/us-1"],
        replicas: { "apps/v1/Deployment/foo/web": [2, 1], "v1/Service/foo/web": [] },
        specHash: 4294967295,
        desiredReleases: 2,
        aggregatedStatuses: [
          {
            ...feed,
            feedStatusSummary: { available: true, replicaStatus: { replicas: 3, readyReplicas: 3 } },
            feedStatusDetails: [{ clusterId, clusterName, available: true, replicaStatus: { replicas: 2, readyReplicas: 2 } }],
          },
        ],
      },
    },
  },
];

export const baseExamples: readonly Example[] = [
  {
    title: "what Subscription default/web-sub brings to one cluster",
    object: {
      apiVersion,
      kind: "Base",
      metadata: {
        name: "web-sub-9xq4d",
        namespace: dedicatedNamespace,
        finalizers,
        labels: {
          [baseUid]: "Base",
          ...byControllerManager,
          "apps.clusternet.io/config.kind": "Subscription",
          "apps.clusternet.io/config.name": "web-sub",
          "apps.clusternet.io/config.namespace": "default",
          "apps.clusternet.io/config.uid": subscriptionUid,
          "apps.clusternet.io/subs.name": "web-sub",
          ...bySubscription,
          ...clusterLabels,
        },
      },
      spec: { feeds: [feed] },
    },
  },
];

export const descriptionExamples: readonly Example[] = [
  {
    title: "one Deployment, applied",
    object: {
      apiVersion,
      kind: "Description",
      metadata: {
        name: "web-sub-9xq4d-generic",
        namespace: dedicatedNamespace,
        finalizers,
        ownerReferences: [
          { apiVersion, kind: "Base", name: "web-sub-9xq4d", uid: baseUid, controller: true, blockOwnerDeletion: true },
        ],
        labels: {
          ...byControllerManager,
          "apps.clusternet.io/config.kind": "Base",
          "apps.clusternet.io/config.namespace": dedicatedNamespace,
          "apps.clusternet.io/config.uid": baseUid,
          ...bySubscription,
          ...clusterLabels,
        },
      },
      spec: {
        deployer: "Generic",
        // {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"web","namespace":"foo"}}
        raw: ["eyJhcGlWZXJzaW9uIjoidjEiLCJraW5kIjoiQ29uZmlnTWFwIiwibWV0YWRhdGEiOnsibmFtZSI6IndlYiIsIm5hbWVzcGFjZSI6ImZvbyJ9fQ=="],
      },
      status: {
        observedGeneration: 1,
        phase: "Success",
        manifestStatuses: [{ ...feed, observedStatus: { replicas: 2, conditions: [{ type: "Available", status: "True" }] } }],
        inventory: [{ ...feed, uid: "b6f2f6d3-4f37-4c4e-9f57-0a0b6c1d2e05" }],
      },
    },
  },
];

export const feedInventoryExamples: readonly Example[] = [
  {
    title: "two replicas of half a CPU each",
    object: {
      apiVersion,
      kind: "FeedInventory",
      metadata: { name: "web-sub", namespace: "default", labels: { ...byControllerManager, ...bySubscription } },
      spec: {
        feeds: [
          {
            ...feed,
            desiredReplicas: 2,
            replicaJsonPath: "/spec/replicas",
            replicaRequirements: {
              nodeSelector: { disk: "ssd" },
              tolerations: [{ key: "dedicated", operator: "Equal", value: "web", effect: "NoSchedule" }],
              affinity: {
                nodeAffinity: {
                  requiredDuringSchedulingIgnoredDuringExecution: {
                    nodeSelectorTerms: [{ matchExpressions: [{ key: "zone", operator: "In", values: ["a"] }] }],
                  },
                },
              },
              resources: { requests: { cpu: "500m", memory: "1Gi" }, limits: { cpu: 1 } },
            },
          },
          // As upstream writes a feed that cannot be divided.
          { apiVersion: "v1", kind: "Service", namespace: "foo", name: "web", replicaRequirements: { resources: {} } },
        ],
      },
    },
  },
];

export const globalizationExamples: readonly Example[] = [
  {
    title: "three replicas in every cluster of a region",
    object: {
      apiVersion,
      kind: "Globalization",
      metadata: { name: "web-replicas-eu", labels: { [manifestUid]: "Deployment" } },
      spec: {
        overridePolicy: "ApplyNow",
        clusterAffinity: { matchExpressions: [{ key: "region", operator: "In", values: ["eu"] }] },
        priority: 100,
        feed,
        overrides: [{ name: "replicas", type: "MergePatch", value: '{"spec":{"replicas":3}}' }],
      },
    },
  },
];

export const localizationExamples: readonly Example[] = [
  {
    title: "replicas of one cluster, as divided",
    object: {
      apiVersion,
      kind: "Localization",
      metadata: {
        name: "web-sub-9xq4d-7bcdf",
        namespace: dedicatedNamespace,
        labels: { [subscriptionUid]: "Subscription", ...byControllerManager, [manifestUid]: "Deployment" },
      },
      spec: {
        priority: 1000,
        overridePolicy: "ApplyNow",
        feed,
        overrides: [
          {
            name: "dividing scheduling replicas",
            type: "JSONPatch",
            value: '[{"path":"/spec/replicas","value":3,"op":"replace"}]',
          },
        ],
      },
    },
  },
  {
    title: "a setting inside a text field of one cluster",
    object: {
      apiVersion,
      kind: "Localization",
      metadata: { name: "web-log-level", namespace: dedicatedNamespace },
      spec: {
        feed: { apiVersion: "v1", kind: "ConfigMap", namespace: "foo", name: "web" },
        overrides: [
          { type: "FieldMergePatch", fieldPath: "/data/config.yaml", fieldFormat: "YAML", value: "log:\n  level: debug\n" },
        ],
      },
    },
  },
];

const mysql = { repo: "https://charts.example.com/stable", chart: "mysql", version: "9.2.0", targetNamespace: "abc" };

export const helmChartExamples: readonly Example[] = [
  {
    title: "a chart of an HTTP repository",
    object: {
      apiVersion,
      kind: "HelmChart",
      metadata: { name: "mysql", namespace: "default" },
      // As upstream writes it: chartPullSecret is always there.
      spec: { ...mysql, chartPullSecret: {} },
      status: { phase: "Found" },
    },
  },
  {
    title: "a chart of an OCI registry with a password",
    object: {
      apiVersion,
      kind: "HelmChart",
      metadata: { name: "nginx", namespace: "default" },
      spec: {
        repo: "oci://registry.example.com/charts",
        chart: "nginx",
        version: "15.0.0",
        chartPullSecret: { name: "registry", namespace: "default" },
        plainHTTP: false,
        targetNamespace: "web",
      },
    },
  },
];

export const helmReleaseExamples: readonly Example[] = [
  {
    title: "mysql in one cluster",
    object: {
      apiVersion,
      kind: "HelmRelease",
      metadata: {
        name: "web-sub-9xq4d-helm-default-mysql",
        namespace: dedicatedNamespace,
        finalizers,
        labels: { ...byControllerManager, "apps.clusternet.io/config.kind": "Description", ...bySubscription, ...clusterLabels },
      },
      spec: { ...mysql, releaseName: "mysql", overrides: "eyJyZXBsaWNhQ291bnQiOjJ9" },
      status: {
        phase: "deployed",
        version: 1,
        firstDeployed: "2026-01-01 00:00:00.123456789 +0000 UTC",
        lastDeployed: "2026-01-01 00:00:00.123456789 +0000 UTC",
        description: "Install complete",
      },
    },
  },
];
