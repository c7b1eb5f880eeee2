// Rules of the repository that no compiler knows: headers, imports, words, sizes, and documents that tell the truth.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

import { describe, expect, test } from "@jest/globals";

const repository = dirname(import.meta.dirname);

/** What is or could be committed: tracked files and new ones that are not ignored. */
const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
  cwd: repository,
  encoding: "utf8",
})
  .split("\n")
  .filter((path) => path !== "" && existsSync(join(repository, path)))
  .toSorted();

const read = (path: string): string => readFileSync(join(repository, path), "utf8");
const isGenerated = (path: string): boolean => /^(deploy|docs\/reference)\//.test(path) || path.endsWith("package-lock.json");
const isTest = (path: string): boolean => path.endsWith(".test.ts");
const sources = files.filter((path) => /\.(ts|mjs|go)$/.test(path));
const documents = files.filter((path) => path.endsWith(".md"));

describe("source files", () => {
  test("open with a line that says what they are for", () => {
    // A test may open with its imports: its file name and its sentences say what it is for.
    const silent = sources.filter((path) => !isTest(path) && !/^(#!.*\n)?\/\/ .{10,}/.test(read(path)));
    expect(silent).toEqual([]);
  });

  test("import with ./ inside a folder and with # across folders", () => {
    const climbing = sources.filter((path) => /(from|import)\s*\(?\s*["']\.\.\//.test(read(path)));
    expect(climbing).toEqual([]);
  });

  test("have no default export: every importer uses the same name", () => {
    const configuration = /^[^/]+\.mjs$|^test\/framework\/[^/]+\.mjs$/;
    const anonymous = sources.filter((path) => !configuration.test(path) && /^export default /m.test(read(path)));
    expect(anonymous).toEqual([]);
  });

  test("fit into a head", () => {
    const LINES_MAX = 400;
    const long = sources
      .filter((path) => !isTest(path))
      .map((path) => ({ path, lines: read(path).split("\n").length - 1 }))
      .filter(({ lines }) => lines > LINES_MAX)
      .map(({ path, lines }) => `${path}: ${String(lines)} lines`);
    expect(long).toEqual([]);
  });

  test("are not in a folder, or a file, that is named by nothing", () => {
    const drawers = sources.filter((path) => /(^|\/)(utils?|common|shared|helpers?|lib|core|misc)(\/|\.ts$)/.test(path));
    expect(drawers).toEqual([]);
  });
});

/** In pieces, so that this file does not find itself. */
const banned: readonly { readonly what: string; readonly pattern: RegExp }[] = [
  {
    what: "a note to oneself instead of an issue",
    pattern: new RegExp(
      `\\b(${["TO", "DO"].join("")}|${["FIX", "ME"].join("")}|${["XX", "X"].join("")}|${["HA", "CK"].join("")})\\b`,
    ),
  },
  {
    what: "a path of one machine",
    pattern: new RegExp(`(^|[\\s"'\`(=])/(${["wo", "rk"].join("")}|${["ro", "ot"].join("")}|home/[a-z]+|Users/[A-Za-z]+)/`, "m"),
  },
  {
    what: "a host of one machine's package registry",
    pattern: /https?:\/\/(?!registry\.npmjs\.org)[^\s"']*\/(npm|artifactory|verdaccio|nexus)[-/]/,
  },
  {
    what: "talk about how it was written",
    pattern: new RegExp(
      `\\b(${["as an A", "I"].join("")}|${["this ses", "sion"].join("")} of|${["chat", "gpt"].join("")}|${["language mo", "del"].join("")})\\b`,
      "i",
    ),
  },
  { what: "a private key", pattern: /-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/=\n]{100,}/ },
  { what: "a mark of a merge", pattern: /^(<{7}|>{7}) /m },
];

test.each(banned)("no file holds $what", ({ pattern }) => {
  const texts = files.filter(
    (path) => /\.(ts|mjs|go|md|json|jsonl|ya?ml)$|^[^.]+$/.test(path) && !/(go\.sum|package-lock\.json)$/.test(path),
  );
  const found = texts.flatMap((path) => {
    const match = pattern.exec(read(path));
    return match === null ? [] : [`${path}: ${match[0].trim()}`];
  });
  expect(found).toEqual([]);
});

describe("components", () => {
  const components = [
    "runtime/hub",
    "runtime/agent",
    "runtime/scheduler",
    "runtime/controller-manager",
    "cluster-api-integration",
  ];

  test.each(components)("%s has its five things", (folder) => {
    const wiring = folder === "cluster-api-integration" ? "integration.ts" : `${folder.split("/").at(-1) ?? ""}.ts`;
    const missing = ["main.ts", "options.ts", "permissions.ts", wiring, "README.md"].filter(
      (name) => !files.includes(`${folder}/${name}`),
    );
    expect(missing).toEqual([]);
  });

  test("every example has a README and is a Pulumi project", () => {
    const examples = new Set(files.flatMap((path) => /^examples\/[^/]+(?=\/)/.exec(path) ?? []));
    const incomplete = [...examples].filter(
      (folder) => !files.includes(`${folder}/README.md`) || !files.includes(`${folder}/Pulumi.yaml`),
    );
    expect(incomplete).toEqual([]);
  });
});

describe("documents", () => {
  test("have one title each", () => {
    const wrong = documents
      .filter((path) => !path.startsWith("test/golden/"))
      .map((path) => ({ path, titles: prose(path).match(/^# .+$/gm)?.length ?? 0 }))
      .filter(({ titles }) => titles !== 1)
      .map(({ path, titles }) => `${path}: ${String(titles)} titles`);
    expect(wrong).toEqual([]);
  });

  test("link to files that exist", () => {
    const broken = documents
      .filter((path) => !isGenerated(path))
      .flatMap((path) =>
        [...prose(path).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)/g)]
          .map(([, target = ""]) => ({ target, found: normalize(join(dirname(path), target)) }))
          .filter(({ found }) => !existsSync(join(repository, found)))
          .map(({ target }) => `${path} -> ${target}`),
      );
    expect(broken).toEqual([]);
  });

  test("name files that exist", () => {
    const roots = "runtime|pulumi|cluster-api-integration|test|tools|docs|deploy|examples";
    const named = new RegExp(`\`((?:${roots})/[A-Za-z0-9_./-]+\\.(?:ts|md|ya?ml|mjs))\``, "g");
    const missing = documents
      .filter((path) => !isGenerated(path))
      .flatMap((path) => [...prose(path).matchAll(named)].map(([, target = ""]) => ({ path, target })))
      .filter(({ target }) => !existsSync(join(repository, target)))
      .map(({ path, target }) => `${path} names ${target}`);
    expect(missing).toEqual([]);
  });

  test("name npm scripts that exist", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    const named = documents.flatMap((path) =>
      [...read(path).matchAll(/npm run ([a-z][a-z:-]*)/g)].map(([, name = ""]) => `${path}: ${name}`),
    );
    expect(named.filter((entry) => scripts[entry.split(": ")[1] ?? ""] === undefined)).toEqual([]);
  });
});

/** Without code blocks, whose comments look like titles. */
function prose(path: string): string {
  return read(path).replace(/^ *```[\s\S]*?^ *```/gm, "");
}
