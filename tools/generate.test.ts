// Generated files: what is missing, stale or left over is found. (That the repository's own are as generated is for `npm run check`.)

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { parse } from "yaml";

import { crdFiles } from "#tools/generate/crds.ts";
import { applyChange, type Generator, pendingChanges } from "./generate.ts";

describe("pendingChanges", () => {
  let root: string;
  const generator: Generator = {
    name: "greetings",
    folder: "out",
    generate: () =>
      new Map([
        ["out/a.txt", "a"],
        ["out/b.txt", "b"],
        ["out/c.txt", "c"],
      ]),
  };

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "generate-"));
  });

  afterEach(async () => {
    await rm(root, { recursive: true });
  });

  test("missing, stale and left over, until they are applied", async () => {
    await mkdir(join(root, "out"));
    await writeFile(join(root, "out/a.txt"), "a");
    await writeFile(join(root, "out/b.txt"), "old");
    await writeFile(join(root, "out/z.txt"), "z");

    const changes = await pendingChanges(root, [generator]);
    expect(changes).toEqual([
      { path: "out/b.txt", content: "b" },
      { path: "out/c.txt", content: "c" },
      { path: "out/z.txt", content: undefined },
    ]);

    for (const change of changes) await applyChange(root, change);
    expect(await pendingChanges(root, [generator])).toEqual([]);
    expect(await readFile(join(root, "out/c.txt"), "utf8")).toBe("c");
  });

  test("an empty repository", async () => {
    expect(await pendingChanges(root, [generator])).toHaveLength(3);
  });
});

test("a CustomResourceDefinition is one document named after group and plural", () => {
  const files = crdFiles();
  expect(parse(files.get("deploy/crds/apps.clusternet.io_subscriptions.yaml") ?? "")).toMatchObject({
    kind: "CustomResourceDefinition",
    metadata: { name: "subscriptions.apps.clusternet.io" },
  });
});
