// Runs one Markdown golden file: each indented block under a `##` heading is a case; its input is given, its output is compared.
//
// In a case, lines before the first line of the form `=> …` are input, lines from there on are what must come out (without the `=> `).
// `UPDATE_GOLDEN=1` writes what came out back into the file, for a person to read in the diff.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";

export interface GoldenCase {
  readonly name: string;
  readonly input: readonly string[];
  readonly expected: readonly string[];
}

const GOLDEN_DIRECTORY = join(import.meta.dirname, "..", "golden");
const INDENT = "    ";
const MARK = "=> ";

/** `path` is below test/golden. Declares one test per case. */
export function testGolden(
  path: string,
  run: (input: readonly string[]) => readonly string[] | Promise<readonly string[]>,
): void {
  const file = join(GOLDEN_DIRECTORY, path);
  const cases = parseGolden(readFileSync(file, "utf8"));
  test.each(cases)(`${path}: $name`, async ({ name, input, expected }) => {
    const output = await run(input);
    if (process.env["UPDATE_GOLDEN"] === "1") rewrite(file, { name, input, expected: output });
    else expect(output).toEqual(expected);
  });
}

function parseGolden(text: string): GoldenCase[] {
  return text
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const lines = section.split("\n");
      const block = lines.filter((line) => line.startsWith(INDENT)).map((line) => line.slice(INDENT.length));
      const input = block.filter((line) => !line.startsWith(MARK));
      const expected = block.filter((line) => line.startsWith(MARK)).map((line) => line.slice(MARK.length));
      return { name: lines[0] ?? "", input, expected };
    });
}

function rewrite(file: string, { name, input, expected }: GoldenCase): void {
  const block = [...input, ...expected.map((line) => MARK + line)].map((line) => INDENT + line).join("\n");
  const sections = readFileSync(file, "utf8").split(/^## /m);
  const updated = sections.map((section) => {
    if (!section.startsWith(`${name}\n`)) return section;
    const prose = section.split("\n").filter((line) => !line.startsWith(INDENT));
    return `${prose.join("\n").trim()}\n\n${block}\n\n`;
  });
  writeFileSync(file, `${updated.join("## ").trim()}\n`);
}
