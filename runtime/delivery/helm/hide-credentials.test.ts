// A status repeats no credential that came in with the values.

import { expect, test } from "@jest/globals";
import { hideCredentials, statusWithoutCredentials } from "./hide-credentials.ts";

const encoded = (values: unknown): string => Buffer.from(JSON.stringify(values)).toString("base64");

test.each([
  { it: "by its key", values: { password: "hunter2" }, text: "it is hunter2", expected: "it is [hidden]" },
  { it: "below such a key", values: { auth: { users: [{ name: "robot" }] } }, text: "user robot", expected: "user [hidden]" },
  { it: "as base64", values: { token: "hunter2" }, text: "data: aHVudGVyMg==", expected: "data: [hidden]" },
  {
    it: "the longer of two first",
    values: { token: "abcd", password: "abcdef" },
    text: "abcdef abcd",
    expected: "[hidden] [hidden]",
  },
  { it: "but no other value", values: { colour: "blue" }, text: "blue", expected: "blue" },
  { it: "but no short word", values: { auth: "on" }, text: "on and on", expected: "on and on" },
])("hides a credential $it", ({ values, text, expected }) => {
  expect(hideCredentials(text, encoded(values))).toBe(expected);
});

test("in everything that a status says; values that are none hide nothing", () => {
  const status = {
    description: "hunter2",
    notes: "hunter2",
    version: 1,
    conditions: [{ type: "Applied", status: "False", reason: "HelmFailed", message: "hunter2", lastTransitionTime: "" }] as const,
  };
  expect(JSON.stringify(statusWithoutCredentials(status, encoded({ password: "hunter2" })))).not.toContain("hunter2");
  expect(statusWithoutCredentials(status, "%%%")).toEqual(status);
});
