// One immutable view of all clusters for one decision: every plugin sees the same world. Pure.

import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { Taint } from "#api/core-types.ts";
import { conditionTypes } from "#api/names.ts";
import { compareText } from "#std/compare-text.ts";

export interface Cluster {
  /** `namespace/name`. */
  readonly key: string;
  /** Its uid, as reports name it. */
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  /** Status of condition Ready; Unknown when there is none. */
  readonly ready: "True" | "False" | "Unknown";
  /** The ManagedCluster is being deleted: as good as gone. */
  readonly isDeleting: boolean;
}

export interface Snapshot {
  /** Ascending by key, so that no decision depends on the order in which clusters arrived. */
  readonly clusters: readonly Cluster[];
  get(key: string): Cluster | undefined;
}

export function takeSnapshot(managedClusters: readonly ManagedCluster[]): Snapshot {
  return snapshotOf(managedClusters.map(clusterOf));
}

/** Of these clusters, in any order. */
export function snapshotOf(unordered: readonly Cluster[]): Snapshot {
  const clusters = unordered.toSorted((a, b) => compareText(a.key, b.key));
  // Most decisions ask for no cluster by its key.
  let byKey: ReadonlyMap<string, Cluster> | undefined;
  return {
    clusters,
    get: (key) => {
      byKey ??= new Map(clusters.map((cluster) => [cluster.key, cluster]));
      return byKey.get(key);
    },
  };
}

/** The parts of a ManagedCluster that can change a decision. A heartbeat changes none of them. */
export function clusterOf({ metadata, spec, status }: ManagedCluster): Cluster {
  return {
    key: `${metadata.namespace ?? ""}/${metadata.name}`,
    id: spec.clusterId,
    labels: metadata.labels ?? {},
    taints: spec.taints ?? [],
    ready: readyOf(status),
    isDeleting: metadata.deletionTimestamp !== undefined,
  };
}

/** Status of condition Ready; Unknown when there is none. */
export function readyOf(status: ManagedCluster["status"]): Cluster["ready"] {
  return status?.conditions?.find(({ type }) => type === conditionTypes.ready)?.status ?? "Unknown";
}
