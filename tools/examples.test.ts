// The examples' objects are valid, and what an example says twice, as a program and as YAML, is the same.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { parseAllDocuments } from "yaml";
import { Manifest } from "#api/apps/v1alpha1/manifest.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { KubeObject } from "#api/meta.ts";
import { formatProblems, parseObject } from "#api/validation.ts";

const directory = join(import.meta.dirname, "..", "examples", "04-drift-and-deletion");
const written = parseAllDocuments(readFileSync(join(directory, "objects.yaml"), "utf8")).map(
  (document) => document.toJS() as KubeObject,
);

test.each(written.map((object) => [`${object.kind} ${object.metadata.name}`, object] as const))(
  "%s is valid",
  (_name, object) => {
    const result = object.kind === "Manifest" ? parseObject(Manifest, object) : parseObject(Subscription, object);
    expect(result.valid ? "" : formatProblems(result.problems)).toBe("");
  },
);

test("the program of drift-and-deletion says what its YAML says", async () => {
  const program = (await import(join(directory, "objects.ts"))) as {
    readonly manifests: object[];
    readonly subscriptions: object[];
  };
  const { apiVersion } = Subscription;
  expect([
    ...program.manifests.map((each) => ({ apiVersion, kind: "Manifest", ...each })),
    ...program.subscriptions.map((each) => ({ apiVersion, kind: "Subscription", ...each })),
  ]).toEqual(written);
});
