// The published manifest: what a consumer's npm, Node and TypeScript read.

import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { describe, expect, test } from "@jest/globals";
import { publishedManifest } from "./package.ts";

const repository = dirname(import.meta.dirname);

describe("the published manifest", () => {
  const ours = async (): Promise<Record<string, unknown>> =>
    JSON.parse(await readFile(join(repository, "package.json"), "utf8")) as Record<string, unknown>;

  test("points every import and export at compiled files, and only at published ones", async () => {
    expect(publishedManifest(await ours())).toMatchObject({
      exports: { ".": { types: "./pulumi/index.d.ts", default: "./pulumi/index.js" }, "./package.json": "./package.json" },
    });
    expect(publishedManifest(await ours())["bin"]).toEqual({ "kubectl-clusternet": "./runtime/cli/main.js" });
    expect(publishedManifest(await ours())["imports"]).toEqual({
      "#pulumi/*.ts": "./pulumi/*.js",
      "#cluster-api-integration/*.ts": "./cluster-api-integration/*.js",
      "#*.ts": "./runtime/*.js",
    });
  });

  test("has no development parts, and keeps what identifies the package", async () => {
    const {
      devDependencies: _dev,
      scripts: _scripts,
      engines: _engines,
      imports: _imports,
      exports: _exports,
      bin: _bin,
      ...kept
    } = await ours();
    const published = publishedManifest(await ours());
    expect(published).toMatchObject(kept);
    expect(published).not.toHaveProperty("devDependencies");
    expect(published).not.toHaveProperty("scripts");
  });

  test("is not marked as a Pulumi plugin: the engine would look for an executable that does not exist", async () => {
    expect(publishedManifest(await ours())).not.toHaveProperty("pulumi");
  });
});
