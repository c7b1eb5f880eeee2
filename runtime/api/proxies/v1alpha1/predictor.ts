// How a child is asked for its capacity: the paths and JSON of upstream's predictor, and the fields that only ours knows.
//
// Fields that upstream lacks are optional on both sides and lie where upstream's Go types do not look.

import * as z from "zod";
import { ReplicaRequirements } from "#api/apps/v1alpha1/feed-inventory.ts";
import type { Immutable } from "#api/define-kind.ts";
import { int32 } from "#api/fields.ts";

export const predictorPaths = {
  /** POST a PredictRequest, get a PredictAnswer. */
  predict: "/replicas/predict",
  /** GET an UnscheduledAnswer. */
  unscheduled: "/replicas/unscheduled",
} as const;

/** Answers are also given by place: these words for the node labels below. */
export const topologyLabels = {
  zone: "topology.kubernetes.io/zone",
  region: "topology.kubernetes.io/region",
  hostname: "kubernetes.io/hostname",
} as const;
export const topologyKeys = ["zone", "region", "hostname"] as const;
export type TopologyKey = (typeof topologyKeys)[number];

/** Feeds that one question may name. */
export const QUESTION_FEEDS_MAX = 500;

export const PredictRequest = z.object({
  nodeSelector: ReplicaRequirements.shape.nodeSelector.nullish(),
  tolerations: ReplicaRequirements.shape.tolerations.nullish(),
  affinity: ReplicaRequirements.shape.affinity.nullish(),
  resources: ReplicaRequirements.shape.resources.nullish(),
  /** Ours. Of the node. */
  hostPorts: ReplicaRequirements.shape.hostPorts.nullish(),
  /** Ours. Of a replica; absent: nobody says. */
  podLabels: ReplicaRequirements.shape.podLabels.nullish(),
  /** Ours. PersistentVolumeClaims of a replica. */
  volumes: ReplicaRequirements.shape.volumes.nullish(),
  /** Ours. Where the replicas would run: its ResourceQuotas count. */
  namespace: z.string().nullish(),
  /** Ours. By which places the answer is given, too. */
  topology: z.array(z.enum(topologyKeys)).nullish(),
  /** Ours. Of which feeds (`feedKey`) the answer also says how many pods have a node. */
  feeds: z.array(z.string()).max(QUESTION_FEEDS_MAX).nullish(),
});
export type PredictRequest = Immutable<z.output<typeof PredictRequest>>;

/** Every key of `replicas` is a number to upstream; "default" is the whole cluster. */
export const PredictAnswer = z.object({
  replicas: z.object({ default: int32.nonnegative().default(0) }),
  /** Ours. Place -> value of its node label -> replicas. */
  topology: z.partialRecord(z.enum(topologyKeys), z.record(z.string(), int32.nonnegative())).optional(),
  /** Ours. Feed (`feedKey`) -> its pods that have a node: what the answer already counts as taken. */
  placed: z.record(z.string(), int32.nonnegative()).optional(),
  /** Ours. Why nodes take no replica, and how many for each reason. For people. */
  unfit: z.record(z.string(), int32).optional(),
});
export type PredictAnswer = Immutable<z.output<typeof PredictAnswer>>;

const unscheduledFeed = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  namespace: z.string().optional(),
  name: z.string(),
  unscheduled: int32,
  /** What kube-scheduler says of one of its pods. */
  message: z.string().optional(),
});

export const UnscheduledAnswer = z.object({
  replicas: z.object({ default: int32 }),
  feeds: z.array(unscheduledFeed),
});
export type UnscheduledAnswer = Immutable<z.output<typeof UnscheduledAnswer>>;
export type UnscheduledFeed = UnscheduledAnswer["feeds"][number];
