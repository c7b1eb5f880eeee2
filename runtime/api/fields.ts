// Field types that Kubernetes APIs use over and over, as zod schemas that crd.ts turns into exactly what kube-apiserver expects.

import * as z from "zod";

/** Go's int32. */
export const int32 = z.int32();

/** Go's int64, as far as a JavaScript number goes. */
export const int64 = z.int();

/** RFC 3339 with any offset. */
export const timestamp = z.iso.datetime({ offset: true });

/** []byte in Go: base64 text. */
export const bytes = z
  .string()
  .refine(isBase64, { error: "Write base64: A-Z, a-z, 0-9, + and / in groups of four, the last one padded with =" })
  .meta({ format: "byte" });

const QUANTITY =
  /^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$/;

/** A resource quantity: 3, "500m", "24Gi". */
export const quantity = z
  .union([z.int(), z.string().regex(QUANTITY)])
  .meta({ "x-kubernetes-int-or-string": true, pattern: QUANTITY.source });

export const resourceList = z.record(z.string(), quantity);

/** Any JSON object; the API server keeps what it does not know. */
export const anyObject = z.record(z.string(), z.unknown()).meta({ "x-kubernetes-preserve-unknown-fields": true });

/** The uid of a child cluster. The pattern is upstream's and not anchored; the length makes it exact. */
export const clusterId = z
  .string()
  .max(36)
  .regex(/[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}/);

// Upstream's pattern is not anchored, so it asks for one such character anywhere; the short form here means the same and cannot
// backtrack. Names that Kubernetes would refuse are refused when the ManagedCluster or the namespace is made.
const CONTAINS_NAME_CHARACTER = /[a-z0-9]/;

export const CLUSTER_NAME_LENGTH_MAX = 30;

export const clusterName = z
  .string()
  .max(CLUSTER_NAME_LENGTH_MAX)
  .regex(CONTAINS_NAME_CHARACTER)
  .meta({ pattern: "[a-z0-9]([-a-z0-9]*[a-z0-9])?([a-z0-9]([-a-z0-9]*[a-z0-9]))*" });

export const namespaceName = z.string().max(63).regex(CONTAINS_NAME_CHARACTER).meta({ pattern: "[a-z0-9]([-a-z0-9]*[a-z0-9])?" });

export const SyncMode = z.enum(["Push", "Pull", "Dual"]);
export type SyncMode = z.output<typeof SyncMode>;

function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}
