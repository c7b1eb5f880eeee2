import { expect, test } from "@jest/globals";
import { compareText } from "./compare-text.ts";

test("orders by code units, whatever a language says", () => {
  expect(["b", "a", "B", "ä", "a10", "a2", "", "a"].toSorted(compareText)).toEqual(["", "B", "a", "a", "a10", "a2", "b", "ä"]);
  expect(compareText("a", "a")).toBe(0);
});
