// The command line of the test bed.
import { expect, test } from "@jest/globals";
import { resolve } from "node:path";
import { parseTestbedOptions } from "#tools/testbed.ts";

test("parseTestbedOptions reads children, directory and bare", () => {
  expect(parseTestbedOptions(["--children", "3", "--dir", "/d", "--bare"])).toEqual({ children: 3, directory: "/d", bare: true });
  expect(parseTestbedOptions([])).toEqual({ children: 2, directory: resolve(".testbed"), bare: false });
});

test.each(["-1", "two", "1.5", "1000"])("parseTestbedOptions refuses %s children", (children) => {
  expect(() => parseTestbedOptions([`--children=${children}`])).toThrow(/--children: Expected a whole number from 0 to 50, got /);
});
