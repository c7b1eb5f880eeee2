// Names of ManagedClusters and of the requests that ask for them. Names that are too long become deterministic, unique ones. Pure.

import { createHash } from "node:crypto";

import { CLUSTER_NAME_LENGTH_MAX } from "#api/fields.ts";

const HASH_LENGTH = 8;
const REQUEST_PREFIX = "clusternet-";

/** Up to 30 characters as it is; longer ones `<first 21>-<8 hexadecimal digits of the SHA-256 of the whole name>`. */
export function managedClusterName(name: string): string {
  if (name.length <= CLUSTER_NAME_LENGTH_MAX) return name;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, HASH_LENGTH);
  return `${name.slice(0, CLUSTER_NAME_LENGTH_MAX - HASH_LENGTH - 1)}-${hash}`;
}

/** Name of the request of a cluster: the first one, or with a key's fingerprint one that asks for another key. */
export function registrationRequestName(clusterId: string, keyFingerprint?: string): string {
  return `${REQUEST_PREFIX}${clusterId}${keyFingerprint === undefined ? "" : `-${keyFingerprint.slice(0, HASH_LENGTH)}`}`;
}

/** The namespace that the approver makes for a cluster when no other was agreed. */
export function dedicatedNamespaceName(clusterName: string): string {
  return `${REQUEST_PREFIX}${createHash("sha256").update(clusterName).digest("hex").slice(0, HASH_LENGTH)}`;
}
