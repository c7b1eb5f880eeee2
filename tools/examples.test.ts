// The examples' objects are valid, and what an example says twice, as a program and as YAML, is the same.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { parse, parseAllDocuments } from "yaml";
import { Globalization } from "#api/apps/v1alpha1/globalization.ts";
import { HelmChart } from "#api/apps/v1alpha1/helm-chart.ts";
import { Manifest } from "#api/apps/v1alpha1/manifest.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { Kind } from "#api/define-kind.ts";
import type { KubeObject } from "#api/meta.ts";
import { runCli } from "#cli/cli.ts";
import { formatProblems, parseObject } from "#api/validation.ts";

const examples = join(import.meta.dirname, "..", "examples");
const directory = join(examples, "04-drift-and-deletion");
const chartDirectory = join(examples, "03-helm-chart");
const objectsOf = (example: string): KubeObject[] =>
  parseAllDocuments(readFileSync(join(example, "objects.yaml"), "utf8")).map((document) => document.toJS() as KubeObject);
const weightDirectory = join(examples, "06-divide-by-weight");
const capacityDirectory = join(examples, "07-divide-by-capacity");
const failoverDirectory = join(examples, "08-failover");
const written = objectsOf(directory);
const divided = objectsOf(weightDirectory);
const fitted = objectsOf(capacityDirectory);
const moved = objectsOf(failoverDirectory);
const charts = objectsOf(chartDirectory);
const kinds = [Manifest, Subscription, HelmChart, Globalization] as readonly Kind[];

test.each(
  [...written, ...charts, ...divided, ...fitted, ...moved].map(
    (object) => [`${object.kind} ${object.metadata.name}`, object] as const,
  ),
)("%s is valid", (_name, object) => {
  const result = parseObject(
    kinds.find(({ kind }) => kind === object.kind)!,
    object,
  );
  expect(result.valid ? "" : formatProblems(result.problems)).toBe("");
});

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

test("the program of helm-chart says what its YAML says", async () => {
  const program = (await import(join(chartDirectory, "objects.ts"))) as Readonly<
    Record<"helmChart" | "globalization" | "subscription", object>
  >;
  const { apiVersion } = Subscription;
  expect([
    { apiVersion, kind: "HelmChart", ...program.helmChart },
    { apiVersion, kind: "Globalization", ...program.globalization },
    { apiVersion, kind: "Subscription", ...program.subscription },
  ]).toEqual(charts);
});

test("the program of divide-by-weight says what its YAML says", async () => {
  const { configMap, deployment, manifestOf, subscription } = (await import(join(weightDirectory, "objects.ts"))) as {
    readonly configMap: object;
    readonly deployment: () => object;
    readonly manifestOf: (template: object) => object;
    readonly subscription: () => object;
  };
  const { apiVersion } = Subscription;
  expect([
    { apiVersion, kind: "Manifest", ...manifestOf(configMap) },
    { apiVersion, kind: "Manifest", ...manifestOf(deployment()) },
    { apiVersion, kind: "Subscription", ...subscription() },
  ]).toEqual(divided);
});

test("the program of divide-by-capacity says what its YAML says", async () => {
  const { manifest, subscription } = (await import(join(capacityDirectory, "objects.ts"))) as Readonly<
    Record<"manifest" | "subscription", () => object>
  >;
  const { apiVersion } = Subscription;
  expect([
    { apiVersion, kind: "Manifest", ...manifest() },
    { apiVersion, kind: "Subscription", ...subscription() },
  ]).toEqual(fitted);
});

test("the program of failover says what its YAML says", async () => {
  const { manifest, subscription } = (await import(join(failoverDirectory, "objects.ts"))) as {
    readonly manifest: object;
    readonly subscription: () => object;
  };
  const { apiVersion } = Subscription;
  expect([
    { apiVersion, kind: "Manifest", ...manifest },
    { apiVersion, kind: "Subscription", ...subscription() },
  ]).toEqual(moved);
});

test("the plugin of write-a-scheduler-plugin decides, as its README says", async () => {
  const example = join(examples, "05-write-a-scheduler-plugin");
  const path = (name: string): string => join(example, name);
  let printed = "";
  const cli = { env: {}, write: (text: string) => void (printed += text), complain: (text: string) => void (printed += text) };
  const argv = ["schedule", "--dry-run", "-f", path("subscription.yaml"), "--clusters", path("clusters.yaml")];
  await runCli([...argv, "--config", path("config.yaml")], cli);
  expect(readFileSync(path("README.md"), "utf8")).toContain(printed);
  expect(printed).toContain("paris/paris: gets bound");
});

test("the program of write-a-scheduler-plugin says what its YAML says", async () => {
  const example = join(examples, "05-write-a-scheduler-plugin");
  const program = (await import(join(example, "scheduler-config.ts"))) as { readonly schedulerConfig: object };
  expect(program.schedulerConfig).toEqual(parse(readFileSync(join(example, "config.yaml"), "utf8")));
});
