// Localization: overrides of one feed for the one cluster in whose dedicated namespace it is.

import * as z from "zod";

import { ageColumn, defineKind, extension, type KindOf, statusSchema } from "#api/define-kind.ts";
import { categories, groups, versions } from "#api/names.ts";
import { localizationExamples } from "./examples.ts";
import { overrideShape } from "./override.ts";

export const Localization = defineKind({
  group: groups.apps,
  version: versions.apps,
  kind: "Localization",
  plural: "localizations",
  scope: "Namespaced",
  shortNames: ["loc", "local"],
  categories: [categories.clusternet],
  description: "Changes one feed in the cluster in whose dedicated namespace it is.",
  spec: z.object(overrideShape).describe("What is changed and how."),
  status: statusSchema({})
    .describe("Condition Applied: whether it is part of what every cluster that is meant gets, or where and why not.")
    .meta(extension),
  columns: [ageColumn],
  examples: localizationExamples,
});
export type Localization = KindOf<typeof Localization>;
