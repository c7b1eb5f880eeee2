// When a delivered object works, is on its way, or has failed.

import { expect, test } from "@jest/globals";
import { healthOf } from "./health.ts";

interface Case {
  readonly it: string;
  readonly of: string;
  readonly generation?: number;
  readonly spec?: Record<string, unknown>;
  readonly status?: Record<string, unknown>;
  readonly is: string;
}

const rolledOut = {
  observedGeneration: 1,
  replicas: 2,
  updatedReplicas: 2,
  readyReplicas: 2,
  availableReplicas: 2,
  conditions: [{ type: "Available", status: "True" }],
};
const onNodes = { observedGeneration: 1, desiredNumberScheduled: 3, numberAvailable: 3, updatedNumberScheduled: 3 };
const condition = (type: string, status: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  conditions: [{ type, status, reason: "R", message: "m", ...more }],
});
const waiting = (reason: string): Record<string, unknown> => ({
  phase: "Pending",
  containerStatuses: [{ name: "web", state: { waiting: { reason, message: "no such image" } } }],
});
const unseen = "Progressing: its controller has not seen the newest version yet";
const two = { spec: { replicas: 2 } };

const cases: readonly Case[] = [
  { it: "all replicas new and available", of: "apps/v1/Deployment", ...two, status: rolledOut, is: "Available" },
  { it: "a newer spec", of: "apps/v1/Deployment", ...two, generation: 2, status: rolledOut, is: unseen },
  { it: "no status", of: "apps/v1/Deployment", ...two, is: unseen },
  {
    it: "a rollout",
    of: "apps/v1/Deployment",
    ...two,
    status: { ...rolledOut, updatedReplicas: 1 },
    is: "Progressing: 1 of 2 replicas are of the newest version",
  },
  {
    it: "old replicas left",
    of: "apps/v1/Deployment",
    ...two,
    status: { ...rolledOut, replicas: 3 },
    is: "Progressing: 2 of 3 replicas are of the newest version",
  },
  {
    it: "one not available",
    of: "apps/v1/Deployment",
    ...two,
    status: { ...rolledOut, availableReplicas: 1 },
    is: "Progressing: 1 of 2 replicas are available",
  },
  {
    it: "a rollout that is stuck",
    of: "apps/v1/Deployment",
    ...two,
    status: { ...rolledOut, ...condition("Progressing", "False", { reason: "ProgressDeadlineExceeded" }) },
    is: "Failed: Progressing is False: ProgressDeadlineExceeded: m",
  },
  {
    it: "pods that are refused",
    of: "apps/v1/Deployment",
    ...two,
    status: { ...rolledOut, ...condition("ReplicaFailure", "True") },
    is: "Failed: ReplicaFailure is True: R: m",
  },
  {
    it: "scaled to nothing",
    of: "apps/v1/Deployment",
    spec: { replicas: 0 },
    status: { ...condition("Available", "True"), observedGeneration: 1 },
    is: "Available",
  },
  { it: "a controller that has not looked", of: "apps/v1/StatefulSet", status: {}, is: unseen },
  {
    it: "revisions that differ",
    of: "apps/v1/StatefulSet",
    ...two,
    status: { ...rolledOut, updateRevision: "b", currentRevision: "a" },
    is: "Progressing: the newest version is being rolled out",
  },
  {
    it: "revisions that differ until somebody deletes pods",
    of: "apps/v1/StatefulSet",
    spec: { replicas: 2, updateStrategy: { type: "OnDelete" } },
    status: { ...rolledOut, updateRevision: "b", currentRevision: "a" },
    is: "Available",
  },
  { it: "on every node", of: "apps/v1/DaemonSet", status: onNodes, is: "Available" },
  {
    it: "not on every node",
    of: "apps/v1/DaemonSet",
    status: { ...onNodes, numberAvailable: 2 },
    is: "Progressing: available on 2 of 3 nodes",
  },
  { it: "running", of: "batch/v1/Job", status: { active: 1 }, is: "Available" },
  { it: "failed", of: "batch/v1/Job", status: condition("Failed", "True"), is: "Failed: Failed is True: R: m" },
  { it: "ready", of: "v1/Pod", status: { phase: "Running", ...condition("Ready", "True") }, is: "Available" },
  { it: "done", of: "v1/Pod", status: { phase: "Succeeded" }, is: "Available" },
  { it: "starting", of: "v1/Pod", status: waiting("ContainerCreating"), is: "Progressing: not ready yet" },
  {
    it: "no image",
    of: "v1/Pod",
    status: waiting("ImagePullBackOff"),
    is: "Failed: container web: ImagePullBackOff no such image",
  },
  {
    it: "no node",
    of: "v1/Pod",
    status: { phase: "Pending", ...condition("PodScheduled", "False") },
    is: "Progressing: PodScheduled is False: R: m",
  },
  {
    it: "a volume to come",
    of: "v1/PersistentVolumeClaim",
    status: { phase: "Pending" },
    is: "Progressing: not bound to a volume yet",
  },
  {
    it: "a load balancer without address",
    of: "v1/Service",
    spec: { type: "LoadBalancer" },
    status: { loadBalancer: {} },
    is: "Progressing: its load balancer has no address yet",
  },
  { it: "inside", of: "v1/Service", spec: { type: "ClusterIP" }, status: { loadBalancer: {} }, is: "Available" },
  { it: "anything", of: "v1/ConfigMap", is: "Available" },
  { it: "a Deployment of somebody else", of: "example.com/v1/Deployment", is: "Available" },
  {
    it: "Ready is False",
    of: "example.com/v1/Database",
    status: condition("Ready", "False"),
    is: "Progressing: Ready is False: R: m",
  },
  {
    it: "Ready is Unknown",
    of: "example.com/v1/Database",
    status: condition("Ready", "Unknown"),
    is: "Progressing: Ready is Unknown: R: m",
  },
  {
    it: "Ready, but for the generation before",
    of: "example.com/v1/Database",
    generation: 2,
    status: condition("Ready", "True", { observedGeneration: 1 }),
    is: unseen,
  },
  {
    it: "an observedGeneration that is behind",
    of: "example.com/v1/Database",
    generation: 2,
    status: { observedGeneration: 1, ...condition("Ready", "True") },
    is: unseen,
  },
  { it: "stalled", of: "example.com/v1/Database", status: condition("Stalled", "True"), is: "Failed: Stalled is True: R: m" },
  {
    it: "reconciling",
    of: "example.com/v1/Database",
    status: condition("Reconciling", "True"),
    is: "Progressing: Reconciling is True: R: m",
  },
  {
    it: "a condition that is False in good health",
    of: "v1/Namespace",
    status: condition("NamespaceDeletionContentFailure", "False"),
    is: "Available",
  },
  { it: "a status that is no object", of: "example.com/v1/Database", status: "odd" as never, is: "Available" },
];

test.each(cases)("$of: $it", ({ of, generation = 1, spec, status, is }) => {
  const at = of.lastIndexOf("/");
  const object = { apiVersion: of.slice(0, at), kind: of.slice(at + 1), metadata: { name: "x", generation }, spec, status };
  const { state, message } = healthOf(object);
  expect(message === "" ? state : `${state}: ${message}`).toBe(is);
});
