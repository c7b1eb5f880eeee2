// What is read of a rendered chart.

import { expect, test } from "@jest/globals";
import { objectsIn } from "./chart-objects.ts";

const kinds = new Set(["Deployment", "Pod"]);
const namesIn = (text: string): readonly unknown[] =>
  objectsIn(text, kinds).map(({ metadata }) => (metadata as { readonly name: string }).name);

test("documents of the kinds that count, also as JSON and in a List; the others are not even parsed", () => {
  const text = [
    "kind: Deployment\nmetadata: { name: a }",
    '{"kind":"Pod","metadata":{"name":"b"}}',
    "kind: ConfigMap\nmetadata: { name: c }\ndata: [",
    "kind: HorizontalPodAutoscaler\nmetadata: { name: d }\nspec: { scaleTargetRef: { kind: Deployment } }",
    "kind: List\nitems:\n- kind: Pod\n  metadata: { name: e }\n- kind: Secret",
    "# nothing",
  ];
  expect(namesIn(text.join("\n---\n"))).toEqual(["a", "b", "e"]);
});

test("a merge key is followed, and a document that is broken is said", () => {
  const merged = "kind: Pod\nbase: &base { name: x }\nmetadata:\n  <<: *base\n";
  expect(namesIn(merged)).toEqual(["x"]);
  expect(() => namesIn("kind: Pod\nspec: [")).toThrow("cannot be read");
});
