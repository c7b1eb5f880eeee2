// FeedInventory: how many replicas each feed of a Subscription wants, and what one replica needs.

import * as z from "zod";

import { Affinity, ResourceRequirements, Toleration } from "#api/core-types.ts";
import { defineKind, extension, type Immutable, type KindOf, statusSchema } from "#api/define-kind.ts";
import { int32 } from "#api/fields.ts";
import { categories, groups, versions } from "#api/names.ts";
import { feedInventoryExamples } from "./examples.ts";
import { Feed } from "./feed.ts";

export const ReplicaRequirements = z.object({
  nodeSelector: z
    .record(z.string(), z.string())
    .meta({ "x-kubernetes-map-type": "atomic" })
    .optional()
    .describe("Labels of the nodes a replica may run on."),
  tolerations: z.array(Toleration).optional().describe("Taints of nodes that a replica tolerates."),
  affinity: Affinity.optional().describe("Where a replica may or should run."),
  resources: ResourceRequirements.optional().describe("What one replica needs."),
  hostPorts: z
    .array(
      z.object({
        port: int32.describe("Port of the node."),
        protocol: z.string().optional().describe("TCP (as if absent), UDP or SCTP."),
        hostIP: z.string().optional().describe("Address of the node; absent: every address."),
      }),
    )
    .optional()
    .describe("Ports of its node that a replica takes: two replicas with one port cannot share a node.")
    .meta(extension),
  podLabels: z
    .record(z.string(), z.string())
    .optional()
    .describe("Labels of a replica, when its required affinity to other pods makes them matter.")
    .meta(extension),
  volumes: z
    .array(
      z.object({
        storageClassName: z.string().optional().describe("Class of a volume of its own; absent: the default class."),
        claimName: z.string().optional().describe("A PersistentVolumeClaim that all replicas share."),
      }),
    )
    .optional()
    .describe("PersistentVolumeClaims that a replica mounts: a node attaches so many volumes of one driver.")
    .meta(extension),
});

export type ReplicaRequirements = Immutable<z.output<typeof ReplicaRequirements>>;

const feedOrder = Feed.extend({
  desiredReplicas: int32.optional().describe("How many replicas the feed wants; absent: it cannot be divided."),
  replicaRequirements: ReplicaRequirements.optional().describe("What one replica needs."),
  replicaJsonPath: z
    .string()
    .optional()
    .describe("JSON pointer of the field that holds the number of replicas, such as /spec/replicas."),
});

export const FeedInventory = defineKind({
  group: groups.apps,
  version: versions.apps,
  kind: "FeedInventory",
  plural: "feedinventories",
  scope: "Namespaced",
  shortNames: ["finv"],
  categories: [categories.clusternet],
  description: "What the feeds of the Subscription of the same name and namespace need. Made by the controller-manager.",
  spec: z.object({ feeds: z.array(feedOrder).describe("One entry per feed.") }).describe("What the feeds need."),
  status: statusSchema({}).describe("Whether every feed could be read.").meta(extension),
  examples: feedInventoryExamples,
});
export type FeedInventory = KindOf<typeof FeedInventory>;
