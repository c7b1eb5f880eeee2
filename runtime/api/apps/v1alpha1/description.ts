// Description: the final objects for one cluster, after all overrides.

import * as z from "zod";

import { ageColumn, defineKind, extension, type Immutable, type KindOf, statusSchema } from "#api/define-kind.ts";
import { anyObject, bytes } from "#api/fields.ts";
import { categories, groups, versions } from "#api/names.ts";
import { DeliveryPolicy } from "./delivery-policy.ts";
import { descriptionExamples } from "./examples.ts";
import { Feed } from "./feed.ts";

const chartReference = z.object({
  namespace: z.string().describe("Namespace of the HelmChart."),
  name: z.string().describe("Name of the HelmChart."),
});

const spec = z
  .object({
    deployer: z.enum(["Helm", "Generic"]).describe("Generic applies objects, Helm installs charts."),
    charts: z.array(chartReference).optional().describe("Helm: the charts."),
    raw: z.array(bytes).optional().describe("Generic: one JSON object each. Helm: the values, at the index of their chart."),
    chartRaw: z.array(bytes).optional().describe("Helm: the HelmChart objects as JSON, at the index of their chart."),
    delivery: DeliveryPolicy.optional(),
  })
  .describe("What one cluster gets.");

export const InventoryEntry = z.object({
  apiVersion: z.string().describe("Group and version of the object."),
  kind: z.string().describe("Kind of the object."),
  namespace: z.string().optional().describe("Namespace of the object; absent for cluster-scoped kinds."),
  name: z.string().describe("Name of the object."),
  uid: z.string().optional().describe("Uid in the child: only this very object may be deleted."),
  origin: z
    .enum(["Adopted", "Skipped"])
    .optional()
    .describe("The object was there before us: taken over, or left alone. Absent: it was made for the Description."),
});
export type InventoryEntry = Immutable<z.output<typeof InventoryEntry>>;

export const ManifestStatus = Feed.extend({
  observedStatus: anyObject.optional().describe("The object's status in the child, as it is there."),
  available: z.boolean().optional().describe("Whether the object works, as its whole self in the child says.").meta(extension),
  state: z
    .enum(["Available", "Progressing", "Failed"])
    .optional()
    .describe("Whether it works, is on its way, or needs somebody to look.")
    .meta(extension),
  message: z.string().optional().describe("Why it does not work (yet).").meta(extension),
});
export type ManifestStatus = Immutable<z.output<typeof ManifestStatus>>;

const status = statusSchema({
  phase: z
    .enum(["Pending", "Success", "Failure", "Installing", "Upgrading", "Uninstalling", "Superseded", "Unknown"])
    .optional()
    .describe("How far the deployment is."),
  reason: z.string().optional().describe("Why it failed."),
  manifestStatuses: z.array(ManifestStatus).optional().describe("The delivered objects and their statuses in the child."),
  inventory: z
    .array(InventoryEntry)
    .optional()
    .describe("What was applied in the child, so that nothing is guessed when objects are no longer wanted.")
    .meta(extension),
}).describe("What became of it in the cluster.");

export const Description = defineKind({
  group: groups.apps,
  version: versions.apps,
  kind: "Description",
  plural: "descriptions",
  scope: "Namespaced",
  shortNames: ["desc"],
  categories: [categories.clusternet],
  description:
    "The final objects or charts for one cluster. Made from a Base by the controller-manager, carried out by its deployer.",
  spec,
  status,
  columns: [
    { name: "DEPLOYER", type: "string", jsonPath: ".spec.deployer" },
    { name: "STATUS", type: "string", jsonPath: ".status.phase" },
    ageColumn,
  ],
  examples: descriptionExamples,
});
export type Description = KindOf<typeof Description>;
