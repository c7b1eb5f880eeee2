// Manifest: a stored template of any object, in the reserved namespace. Not applied to the parent itself.

import { ageColumn, defineKind, extension, type KindOf, statusSchema } from "#api/define-kind.ts";
import { anyObject } from "#api/fields.ts";
import { categories, groups, versions } from "#api/names.ts";
import { manifestExamples } from "./examples.ts";

export const Manifest = defineKind({
  group: groups.apps,
  version: versions.apps,
  kind: "Manifest",
  plural: "manifests",
  scope: "Namespaced",
  shortNames: [],
  categories: [categories.clusternet],
  description:
    "A template of any object that Subscriptions can name as a feed. Named `<plural>.<namespace>.<name>` of that object.",
  template: anyObject.describe("The object, complete."),
  status: statusSchema({}).describe("Whether the template can be delivered.").meta(extension),
  columns: [ageColumn],
  examples: manifestExamples,
});
export type Manifest = KindOf<typeof Manifest>;
