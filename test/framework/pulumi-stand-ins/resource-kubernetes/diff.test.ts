import { describe, expect, test } from "@jest/globals";
import { detailedDiff, replacedFields, withoutIgnored } from "./diff.ts";
import { replacingFields } from "./immutable-fields.ts";
import type { JsonObject } from "./property-values.ts";

const IMMUTABLE = { configMaps: false, secrets: false };
const kind = (group: string, name: string) => replacingFields({ group, version: "v1", kind: name }, IMMUTABLE);

const cases: readonly {
  it: string;
  fields: readonly string[];
  old: JsonObject;
  news: JsonObject;
  diff: Record<string, string>;
}[] = [
  { it: "finds nothing between equal inputs", fields: [], old: { a: [1, { b: 2 }] }, news: { a: [1, { b: 2 }] }, diff: {} },
  {
    it: "names a changed list item",
    fields: [],
    old: { c: [{ i: "x" }] },
    news: { c: [{ i: "y" }] },
    diff: { "c[0].i": "UPDATE" },
  },
  { it: "quotes names with dots", fields: [], old: { l: {} }, news: { l: { "a.b/c": "x" } }, diff: { 'l["a.b/c"]': "ADD" } },
  {
    it: "says what was removed",
    fields: [],
    old: { a: 1, l: [1, 2] },
    news: { l: [1] },
    diff: { a: "DELETE", "l[1]": "DELETE" },
  },
  {
    it: "replaces a ConfigMap whose data changed",
    fields: kind("", "ConfigMap"),
    old: { data: { a: "1" } },
    news: { data: { a: "2" } },
    diff: { "data.a": "UPDATE_REPLACE" },
  },
  {
    it: "replaces a Pod whose container was added with an image",
    fields: kind("", "Pod"),
    old: { spec: { containers: [] } },
    news: { spec: { containers: [{ image: "i" }] } },
    diff: { "spec.containers[0]": "ADD_REPLACE" },
  },
  {
    it: "updates a Deployment's image but replaces for its selector",
    fields: kind("apps", "Deployment"),
    old: { spec: { selector: { matchLabels: { a: "1" } }, template: { image: "1" } } },
    news: { spec: { selector: { matchLabels: { a: "2" } }, template: { image: "2" } } },
    diff: { "spec.selector.matchLabels.a": "UPDATE_REPLACE", "spec.template.image": "UPDATE" },
  },
];

describe("detailedDiff", () => {
  test.each(cases)("$it", ({ fields, old, news, diff }) => {
    expect(Object.fromEntries(detailedDiff(old, news, fields))).toEqual(diff);
  });

  test("leaves out what ignoreChanges covers, and nothing that only begins like it", () => {
    const differences = detailedDiff({ spec: { a: 1, ab: 1 } }, { spec: { a: 2, ab: 2 } }, []);
    expect([...withoutIgnored(differences, ["spec.a"]).keys()]).toEqual(["spec.ab"]);
  });

  test("a ConfigMap that the provider may change is not replaced", () => {
    const fields = replacingFields({ group: "", version: "v1", kind: "ConfigMap" }, { configMaps: true, secrets: false });
    expect(replacedFields(detailedDiff({ data: { a: "1" } }, { data: { a: "2" } }, fields))).toEqual([]);
  });
});
