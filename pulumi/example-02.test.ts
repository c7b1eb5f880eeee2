// examples/02-overrides-and-canary: the program and the YAML beside it say the same.

import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "@jest/globals";
import * as pulumi from "@pulumi/pulumi";
import { parse, parseAllDocuments } from "yaml";
import { recordResources } from "#test/framework/recorded-resources.ts";

const example = join(dirname(import.meta.dirname), "examples", "02-overrides-and-canary");

interface Document {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec?: { readonly overrides?: readonly { readonly value: string }[] };
}

/** Values are compared as what they say, not as how they are written; and which cluster is the large one is the user's. */
const comparable = ({ kind, metadata, spec, ...rest }: Document): unknown => ({
  ...rest,
  kind,
  metadata: kind === "Localization" ? { name: metadata.name } : metadata,
  ...(spec === undefined
    ? {}
    : {
        spec: {
          ...spec,
          ...(spec.overrides === undefined
            ? {}
            : { overrides: spec.overrides.map((each) => ({ ...each, value: parse(each.value) as unknown })) }),
        },
      }),
});
const byName = (documents: readonly Document[]): unknown =>
  Object.fromEntries(documents.map((document) => [`${document.kind} ${document.metadata.name}`, comparable(document)]));
const yaml = (...files: readonly string[]): Document[] =>
  files.flatMap((file) =>
    parseAllDocuments(readFileSync(join(example, "yaml", file), "utf8")).map((document) => document.toJS() as Document),
  );

test("the program makes just what the YAML says", async () => {
  const directory = await mkdtemp(join(tmpdir(), "clusternet-example-"));
  try {
    const parentKubeconfig = join(directory, "parent.kubeconfig");
    await writeFile(parentKubeconfig, "{}");
    pulumi.runtime.setAllConfig({
      "project:parentKubeconfig": parentKubeconfig,
      "project:rollout": "canary",
      "project:largeCluster": "child-2",
    });
    // Modules that the program needs are there before it is watched.
    await import("pulumi-clusternet");
    const resources = await recordResources(() => import(join(example, "index.ts")));
    const made = resources
      .filter(({ type }) => type.includes("clusternet.io"))
      .map(({ inputs }) => JSON.parse(JSON.stringify(inputs)) as Document);
    expect(byName(made)).toEqual(byName(yaml("tea.yaml", "canary.yaml", "large-cluster.yaml")));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}, 60_000);

test("promoting takes the affinity away, and changes nothing else", () => {
  const [canary] = yaml("canary.yaml");
  const [everywhere] = yaml("everywhere.yaml");
  const { clusterAffinity, ...spec } = canary?.spec as Readonly<Record<string, unknown>>;
  expect(clusterAffinity).toEqual({ matchLabels: { tea: "canary" } });
  expect(everywhere).toEqual({ ...canary, spec });
});
