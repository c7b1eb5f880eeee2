// HelmChart: a chart as a feed.

import * as z from "zod";

import { ageColumn, defineKind, type KindOf, statusSchema } from "#api/define-kind.ts";
import { categories, groups, versions } from "#api/names.ts";
import { helmChartExamples } from "./examples.ts";
import { helmColumns, helmOptionsShape } from "./helm-options.ts";

export const HelmChart = defineKind({
  group: groups.apps,
  version: versions.apps,
  kind: "HelmChart",
  plural: "helmcharts",
  scope: "Namespaced",
  shortNames: ["chart", "charts"],
  categories: [categories.clusternet],
  description: "A Helm chart that Subscriptions can name as a feed.",
  spec: z
    .object({ ...helmOptionsShape, targetNamespace: z.string().describe("Namespace of the child to install into.") })
    .describe("Which chart, and how to install it."),
  status: statusSchema({
    phase: z.enum(["Found", "NotFound"]).optional().describe("Whether the chart is in its repository."),
    reason: z.string().optional().describe("Why it was not found."),
  }).describe("Whether the chart can be used."),
  columns: [...helmColumns, ageColumn],
  examples: helmChartExamples,
});
export type HelmChart = KindOf<typeof HelmChart>;
