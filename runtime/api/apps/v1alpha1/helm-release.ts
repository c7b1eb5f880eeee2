// HelmRelease: a chart installed in one cluster.

import * as z from "zod";

import { ageColumn, defineKind, extension, type KindOf, statusSchema } from "#api/define-kind.ts";
import { bytes, int64 } from "#api/fields.ts";
import { categories, groups, versions } from "#api/names.ts";
import { DeliveryPolicy } from "./delivery-policy.ts";
import { helmReleaseExamples } from "./examples.ts";
import { helmColumns, helmOptionsShape } from "./helm-options.ts";

const spec = z
  .object({
    ...helmOptionsShape,
    releaseName: z.string().optional().describe("Name of the release; absent only on objects of old versions."),
    targetNamespace: z.string().describe("Namespace of the child to install into."),
    overrides: bytes.optional().describe("Values, as JSON."),
    delivery: DeliveryPolicy.optional(),
  })
  .describe("Which chart, its values, and how to install it.");

/** As helm calls them. */
export const ReleasePhase = z.enum([
  "unknown",
  "deployed",
  "uninstalled",
  "superseded",
  "failed",
  "uninstalling",
  "pending-install",
  "pending-upgrade",
  "pending-rollback",
]);

const status = statusSchema({
  firstDeployed: z.string().optional().describe("When it was first installed. Text; upstream does not write RFC 3339."),
  lastDeployed: z.string().optional().describe("When it was last changed. Text; upstream does not write RFC 3339."),
  description: z.string().optional().describe("What happened last."),
  phase: ReleasePhase.optional().describe("Helm's status of the release."),
  notes: z.string().optional().describe("The chart's notes, rendered."),
  version: int64.optional().describe("Helm's revision of the release."),
  chartVersion: z.string().optional().describe("Version of the chart that was released.").meta(extension),
  releasedAs: z
    .string()
    .optional()
    .describe("namespace/name of the release in the cluster, recorded before it is made: only this is ever uninstalled.")
    .meta(extension),
  releasedHash: z
    .string()
    .optional()
    .describe("Hash of the chart, values and options that were released: while it stays, helm is not run.")
    .meta(extension),
}).describe("What became of it in the cluster.");

export const HelmRelease = defineKind({
  group: groups.apps,
  version: versions.apps,
  kind: "HelmRelease",
  plural: "helmreleases",
  scope: "Namespaced",
  shortNames: ["hr"],
  categories: [categories.clusternet],
  description: "One chart in one cluster. Made from a Description by its deployer.",
  spec,
  status,
  columns: [...helmColumns, ageColumn],
  examples: helmReleaseExamples,
});
export type HelmRelease = KindOf<typeof HelmRelease>;
