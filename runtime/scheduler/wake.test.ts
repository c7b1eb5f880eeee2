// Who is decided again when a cluster reports.

import { expect, test } from "@jest/globals";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { clustersToWakeFor, clusterWithOtherRoom, waitsForRoom } from "./wake.ts";

const cluster = (status: NonNullable<ManagedCluster["status"]>): ManagedCluster => ({
  apiVersion: "clusters.clusternet.io/v1beta1",
  kind: "ManagedCluster",
  metadata: { namespace: "paris", name: "paris" },
  spec: { clusterId: "paris", syncMode: "Pull" },
  status,
});
const now = { lastObservedTime: "2030-01-01T00:00:00Z", allocatable: { cpu: "4" }, nodeStatistics: { readyNodes: 1 } };
const change = (status: NonNullable<ManagedCluster["status"]>) =>
  ({ type: "updated", previous: cluster(now), object: cluster(status) }) as const;

const reports = [
  { it: "a heartbeat", status: { ...now, lastObservedTime: "2030-01-01T00:03:00Z" }, hasOtherRoom: false },
  { it: "a node that comes", status: { ...now, allocatable: { cpu: "8" } }, hasOtherRoom: true },
  { it: "a predictor that is switched on", status: { ...now, predictorEnabled: true }, hasOtherRoom: true },
];

test.each(reports)("$it wakes those who wait for room: $hasOtherRoom, and nobody else", ({ status, hasOtherRoom }) => {
  expect(clustersToWakeFor(change(status))).toEqual([]);
  expect(clusterWithOtherRoom(change(status)) !== undefined).toBe(hasOtherRoom);
});

const conditions = [
  { status: "False", reason: "ReplicasNotPlaced", waits: true },
  { status: "False", reason: "CapacityUnknown", waits: true },
  { status: "False", reason: "NoWeights", waits: false },
  { status: "True", reason: "Scheduled", waits: false },
] as const;

test.each(conditions)("Scheduled=$status $reason waits for room: $waits", ({ status, reason, waits }) => {
  const condition = { type: "Scheduled", status, reason, message: "", lastTransitionTime: "2030-01-01T00:00:00Z" };
  expect(waitsForRoom({ status: { conditions: [condition] } } as unknown as Subscription)).toBe(waits);
});
