import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { LabelSelector } from "#api/meta.ts";
import { formatSelector, matchesSelector, parseSelector } from "./selector.ts";

const matches: readonly {
  readonly it: string;
  readonly selector: LabelSelector | undefined;
  readonly yes: readonly Record<string, string>[];
  readonly no: readonly Record<string, string>[];
}[] = [
  { it: "nothing without a selector", selector: undefined, yes: [], no: [{}, { a: "1" }] },
  { it: "everything with an empty one", selector: {}, yes: [{}, { a: "1" }], no: [] },
  {
    it: "every label of matchLabels",
    selector: { matchLabels: { a: "1", b: "2" } },
    yes: [{ a: "1", b: "2", c: "3" }],
    no: [{ a: "1" }, { a: "1", b: "x" }],
  },
  {
    it: "In",
    selector: { matchExpressions: [{ key: "a", operator: "In", values: ["1", "2"] }] },
    yes: [{ a: "2" }],
    no: [{}, { a: "3" }],
  },
  {
    it: "NotIn, also without the label",
    selector: { matchExpressions: [{ key: "a", operator: "NotIn", values: ["1"] }] },
    yes: [{}, { a: "2" }],
    no: [{ a: "1" }],
  },
  {
    it: "Exists, also with an empty value",
    selector: { matchExpressions: [{ key: "a", operator: "Exists" }] },
    yes: [{ a: "" }],
    no: [{ b: "" }],
  },
  { it: "DoesNotExist", selector: { matchExpressions: [{ key: "a", operator: "DoesNotExist" }] }, yes: [{}], no: [{ a: "" }] },
  {
    it: "a label that is called like something every object has",
    selector: { matchExpressions: [{ key: "constructor", operator: "Exists" }] },
    yes: [{ constructor: "x" }],
    no: [{}],
  },
];

test.each(matches)("a selector matches $it", ({ selector, yes, no }) => {
  expect(yes.map((labels) => matchesSelector(selector, labels))).toEqual(yes.map(() => true));
  expect(no.map((labels) => matchesSelector(selector, labels))).toEqual(no.map(() => false));
  expect(matchesSelector(selector, undefined)).toBe(matchesSelector(selector, {}));
});

const texts: readonly (readonly [string, LabelSelector])[] = [
  ["", {}],
  ["a=1", { matchLabels: { a: "1" } }],
  [" a == 1 , b = 2 ", { matchLabels: { a: "1", b: "2" } }],
  ["a=", { matchLabels: { a: "" } }],
  ["a!=1", { matchExpressions: [{ key: "a", operator: "NotIn", values: ["1"] }] }],
  [
    "a in (x, y),b notin (z)",
    {
      matchExpressions: [
        { key: "a", operator: "In", values: ["x", "y"] },
        { key: "b", operator: "NotIn", values: ["z"] },
      ],
    },
  ],
  ["in in (in)", { matchExpressions: [{ key: "in", operator: "In", values: ["in"] }] }],
  [
    "!example.com/a,example.com/b",
    {
      matchExpressions: [
        { key: "example.com/a", operator: "DoesNotExist" },
        { key: "example.com/b", operator: "Exists" },
      ],
    },
  ],
  ["a=1,a=2", { matchLabels: { a: "1" }, matchExpressions: [{ key: "a", operator: "In", values: ["2"] }] }],
];

test.each(texts)("the text %p is read as Kubernetes reads it", (text, selector) => {
  expect(parseSelector(text)).toEqual(selector);
});

test.each([
  "a=1,",
  ",",
  "a=b=c",
  "a in x",
  "a in (x",
  "a in x)",
  "=1",
  "a>1",
  "a b",
  "!",
  "-a=1",
  "a=-1",
  "a in ((x))",
  `${"k".repeat(64)}=1`,
  `a=${"v".repeat(64)}`,
])("the text %p is refused", (text) => {
  expect(() => parseSelector(text)).toThrow("is not a");
});

const name = fc.stringMatching(/^[a-z]{1,3}$/);
const selectors: fc.Arbitrary<LabelSelector> = fc.record({
  matchLabels: fc.dictionary(name, name, { maxKeys: 3 }),
  matchExpressions: fc.array(
    fc.oneof(
      fc.record({
        key: name,
        operator: fc.constantFrom("In" as const, "NotIn" as const),
        values: fc.array(name, { minLength: 1, maxLength: 3 }),
      }),
      fc.record({ key: name, operator: fc.constantFrom("Exists" as const, "DoesNotExist" as const) }),
    ),
    { maxLength: 4 },
  ),
});

describe("for every selector", () => {
  test("text and back selects the same objects", () => {
    fc.assert(
      fc.property(selectors, fc.dictionary(name, name, { maxKeys: 4 }), (selector, labels) => {
        const copy = parseSelector(formatSelector(selector));
        expect(matchesSelector(copy, labels)).toBe(matchesSelector(selector, labels));
        expect(formatSelector(copy)).toBe(formatSelector(copy));
      }),
    );
  });

  test("In and NotIn, Exists and DoesNotExist are opposites", () => {
    fc.assert(
      fc.property(name, fc.array(name, { minLength: 1 }), fc.dictionary(name, name), (key, values, labels) => {
        const one = (operator: "In" | "NotIn" | "Exists" | "DoesNotExist"): boolean =>
          matchesSelector({ matchExpressions: [{ key, operator, values }] }, labels);
        expect(one("In")).toBe(!one("NotIn"));
        expect(one("Exists")).toBe(!one("DoesNotExist"));
      }),
    );
  });
});
