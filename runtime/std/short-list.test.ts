// What a message of many parts says.

import { expect, test } from "@jest/globals";
import { shortList } from "./short-list.ts";

test.each([
  [["a", "b"], "a, b"],
  [["a", "b", "c"], "a, b, and 1 more"],
  [[], ""],
])("of %j it shows two", (texts, shown) => {
  expect(shortList(texts, 2).join(", ")).toBe(shown);
});
