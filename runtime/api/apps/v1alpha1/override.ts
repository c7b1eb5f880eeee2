// What Globalization and Localization share: the feed, the policy, the priority and the patches.

import * as z from "zod";

import { celRules, type Immutable } from "#api/define-kind.ts";
import { int32 } from "#api/fields.ts";
import { Feed } from "./feed.ts";

/** What a patch inside a text field cannot do without. Rules of ours: upstream finds out when it renders. */
const fieldRules = celRules(
  {
    rule: "!self.type.startsWith('Field') || (has(self.fieldPath) && self.fieldPath.startsWith('/'))",
    message: "fieldPath is needed by types FieldJSONPatch and FieldMergePatch, and starts with /, such as /data/config.yaml",
  },
  {
    rule: "!self.type.startsWith('Field') || has(self.fieldFormat)",
    message: "fieldFormat is needed by types FieldJSONPatch and FieldMergePatch: YAML or JSON",
  },
);

export const OverrideConfig = z
  .object({
    name: z.string().optional().describe("For people."),
    value: z.string().describe("The patch or the Helm values, as YAML or JSON text; blank changes nothing."),
    type: z
      .enum(["Helm", "JSONPatch", "MergePatch", "FieldJSONPatch", "FieldMergePatch"])
      .describe("How the value is applied: Helm values, RFC 6902, RFC 7396, or one of these two inside a field that holds text."),
    overrideChart: z
      .boolean()
      .optional()
      .describe("HelmChart feeds: apply to the HelmChart object itself, not to its values; chart and targetNamespace stay."),
    fieldPath: z
      .string()
      .optional()
      .describe(
        "For Field… types, needed there: JSON pointer to a text field, such as /data/config.yaml; ~1 stands for / in a key.",
      ),
    fieldFormat: z.enum(["YAML", "JSON"]).optional().describe("For Field… types, needed there: what that text is."),
  })
  .meta(fieldRules);
export type OverrideConfig = Immutable<z.output<typeof OverrideConfig>>;

const PRIORITY_MAX = 1000;

export const overrideShape = {
  overridePolicy: z
    .enum(["ApplyNow", "ApplyLater"])
    .default("ApplyLater")
    .describe(
      "ApplyNow changes clusters at once; ApplyLater waits until the feed is rendered again for another reason: its template, its Subscription or an ApplyNow override changed. Both speak about every change of this object, its deletion included.",
    ),
  overrides: z.array(OverrideConfig).optional().describe("Patches, applied in this order."),
  priority: int32
    .min(0)
    .max(PRIORITY_MAX)
    .default(500)
    .describe("Higher is applied later and so wins. All Globalizations come before all Localizations."),
  feed: Feed.describe("What is changed."),
};
