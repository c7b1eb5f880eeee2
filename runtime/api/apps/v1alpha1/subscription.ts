// Subscription: which feeds go to which clusters.

import * as z from "zod";

import { PreferredSchedulingTerm, Toleration, TopologySpreadConstraint } from "#api/core-types.ts";
import { ageColumn, defineKind, extension, type Immutable, type KindOf, statusSchema } from "#api/define-kind.ts";
import { clusterId, clusterName, int32, int64 } from "#api/fields.ts";
import { LabelSelector } from "#api/meta.ts";
import { categories, groups, versions } from "#api/names.ts";
import { DeliveryPolicy } from "./delivery-policy.ts";
import { Failover, Moves } from "./failover.ts";
import { Feed } from "./feed.ts";
import { Rebalance, Rebalancing } from "./rebalance.ts";
import { subscriptionExamples } from "./examples.ts";

const dynamicDividing = z.object({
  strategy: z.enum(["Spread", "Binpack"]).default("Spread").describe("Spread over many clusters, or fill one after the other."),
  topologySpreadConstraints: z.array(TopologySpreadConstraint).optional().describe("How even the spread must be."),
  preferredClusters: z.array(PreferredSchedulingTerm).optional().describe("Clusters that are preferred."),
  minClusters: int32.optional().describe("Fewest clusters to use."),
  maxClusters: int32.optional().describe("Most clusters to use."),
});

const dividingScheduling = z.object({
  type: z
    .enum(["Static", "Dynamic"])
    .default("Static")
    .describe("By the subscribers' weights, or by what fits into each cluster."),
  dynamicDividing: dynamicDividing.optional().describe("For Dynamic."),
});

const subscriber = z.object({
  clusterAffinity: LabelSelector.describe("Clusters that are meant, by labels of their ManagedCluster; in all namespaces."),
  weight: int32.min(0).optional().describe("For Static: share of these clusters."),
  subGroupStrategy: z
    .object({ minClusters: int32.min(0).optional().describe("Fewest clusters of this group to use.") })
    .optional()
    .describe("With schedulingBySubGroup: how to choose in this group."),
});

const spec = z
  .object({
    schedulerName: z.string().default("default").describe("Scheduler that binds this Subscription."),
    schedulingBySubGroup: z.boolean().optional().describe("Treat each subscriber as a group that is scheduled as one."),
    schedulingStrategy: z
      .enum(["Replication", "Dividing"])
      .default("Replication")
      .describe("Replication gives each cluster everything; Dividing shares the replicas out."),
    dividingScheduling: dividingScheduling.optional().describe("How to share out, for Dividing."),
    priority: int32
      .optional()
      .describe("Higher is scheduled first, and may take room from lower (see preemptionPolicy). Not set is 0."),
    preemptionPolicy: z
      .enum(["PreemptLowerPriority", "PreemptNever", "Never"])
      .default("PreemptLowerPriority")
      .describe(
        "Whether it may take room from Subscriptions of lower priority when it lacks some. Both must be divided by capacity (Dynamic). " +
          "PreemptNever and Never mean the same: upstream's schema allows only the first, its code and documentation " +
          "use only the second; here both are accepted.",
      ),
    subscribers: z.array(subscriber).describe("Which clusters: those that any entry selects."),
    clusterTolerations: z.array(Toleration).optional().describe("Taints of clusters that do not keep this Subscription away."),
    feeds: z.array(Feed).describe("What these clusters get."),
    delivery: DeliveryPolicy.optional(),
    failover: Failover.optional(),
    rebalance: Rebalance.optional(),
    schedulingGates: z
      .array(z.object({ name: z.string().min(1).max(253).describe("Who holds it closed, such as example.com/approval.") }))
      .max(10)
      .optional()
      .describe("While there is one, nothing is decided and bindings stay as they are; whoever set it removes it.")
      .meta(extension),
  })
  .describe("What goes where.");

const count = int32.optional();

const replicaStatus = z.object({
  observedGeneration: int64.optional().describe("Generation of the object that the numbers speak about."),
  replicas: count.describe("All replicas."),
  updatedReplicas: count.describe("Replicas of the newest version."),
  currentReplicas: count.describe("Replicas of the current version, for StatefulSets."),
  readyReplicas: count.describe("Replicas that are ready."),
  availableReplicas: count.describe("Replicas that have been ready long enough."),
  unavailableReplicas: count.describe("Replicas that are missing."),
  active: count.describe("Pods of a Job that run."),
  succeeded: count.describe("Pods of a Job that succeeded."),
  failed: count.describe("Pods of a Job that failed."),
});
export type ReplicaStatus = Immutable<z.output<typeof replicaStatus>>;

const feedStatusShape = {
  available: z.boolean().optional().describe("Whether the feed works."),
  replicaStatus: replicaStatus.optional().describe("Numbers of replicas."),
};

const feedStatusDetail = z.object({
  clusterId: clusterId.optional().describe("The cluster's id."),
  clusterName: clusterName.optional().describe("Name of its ManagedCluster."),
  ...feedStatusShape,
  state: z
    .enum(["Available", "Progressing", "Failed"])
    .optional()
    .describe("Whether the feed works there, is on its way, or needs somebody to look.")
    .meta(extension),
  message: z.string().optional().describe("Why it does not work (yet).").meta(extension),
});
export type FeedStatusDetail = Immutable<z.output<typeof feedStatusDetail>>;

const aggregatedStatus = Feed.extend({
  feedStatusSummary: z.object(feedStatusShape).optional().describe("All clusters together."),
  feedStatusDetails: z.array(feedStatusDetail).optional().describe("Each cluster."),
});
export type AggregatedStatus = Immutable<z.output<typeof aggregatedStatus>>;

const status = statusSchema({
  bindingClusters: z
    .array(z.string())
    .optional()
    .describe("Bound clusters as namespace/name of their ManagedCluster, ascending."),
  replicas: z
    .record(z.string(), z.array(int32))
    .optional()
    .describe(
      "Replicas per cluster, at the index of bindingClusters, by feed (apiVersion/kind[/namespace]/name); empty: cannot be divided.",
    ),
  specHash: z
    .int()
    .max(Number.MAX_SAFE_INTEGER)
    .meta({ maximum: Number.MAX_SAFE_INTEGER })
    .optional()
    .describe(
      "Hash of the spec that was scheduled: unsigned, 32 bits as we and upstream write it. Above 2^53-1 readers would round it.",
    ),
  desiredReleases: int64.optional().describe("Number of bound clusters."),
  completedReleases: int64.optional().describe("Number of clusters in which every feed works."),
  aggregatedStatuses: z.array(aggregatedStatus).optional().describe("How each feed is doing."),
  failover: Moves.optional(),
  rebalance: Rebalancing.optional(),
  preempted: z
    .array(
      z.object({
        cluster: z.string().describe("namespace/name of the ManagedCluster."),
        feed: z.string().describe("As in replicas."),
        replicas: int32.describe("How many it had to give there."),
        by: z.string().describe("The Subscription that took the room, and its priority."),
      }),
    )
    .max(20)
    .optional()
    .describe("What Subscriptions of higher priority took from it, until all of its replicas are placed again.")
    .meta(extension),
}).describe("Where it went and how it is doing.");

export const Subscription = defineKind({
  group: groups.apps,
  version: versions.apps,
  kind: "Subscription",
  plural: "subscriptions",
  scope: "Namespaced",
  shortNames: ["sub", "subs"],
  categories: [categories.clusternet],
  description: "Which feeds go to which clusters.",
  spec,
  status,
  columns: [ageColumn],
  examples: subscriptionExamples,
});
export type Subscription = KindOf<typeof Subscription>;
