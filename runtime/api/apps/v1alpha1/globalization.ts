// Globalization: overrides of one feed for many clusters.

import * as z from "zod";

import { ageColumn, defineKind, extension, type KindOf, statusSchema } from "#api/define-kind.ts";
import { LabelSelector } from "#api/meta.ts";
import { categories, groups, versions } from "#api/names.ts";
import { globalizationExamples } from "./examples.ts";
import { overrideShape } from "./override.ts";

export const Globalization = defineKind({
  group: groups.apps,
  version: versions.apps,
  kind: "Globalization",
  plural: "globalizations",
  scope: "Cluster",
  shortNames: ["glob", "global"],
  categories: [categories.clusternet],
  description: "Changes one feed in every cluster that its affinity selects.",
  spec: z
    .object({
      ...overrideShape,
      clusterAffinity: LabelSelector.optional().describe(
        "Clusters that are meant, by labels of their ManagedCluster; absent: all.",
      ),
    })
    .describe("What is changed, where and how."),
  status: statusSchema({})
    .describe("Condition Applied: whether it is part of what every cluster that is meant gets, or where and why not.")
    .meta(extension),
  columns: [ageColumn],
  examples: globalizationExamples,
});
export type Globalization = KindOf<typeof Globalization>;
