// What an administrator registers about kinds of others.

import { expect, test } from "@jest/globals";
import { at, interpretedHealth, interpreterOf, parseInterpreters } from "./interpreters.ts";

const database = `
apiVersion: example.com/v1
kind: Database
replicas: /spec/members
podTemplate: /spec/pod
health:
  - { state: Failed, path: /status/phase, in: [Broken, 7] }
  - { state: Available, path: /status/phase, in: [Running] }
`;

test("the first health rule that holds decides; none: on its way", () => {
  const { interpreters, problems } = parseInterpreters({ database });
  expect(problems).toEqual([]);
  const interpreter = interpreterOf(interpreters, { apiVersion: "example.com/v1", kind: "Database" })!;
  const health = (phase?: unknown) => interpretedHealth(interpreter, { status: { phase } });
  expect(health("Running")).toEqual({ state: "Available", message: "" });
  expect(health("Broken")).toEqual({ state: "Failed", message: "/status/phase is Broken" });
  expect(health(7)).toEqual({ state: "Failed", message: "/status/phase is 7" });
  expect(health("7")).toEqual({ state: "Progressing", message: "/status/phase is 7" });
  expect(health()).toEqual({ state: "Progressing", message: "/status/phase is not set" });
  expect(interpreterOf(interpreters, { apiVersion: "example.com/v2", kind: "Database" })).toBeUndefined();
});

test("a wrong entry costs itself only, and its problem names the key, the field and the cause", () => {
  const { interpreters, problems } = parseInterpreters({
    "a-good": database,
    "b-twice": database,
    "c-path": "{apiVersion: v1, kind: A, replicas: spec.replicas}",
    "d-elsewhere": "{apiVersion: v1, kind: A, health: [{state: Failed, path: /spec/x, in: [1]}]}",
    "e-unknown": "{apiVersion: v1, kind: A, replica: /spec/replicas}",
    "f-yaml": "{",
    "g-empty": "",
  });
  expect([...interpreters.keys()]).toEqual(["example.com/v1/Database"]);
  expect(problems).toEqual([
    expect.stringMatching(/^b-twice: example.com\/v1\/Database is registered twice$/),
    expect.stringMatching(/^c-path: replicas: must be a JSON pointer/),
    expect.stringMatching(/^d-elsewhere: health\.0\.path: must lie below \/status/),
    expect.stringMatching(/^e-unknown: .*replica/),
    expect.stringMatching(/^f-yaml: is neither YAML nor JSON/),
    expect.stringMatching(/^g-empty: /),
  ]);
});

test("a pointer reaches own members only", () => {
  const object = { spec: { "a/b": [{ "~x": 1 }], replicas: 0 } };
  expect(at(object, "/spec/a~1b/0/~0x")).toBe(1);
  expect(at(object, "/spec/replicas")).toBe(0);
  expect(at(object, "/spec/constructor")).toBeUndefined();
  expect(at(object, "/spec/a~1b/length")).toBeUndefined();
});
