// Equality is that of canonical JSON, at a fraction of its price.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { canonicalJson, deepEqual } from "./canonical-json.ts";

const json = fc.anything({ withObjectString: true, withNullPrototype: true, maxDepth: 4 });

test("deepEqual says what canonical JSON says, of equal values and of others", () => {
  fc.assert(
    fc.property(json, json, (a, b) => {
      expect(deepEqual(a, b)).toBe(canonicalJson(a) === canonicalJson(b));
      expect(deepEqual(a, structuredClone(a))).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  [{ a: 1, b: [2] }, { b: [2], a: 1 }, true],
  [{ a: undefined }, {}, true],
  [{ a: null }, {}, false],
  [{ a: undefined, b: 1 }, { c: 1, b: 1 }, false],
  [[undefined], [null], true],
  [[1, 2], [1], false],
  [[], {}, false],
  [Number.NaN, null, true],
  [new Date(0), new Date(0), true],
  [new Date(0), new Date(1), false],
  [new Date(0), "1970-01-01T00:00:00.000Z", true],
  ["1", 1, false],
  [0, -0, true],
])("%j and %j are equal: %s", (a, b, equal) => {
  expect(deepEqual(a, b)).toBe(equal);
  expect(deepEqual(b, a)).toBe(equal);
});
