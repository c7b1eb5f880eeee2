// docs/adr/README.md: the decisions, by number, as their first lines name them.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { GENERATED_MARKDOWN } from "./markdown.ts";

const folder = join(dirname(dirname(import.meta.dirname)), "docs", "adr");

export function adrIndex(): ReadonlyMap<string, string> {
  const lines = readdirSync(folder)
    .filter((name) => /^\d{4}-.*\.md$/.test(name))
    .toSorted()
    .map((name) => `- [${name.slice(0, 4)}](${name}) ${titleOf(name)}`);
  const text = [
    GENERATED_MARKDOWN,
    "",
    "# Decisions",
    "",
    "One decision, one page: what was decided, why, and what it costs. A later decision that changes one says so in both.",
    "",
    ...lines,
    "",
  ].join("\n");
  return new Map([["docs/adr/README.md", text]]);
}

function titleOf(name: string): string {
  const title = /^# (?:\d+\. )?(.+)$/m.exec(readFileSync(join(folder, name), "utf8"))?.[1];
  if (title === undefined) throw new Error(`docs/adr/${name} has no title`);
  return title;
}
