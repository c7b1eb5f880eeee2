// What Globalization and Localization share: the feed, the policy, the priority and the patches.

import * as z from "zod";

import type { Immutable } from "#api/define-kind.ts";
import { int32 } from "#api/fields.ts";
import { Feed } from "./feed.ts";

export const OverrideConfig = z.object({
  name: z.string().optional().describe("For people."),
  value: z.string().describe("The patch or the Helm values, as YAML or JSON text."),
  type: z
    .enum(["Helm", "JSONPatch", "MergePatch", "FieldJSONPatch", "FieldMergePatch"])
    .describe("How the value is applied: Helm values, RFC 6902, RFC 7396, or one of these two inside a field that holds text."),
  overrideChart: z.boolean().optional().describe("Apply to the HelmChart object itself, not to its values."),
  fieldPath: z.string().optional().describe("For Field… types: path of a text field, such as /data/config.yaml."),
  fieldFormat: z.enum(["YAML", "JSON"]).optional().describe("For Field… types, needed there: what that text is."),
});
export type OverrideConfig = Immutable<z.output<typeof OverrideConfig>>;

const PRIORITY_MAX = 1000;

export const overrideShape = {
  overridePolicy: z
    .enum(["ApplyNow", "ApplyLater"])
    .default("ApplyLater")
    .describe(
      "ApplyNow changes clusters at once; ApplyLater waits until the feed or its Subscription changes for another reason.",
    ),
  overrides: z.array(OverrideConfig).optional().describe("Patches, applied in this order."),
  priority: int32
    .min(0)
    .max(PRIORITY_MAX)
    .default(500)
    .describe("Higher is applied later and so wins. All Globalizations come before all Localizations."),
  feed: Feed.describe("What is changed."),
};
