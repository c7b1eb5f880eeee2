// The snapshot for the next decision, kept until a cluster changes in a way that can change a decision. A heartbeat re-makes nothing.

import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { Change } from "#kube/informer.ts";
import { keyTextOf } from "#kube/object.ts";
import { deepEqual } from "#std/canonical-json.ts";
import { clusterOf, snapshotOf, type Cluster, type Snapshot } from "./snapshot.ts";

export class SnapshotCache {
  readonly #clusters = new Map<string, Cluster>();
  #current: Snapshot | undefined;

  get current(): Snapshot {
    this.#current ??= snapshotOf([...this.#clusters.values()]);
    return this.#current;
  }

  readonly onCluster = (change: Change<ManagedCluster>): void => {
    if (change.type === "deleted") this.#clusters.delete(keyTextOf(change.previous));
    else {
      const cluster = clusterOf(change.object);
      if (deepEqual(this.#clusters.get(cluster.key), cluster)) return;
      this.#clusters.set(cluster.key, cluster);
    }
    this.#current = undefined;
  };
}
