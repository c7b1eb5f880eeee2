// Base: a Subscription's feeds for one cluster, in that cluster's dedicated namespace.

import * as z from "zod";

import { ageColumn, defineKind, extension, type Immutable, type KindOf, statusSchema } from "#api/define-kind.ts";
import { int32 } from "#api/fields.ts";
import { categories, groups, versions } from "#api/names.ts";
import { DeliveryPolicy } from "./delivery-policy.ts";
import { baseExamples } from "./examples.ts";
import { Feed } from "./feed.ts";

const OverrideOutcome = z.object({
  override: z.string().describe("Which, such as Globalization web or Localization paris/web."),
  feed: z.string().describe("What it changes, such as Deployment shop/web."),
  revision: z.string().describe("Hash of what the override said when the feed was rendered last."),
  problem: z.string().optional().describe("Why it does not apply: the patch, the path and the reason. The feed stays as it was."),
  heldBackBy: z.string().optional().describe("The override of the same feed that does not apply; the feed stays as it was."),
});
export type OverrideOutcome = Immutable<z.output<typeof OverrideOutcome>>;

const Share = z.object({
  feed: z.string().describe("Which, as in the Subscription's status.replicas: apiVersion/kind[/namespace]/name."),
  replicas: int32.min(0).describe("How many replicas of it this cluster gets."),
  path: z.string().optional().describe("JSON pointer of the field that holds the number of replicas."),
});
export type Share = Immutable<z.output<typeof Share>>;

export const Base = defineKind({
  group: groups.apps,
  version: versions.apps,
  kind: "Base",
  plural: "bases",
  scope: "Namespaced",
  shortNames: [],
  categories: [categories.clusternet],
  description:
    "The feeds of one Subscription for one cluster. Made by the controller-manager; also what a new cluster starts with.",
  spec: z
    .object({
      feeds: z.array(Feed).describe("What the cluster gets."),
      shares: z
        .array(Share)
        .optional()
        .describe("Of a divided Subscription: this cluster's replicas. Applied after all overrides.")
        .meta(extension),
      delivery: DeliveryPolicy.optional(),
    })
    .describe("What the cluster gets."),
  status: statusSchema({
    overrides: z
      .array(OverrideOutcome)
      .optional()
      .describe("The overrides that the feeds were rendered with, in the order in which they were applied.")
      .meta(extension),
  })
    .describe("Whether the feeds could be made into Descriptions.")
    .meta(extension),
  columns: [ageColumn],
  examples: baseExamples,
});
export type Base = KindOf<typeof Base>;
