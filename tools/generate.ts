// Writes the files that are derived from TypeScript: deploy/ and docs/reference/. With --check it writes nothing, lists the files that
// differ, and fails if there is one.

import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { adrIndex } from "#tools/generate/adr-index.ts";
import { apiReference } from "#tools/generate/api-reference.ts";
import { crdFiles } from "#tools/generate/crds.ts";
import { errorsReference } from "#tools/generate/errors-reference.ts";
import { installFiles } from "#tools/generate/install.ts";
import { observabilityReference } from "#tools/generate/observability-reference.ts";
import { openApiFile } from "#tools/generate/openapi.ts";
import { optionsReference } from "#tools/generate/options-reference.ts";
import { readmeWithTree } from "#tools/generate/readme-tree.ts";

/** A generator owns what it produces; files in a `folder` of which it produced none are left over and go. */
export interface Generator {
  readonly name: string;
  /** Given: everything in this folder is generated. */
  readonly folder?: string;
  /** Path below the repository to content. */
  generate(): ReadonlyMap<string, string> | Promise<ReadonlyMap<string, string>>;
}

/** Add yours here. */
const generators: readonly Generator[] = [
  { name: "CustomResourceDefinitions", folder: "deploy/crds", generate: crdFiles },
  { name: "API reference", generate: apiReference },
  { name: "OpenAPI", generate: openApiFile },
  { name: "installation", generate: installFiles },
  { name: "options reference", generate: optionsReference },
  { name: "errors reference", generate: errorsReference },
  { name: "metrics and log events", generate: observabilityReference },
  { name: "index of decisions", generate: adrIndex },
  { name: "tree in the README", generate: readmeWithTree },
];

export type Change = { readonly path: string; readonly content: string } | { readonly path: string; readonly content: undefined };

/** What must be written (content) or removed (no content) so that the files are as generated. */
export async function pendingChanges(root: string, list: readonly Generator[] = generators): Promise<Change[]> {
  const changes: Change[] = [];
  for (const generator of list) {
    const files = await generator.generate();
    for (const [path, content] of files) {
      if ((await readIfThere(join(root, path))) !== content) changes.push({ path, content });
    }
    for (const path of generator.folder === undefined ? [] : await filesIn(root, generator.folder)) {
      if (!files.has(path)) changes.push({ path, content: undefined });
    }
  }
  return changes;
}

export async function applyChange(root: string, { path, content }: Change): Promise<void> {
  const target = join(root, path);
  if (content === undefined) return rm(target);
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, content);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function filesIn(root: string, folder: string): Promise<string[]> {
  try {
    return (await readdir(join(root, folder))).map((name) => `${folder}/${name}`);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return typeof error === "object" && error !== null && "code" in error && error.code === "ENOENT";
}

if (import.meta.main) {
  const root = dirname(import.meta.dirname);
  const checkOnly = process.argv.includes("--check");
  const changes = await pendingChanges(root);
  for (const change of changes) {
    if (!checkOnly) await applyChange(root, change);
    const what = change.content === undefined ? "left over" : checkOnly ? "differs" : "written";
    process.stdout.write(`${what}: ${change.path}\n`);
  }
  if (checkOnly && changes.length > 0) {
    process.stdout.write("Run `npm run generate` and commit what it changes\n");
    process.exitCode = 1;
  }
}
