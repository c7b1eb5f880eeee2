// A status repeats no credential that came in with the values.

import { expect, test } from "@jest/globals";
import { hideCredentials, statusWithoutCredentials } from "./hide-credentials.ts";

const encoded = (values: unknown): string => Buffer.from(JSON.stringify(values)).toString("base64");

test.each([
  ["by its key", { password: "hunter2" }, "it is hunter2", "it is [hidden]"],
  ["below such a key", { auth: { users: [{ name: "robot" }] } }, "user robot", "user [hidden]"],
  ["as base64", { token: "hunter2" }, `data: ${Buffer.from("hunter2").toString("base64")}`, "data: [hidden]"],
  ["the longer of two", { token: "abcd", password: "abcdef" }, "abcdef abcd", "[hidden] [hidden]"],
  ["not another value", { colour: "blue" }, "blue", "blue"],
  ["not a short word", { auth: "on" }, "on and on", "on and on"],
])("hides a credential %s", (_what, values, text, expected) => {
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
