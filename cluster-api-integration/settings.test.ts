// What the settings ConfigMap says, and what it does not.

import { expect, test } from "@jest/globals";
import { finalizers } from "#api/names.ts";
import { readSettings } from "./settings.ts";

const data = { image: "i", parentURL: "https://p:6443", "ca.crt": "" };
const held = { name: "s", finalizers: [finalizers.clusterApi] };

test("are ready only when they are whole and held", () => {
  expect(readSettings({ metadata: held, data })).toEqual({
    state: "ready",
    settings: {
      image: "i",
      imagePullPolicy: undefined,
      parentUrl: "https://p:6443",
      parentCaPem: undefined,
      namespace: "clusternet-system",
    },
  });
  expect(readSettings({ metadata: { name: "s" }, data })).toEqual({ state: "pending" });
  expect(readSettings(undefined)).toEqual({ state: "missing" });
});

test("hand on the parent's authority and how images are pulled", () => {
  expect(readSettings({ metadata: held, data: { ...data, "ca.crt": "PEM", imagePullPolicy: "Never" } })).toMatchObject({
    settings: { parentCaPem: "PEM", imagePullPolicy: "Never" },
  });
});

test.each<[string, Record<string, string>, RegExp]>([
  ["no image", { parentURL: "https://p:6443" }, /^image: /],
  ["an empty image", { ...data, image: "" }, /^image: /],
  ["a parent in the clear", { ...data, parentURL: "http://p" }, /^parentURL: /],
  ["a parent that is no URL", { ...data, parentURL: "nonsense" }, /^parentURL: /],
  ["an unknown pull policy", { ...data, imagePullPolicy: "Sometimes" }, /^imagePullPolicy: /],
  ["nothing", {}, /image: .*; parentURL: /],
])("with %s are invalid, and say what is wrong", (_what, content, problem) => {
  expect(readSettings({ metadata: held, data: content })).toEqual({
    state: "invalid",
    problem: expect.stringMatching(problem),
  });
});

test("without data are invalid, held or not", () => {
  expect(readSettings({ metadata: held })).toMatchObject({ state: "invalid" });
  expect(readSettings({ metadata: { name: "s" } })).toMatchObject({ state: "invalid" });
});

test("that are being deleted are an instruction, whatever they hold", () => {
  expect(readSettings({ metadata: { ...held, deletionTimestamp: "2026-01-01T00:00:00Z" } })).toEqual({ state: "uninstalling" });
});
