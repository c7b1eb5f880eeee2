// Base: a Subscription's feeds for one cluster, in that cluster's dedicated namespace.

import * as z from "zod";

import { ageColumn, defineKind, extension, type KindOf, statusSchema } from "#api/define-kind.ts";
import { categories, groups, versions } from "#api/names.ts";
import { DeliveryPolicy } from "./delivery-policy.ts";
import { baseExamples } from "./examples.ts";
import { Feed } from "./feed.ts";

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
    .object({ feeds: z.array(Feed).describe("What the cluster gets."), delivery: DeliveryPolicy.optional() })
    .describe("What the cluster gets."),
  status: statusSchema({}).describe("Whether the feeds could be made into Descriptions.").meta(extension),
  columns: [ageColumn],
  examples: baseExamples,
});
export type Base = KindOf<typeof Base>;
