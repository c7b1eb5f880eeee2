// Which version of a chart is taken.

import { expect, test } from "@jest/globals";
import { chooseVersion, isExactVersion } from "./version.ts";

const available = ["1.2.3", "0.1.9", "2.0.0-rc.1", "1.10.0", "1.9.9", "not-a-version", "0.2.0", "2.0.0-rc.10", "2.0.0-rc.2"];

test.each([
  [undefined, "1.10.0"],
  ["", "1.10.0"],
  ["*", "1.10.0"],
  ["1.2.3", "1.2.3"],
  ["v1.2.3", "1.2.3"],
  ["1.2", "1.2.3"],
  ["1.x", "1.10.0"],
  ["^1.2.0", "1.10.0"],
  ["~1.9", "1.9.9"],
  ["~1.2.0", "1.2.3"],
  ["^0.1.0", "0.1.9"],
  [">=1.2 <1.10", "1.9.9"],
  [">= 1.2, < 1.10", "1.9.9"],
  ["<1 || 1.2.3", "1.2.3"],
  ["> 1.10.0", undefined],
  ["!=1.10.0", "1.9.9"],
  [">=2.0.0-0", "2.0.0-rc.10"],
  ["2.0.0-rc.2", "2.0.0-rc.2"],
  ["2.0.0", undefined],
  ["not-a-version", "not-a-version"],
  ["latest", undefined],
  ["^".repeat(300), undefined],
])("%s is %s", (wanted, expected) => {
  expect(chooseVersion(available, wanted)).toBe(expected);
});

test.each([
  ["1.2.3", true],
  ["v1.2.3-rc.1", true],
  ["1.2", false],
  ["^1.2.3", false],
  [undefined, false],
])("%s is exact: %s", (wanted, expected) => {
  expect(isExactVersion(wanted)).toBe(expected);
});
