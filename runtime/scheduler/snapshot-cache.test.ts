// The snapshot between decisions: the same one until something that matters changes.

import { expect, test } from "@jest/globals";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { createStubInformer } from "#test/framework/stub-informer.ts";
import { SnapshotCache } from "./snapshot-cache.ts";
import { takeSnapshot } from "./snapshot.ts";

const clusterNamed = (name: string, more: Partial<ManagedCluster["metadata"]> = {}, observedAt = ""): ManagedCluster => ({
  apiVersion: ManagedCluster.apiVersion,
  kind: ManagedCluster.kind,
  metadata: { namespace: name, name, uid: name, labels: { fleet: "yes" }, ...more },
  spec: { clusterId: name, syncMode: "Pull" },
  status: { lastObservedTime: observedAt },
});

const oslo = clusterNamed("oslo");
const paris = clusterNamed("paris");
const leavingOslo = clusterNamed("oslo", { resourceVersion: "2", deletionTimestamp: "2030-01-01T00:00:00Z" });

const changes = [
  { it: "a heartbeat", clusters: [oslo, clusterNamed("paris", { resourceVersion: "2" }, "2030-01-01T00:00:00Z")], isKept: true },
  { it: "another label", clusters: [oslo, clusterNamed("paris", { resourceVersion: "2", labels: {} })], isKept: false },
  { it: "a cluster that is being deleted", clusters: [leavingOslo, paris], isKept: false },
  { it: "a cluster that comes", clusters: [paris, oslo, clusterNamed("athens")], isKept: false },
  { it: "a cluster that is gone", clusters: [paris], isKept: false },
];

test.each(changes)("after $it the snapshot is the one of before: $isKept, and says what is", ({ clusters, isKept }) => {
  const informer = createStubInformer(ManagedCluster);
  const cache = new SnapshotCache();
  informer.listed(paris, oslo);
  informer.subscribe(cache.onCluster);
  const before = cache.current;
  informer.listed(...clusters);
  expect(cache.current === before).toBe(isKept);
  expect(cache.current.clusters).toEqual(takeSnapshot(clusters).clusters);
  for (const key of ["oslo/oslo", "athens/athens"]) expect(cache.current.get(key)).toEqual(takeSnapshot(clusters).get(key));
});
