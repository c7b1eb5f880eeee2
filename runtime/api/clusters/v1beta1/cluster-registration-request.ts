// ClusterRegistrationRequest: a child asking to join, and the answer.

import * as z from "zod";

import { ageColumn, celRules, defineKind, extension, type KindOf, statusSchema } from "#api/define-kind.ts";
import { bytes, clusterId, clusterName, namespaceName, SyncMode } from "#api/fields.ts";
import { categories, groups, versions } from "#api/names.ts";
import { clusterRegistrationRequestExamples } from "./examples.ts";

const PUBLIC_KEY_LENGTH_MAX = 4096;
const SEALED_TOKEN_LENGTH_MAX = 32_768;

const spec = z
  .object({
    clusterId: clusterId.describe(
      "Uid of the child: that of its namespace kube-system, unless it joined earlier with another one.",
    ),
    clusterType: z.string().optional().describe("StandardCluster, EdgeCluster or a name of your own."),
    clusterName: clusterName.optional().describe("Name that the ManagedCluster shall have."),
    clusterNamespace: namespaceName
      .optional()
      .describe("Dedicated namespace that the child asks for; absent: the approver chooses."),
    clusterLabels: z
      .record(z.string(), z.string())
      .optional()
      .describe("Labels that the ManagedCluster shall have besides ours."),
    syncMode: SyncMode.default("Pull").describe(
      "Who applies Descriptions: the parent (Push), the agent (Pull), or either (Dual).",
    ),
    publicKey: z
      .string()
      .max(PUBLIC_KEY_LENGTH_MAX)
      .optional()
      .describe("Public key (JWK as JSON text, EC P-256) to which the answer's token is sealed. Absent: an upstream agent.")
      .meta(extension),
  })
  .meta(celRules({ rule: "self == oldSelf", message: "spec is immutable: delete the request and let the agent ask again" }))
  .describe("What is asked for. Cannot be changed.");

const status = statusSchema({
  dedicatedNamespace: z.string().optional().describe("Namespace of the parent that belongs to this child alone."),
  managedClusterName: z.string().optional().describe("Name of the ManagedCluster in the dedicated namespace."),
  token: bytes
    .optional()
    .describe("Token of the child's account, readable. Only written for upstream agents, and only if allowed."),
  sealedToken: z
    .string()
    .max(SEALED_TOKEN_LENGTH_MAX)
    .optional()
    .describe("Token of the child's account, sealed to spec.publicKey (compact JWE, ECDH-ES).")
    .meta(extension),
  caCertificate: bytes.optional().describe("Certificate authority of the parent's API server, PEM."),
  result: z.string().optional().describe("Approved or Denied; absent: not decided."),
  errorMessage: z.string().optional().describe("Why it was denied or what is missing."),
}).describe("The answer.");

export const ClusterRegistrationRequest = defineKind({
  group: groups.clusters,
  version: versions.clusters,
  kind: "ClusterRegistrationRequest",
  plural: "clusterregistrationrequests",
  scope: "Cluster",
  shortNames: ["clsrr"],
  categories: [categories.clusternet],
  description: "A child cluster asks to join, and gets its name, namespace and credentials.",
  spec,
  status,
  columns: [
    { name: "CLUSTER ID", type: "string", jsonPath: ".spec.clusterId" },
    { name: "STATUS", type: "string", jsonPath: ".status.result" },
    ageColumn,
  ],
  examples: clusterRegistrationRequestExamples,
});
export type ClusterRegistrationRequest = KindOf<typeof ClusterRegistrationRequest>;
