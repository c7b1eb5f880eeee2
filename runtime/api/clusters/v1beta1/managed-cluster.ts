// ManagedCluster: one child cluster and its health, in that child's dedicated namespace.

import * as z from "zod";

import { Taint } from "#api/core-types.ts";
import { ageColumn, celRules, defineKind, type KindOf, statusSchema } from "#api/define-kind.ts";
import { clusterId, int32, int64, quantity, resourceList, SyncMode, timestamp } from "#api/fields.ts";
import { Condition } from "#api/meta.ts";
import { categories, groups, versions } from "#api/names.ts";
import { managedClusterExamples } from "./examples.ts";

const spec = z
  .object({
    clusterId: clusterId.describe("Uid of the child. Never changes."),
    clusterType: z.string().optional().describe("StandardCluster, EdgeCluster or a name of your own."),
    clusterInitBaseName: z
      .string()
      .max(512)
      .meta(celRules({ rule: "self == oldSelf", message: "clusterInitBaseName is immutable" }))
      .optional()
      .describe("Base with which this cluster was initialised."),
    syncMode: SyncMode.describe("Who applies Descriptions: the parent (Push), the agent (Pull), or either (Dual)."),
    taints: z.array(Taint).optional().describe("Keep Subscriptions away that do not tolerate them."),
  })
  .meta(
    celRules({
      rule: "!has(oldSelf.clusterInitBaseName) || has(self.clusterInitBaseName)",
      message: "clusterInitBaseName is required once set",
    }),
  )
  .describe("What the cluster is.");

const nodeStatistics = z.object({
  readyNodes: int32.optional().describe("Nodes with Ready=True."),
  notReadyNodes: int32.optional().describe("Nodes with Ready=False."),
  unknownNodes: int32.optional().describe("Nodes with Ready=Unknown."),
  lostNodes: int32.optional().describe("Nodes without a Ready condition."),
});

const podStatistics = z.object({
  runningPods: int32.optional().describe("Pods that run."),
  totalPods: int32.optional().describe("All pods."),
});

const resourceUsage = z.object({
  cpuUsage: quantity.optional().describe("CPU in use."),
  memoryUsage: quantity.optional().describe("Memory in use."),
});

const status = statusSchema({
  lastObservedTime: timestamp.optional().describe("When the agent last collected this status."),
  k8sVersion: z.string().optional().describe("Version of the child's API server."),
  platform: z.string().optional().describe("Platform of the child's API server, such as linux/amd64."),
  agentVersion: z.string().optional().describe("Version of the agent."),
  apiserverURL: z.string().optional().describe("URL of the child's API server as the agent sees it."),
  healthz: z.boolean().optional().describe("Whether the child's /healthz answers ok."),
  livez: z.boolean().optional().describe("Whether the child's /livez answers ok."),
  readyz: z.boolean().optional().describe("Whether the child's /readyz answers ok."),
  appPusher: z.boolean().optional().describe("Whether the child lets the parent push."),
  useSocket: z.boolean().optional().describe("Whether the child is reached through a tunnel."),
  kubeQPS: z.number().optional().describe("Client limit of the agent: requests per second."),
  kubeBurst: int32.optional().describe("Client limit of the agent: requests at once."),
  allocatable: resourceList.optional().describe("What the nodes together offer to pods."),
  capacity: resourceList.optional().describe("What the nodes together have."),
  clusterCIDR: z.string().optional().describe("Addresses of pods."),
  serviceCIDR: z.string().optional().describe("Addresses of Services."),
  nodeStatistics: nodeStatistics.optional().describe("How many nodes are in which state."),
  podStatistics: podStatistics.optional().describe("How many pods there are; needs a metrics server in the child."),
  resourceUsage: resourceUsage.optional().describe("What is in use; needs a metrics server in the child."),
  conditions: z
    .array(Condition)
    .optional()
    .describe("Ready and ClusterInit, one entry per type.")
    .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"] }),
  heartbeatFrequencySeconds: int64.optional().describe("How often the agent reports."),
  predictorEnabled: z.boolean().optional().describe("Whether the child answers capacity questions."),
  predictorAddress: z.string().optional().describe("Where the child answers capacity questions."),
  predictorDirectAccess: z.boolean().optional().describe("Whether that address can be reached without a tunnel."),
}).describe("What the agent reports; conditions also by the controller-manager.");

export const ManagedCluster = defineKind({
  group: groups.clusters,
  version: versions.clusters,
  kind: "ManagedCluster",
  plural: "managedclusters",
  scope: "Namespaced",
  shortNames: ["mcls"],
  categories: [categories.clusternet],
  description: "One child cluster and its health. Made when a ClusterRegistrationRequest is approved.",
  spec,
  status,
  columns: [
    { name: "CLUSTER ID", type: "string", jsonPath: ".spec.clusterId" },
    { name: "CLUSTER TYPE", type: "string", jsonPath: ".spec.clusterType", priority: 100 },
    { name: "SYNC MODE", type: "string", jsonPath: ".spec.syncMode" },
    { name: "KUBERNETES", type: "string", jsonPath: ".status.k8sVersion" },
    { name: "STATUS", type: "string", jsonPath: ".status.conditions[?(@.type=='Ready')].status" },
    ageColumn,
    { name: "AGENT VERSION", type: "string", jsonPath: ".status.agentVersion", priority: 100 },
  ],
  examples: managedClusterExamples,
});
export type ManagedCluster = KindOf<typeof ManagedCluster>;
