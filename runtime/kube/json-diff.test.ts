// The differences of two JSON values, applied by the API server's own rules, give the wanted value.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import jsonPatch, { type Operation } from "fast-json-patch";
import { canonicalJson } from "#std/canonical-json.ts";
import { jsonDiff } from "./json-diff.ts";

const names = fc.constantFrom("a", "b", "a/b", "~", "~1");
const { value: json } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, 0, 1, "", "text"),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(names, tie("value"), { maxKeys: 3 }),
  ),
}));

test("applied to the current value, they give the wanted one", () => {
  fc.assert(
    fc.property(json, json, (current, wanted) => {
      const operations = jsonDiff({ in: current }, { in: wanted }, "") as readonly Operation[];
      const { newDocument } = jsonPatch.applyPatch(structuredClone({ in: current }), operations);
      expect(canonicalJson(newDocument)).toBe(canonicalJson({ in: wanted }));
    }),
  );
});

test("one change in a list is one operation; what is undefined goes away", () => {
  const list = [1, 2, 3].map((id) => ({ id, state: "Available", note: "x" }));
  const changed = list.map((each) => (each.id === 2 ? { id: 2, state: "Failed", note: undefined } : each));
  expect(jsonDiff({ list }, { list: changed }, "/status")).toEqual([
    { op: "replace", path: "/status/list/1/state", value: "Failed" },
    { op: "remove", path: "/status/list/1/note" },
  ]);
});
