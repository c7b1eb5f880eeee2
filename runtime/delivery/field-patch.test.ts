// Laws of patching inside a text field: what is written says exactly what the patch made of it, and nothing else moves.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { stringify } from "yaml";
import { parseExactJson } from "#std/exact-json.ts";
import type { OverrideConfig } from "#api/apps/v1alpha1/override.ts";
import { patchField } from "./field-patch.ts";
import { parseYamlText } from "./field-text-yaml.ts";
import { applyMergePatch } from "./merge-patch.ts";

const config = (fieldFormat: "YAML" | "JSON"): OverrideConfig => ({
  type: "FieldMergePatch",
  value: "",
  fieldPath: "/text",
  fieldFormat,
});
const patchText = (text: string, format: "YAML" | "JSON", patch: unknown): string => {
  const result = patchField({ text }, config(format), (value) => applyMergePatch(value, patch));
  return result.outcome === "applied" ? (result.object["text"] as string) : text;
};

const key = fc.constantFrom("a", "b", "on", "y", "1", "x: y", "- z", "#", "");
const leaf = fc.constantFrom<unknown>(
  ...[null, true, 0, -1, 1.5, "", "yes", "0123", "12:30", "2030-01-01", "a # b", "a: b", "two\nlines\n", "  padded ", "{", "'"],
  ...[parseExactJson("9223372036854775807"), parseExactJson("18446744073709551615")],
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    leaf,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(key, tie("value"), { maxKeys: 4 }),
  ),
}));
const table = fc.dictionary(key, value, { minKeys: 1, maxKeys: 4 });
const same = (actual: unknown, expected: unknown): void => {
  expect(JSON.stringify(sorted(actual))).toBe(JSON.stringify(sorted(expected)));
};
/** The order of keys is the author's. */
const sorted = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(sorted)
    : typeof value === "object" && value !== null && !("rawJSON" in value)
      ? Object.fromEntries(
          Object.entries(value)
            .map(([name, member]) => [name, sorted(member)] as const)
            .toSorted(([a], [b]) => (a < b ? -1 : 1)),
        )
      : value;

describe("patchField", () => {
  test("YAML: the text says exactly what the patch made of it, for any text and patch", () => {
    fc.assert(
      fc.property(table, table, fc.boolean(), (before, patch, indentSeq) => {
        const text = stringify(JSON.parse(JSON.stringify(before)), { indentSeq });
        const written = patchText(text, "YAML", patch);
        same(parseYamlText(written).value, applyMergePatch(parseYamlText(text).value, patch));
        expect(patchText(written, "YAML", patch)).toBe(written);
      }),
    );
  });

  test("JSON: the same, and int64 and decimals keep every digit", () => {
    fc.assert(
      fc.property(table, table, fc.constantFrom("", "  ", "\t"), (before, patch, indent) => {
        const text = JSON.stringify(before, null, indent);
        const written = patchText(text, "JSON", patch);
        same(parseExactJson(written), applyMergePatch(parseExactJson(text), patch));
        expect(patchText(written, "JSON", patch)).toBe(written);
      }),
    );
  });

  test("every line that the patch is not about stays", () => {
    const lines = ["# one", "a: 1 # two", "list:", "  # three", "  - x", "  - y # four", "mode: 0755", "t: ~", "", "# five"];
    const written = patchText(`${lines.join("\n")}\n`, "YAML", { a: 2 });
    expect(written).toBe(`${lines.join("\n").replace("a: 1", "a: 2")}\n`);
  });

  test("what an older reader would take for a boolean or a number is quoted", () => {
    expect(patchText("a: 1\n", "YAML", { a: "yes", b: "012", c: "1:30" })).toBe('a: "yes"\nb: "012"\nc: "1:30"\n');
  });

  test("a text that would grow beyond all bounds is refused", () => {
    const long = "x".repeat(600_000);
    expect(() => patchText(`a: ${long}\n`, "YAML", { b: long })).toThrow(/larger than/);
    expect(() => patchText("x".repeat(1_100_000), "YAML", {})).toThrow(/characters long/);
    expect(() => patchText(`${"[".repeat(200)}${"]".repeat(200)}`, "JSON", {})).toThrow(/nested deeper/);
  });
});
