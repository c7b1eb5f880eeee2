// spec.delivery of Subscription, Base and Description: how a cluster's objects are treated, from the first look to the last.

import * as z from "zod";

import { extension, type Immutable } from "#api/define-kind.ts";

const ignoredFields = z.object({
  apiVersion: z.string().optional().describe("Objects of this group and version; absent: of any."),
  kind: z.string().optional().describe("Objects of this kind; absent: of any."),
  name: z.string().optional().describe("The object of this name; absent: any."),
  paths: z.array(z.string()).describe("JSON pointers (RFC 6901) to the fields, such as /spec/replicas."),
});

export const DeliveryPolicy = z
  .object({
    drift: z
      .enum(["Correct", "Report", "Off"])
      .optional()
      .describe(
        "What happens when something in the cluster changes or deletes what was delivered. Correct (the default) puts it back, Report " +
          "only sets condition Drifted, Off does not look.",
      )
      .meta(extension),
    ignoreFields: z
      .array(ignoredFields)
      .optional()
      .describe("Fields that belong to somebody in the cluster: set when the object is made, left alone from then on.")
      .meta(extension),
    adoption: z
      .enum(["Adopt", "Fail", "Skip"])
      .optional()
      .describe(
        "What happens when the object is already there and nobody delivered it. Adopt (the default) takes it over, Fail reports it, " +
          "Skip leaves it as it is and counts as delivered.",
      )
      .meta(extension),
    onDelete: z
      .enum(["Delete", "Retain"])
      .optional()
      .describe(
        "What happens to objects that are no longer wanted. Delete is the default; Retain leaves them and takes our marks off.",
      )
      .meta(extension),
    dependencies: z
      .enum(["Ignore", "Report", "Follow"])
      .optional()
      .describe(
        "ConfigMaps, Secrets, ServiceAccounts and PersistentVolumeClaims that the pods of a feed need. Report (the default) says in " +
          "condition DependenciesMissing which nobody delivers, Follow also takes along those that have a template, Ignore does not look.",
      )
      .meta(extension),
    maxDeletePercent: z
      .int()
      .min(0)
      .max(100)
      .optional()
      .describe(
        "A change that would delete more than this share of what the Subscription delivers stops and asks. Default 50; a handful of " +
          "objects is never asked about.",
      )
      .meta(extension),
  })
  .describe("How the objects are treated in the cluster.")
  .meta(extension);
export type DeliveryPolicy = Immutable<z.output<typeof DeliveryPolicy>>;
