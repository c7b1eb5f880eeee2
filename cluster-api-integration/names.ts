// What a Cluster API Cluster is called in the fleet, and where its things live on the parent. Pure.

import { createHash } from "node:crypto";
import { managedClusterName } from "#api/clusters/v1beta1/cluster-name.ts";
import { CLUSTER_NAME_LENGTH_MAX } from "#api/fields.ts";
import { keyText, type KubeObject } from "#api/meta.ts";
import { annotations } from "#api/names.ts";
import { reservedClusterNames } from "#install/child.ts";

export interface ClusterNames {
  readonly clusterName: string;
  /** The child's own namespace on the parent. */
  readonly namespace: string;
  readonly grant: string;
  /** The ServiceAccount that its agent asks to join with. */
  readonly account: string;
}

const HASH_LENGTH = 8;

export function clusterKeyOf({ metadata: { namespace = "", name } }: KubeObject): string {
  return keyText({ namespace, name });
}

/**
 * The Cluster's own name, and one with a hash of its namespace, for when the first belongs to another cluster (Clusters of one name in two
 * namespaces, or a child that a program named) or cannot be a namespace's: ours, or with a dot. Nothing else is ever used, so whatever we
 * made for a Cluster is found by its key alone.
 */
export function nameCandidates(clusterKey: string): readonly ClusterNames[] {
  const name = clusterKey.slice(clusterKey.indexOf("/") + 1);
  const hash = createHash("sha256").update(clusterKey).digest("hex").slice(0, HASH_LENGTH);
  const plain = managedClusterName(name);
  const isUsable = !reservedClusterNames.includes(plain) && !plain.includes(".");
  const hashed = `${name.slice(0, CLUSTER_NAME_LENGTH_MAX - HASH_LENGTH - 1).replaceAll(".", "-")}-${hash}`;
  return [...(isUsable ? [plain] : []), hashed].map(namesFor);
}

function namesFor(clusterName: string): ClusterNames {
  const name = `clusternet-join-${clusterName}`;
  return { clusterName, namespace: `clusternet-${clusterName}`, grant: name, account: name };
}

/** Made for this very Cluster: what is not is never changed or deleted, whatever it is called. */
export function isMadeFor(clusterKey: string, object: KubeObject): boolean {
  return object.metadata.annotations?.[annotations.clusterApiCluster] === clusterKey;
}
