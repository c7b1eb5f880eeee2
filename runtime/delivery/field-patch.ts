// A patch inside a field that holds text: a file in a ConfigMap, the values in a chart's spec. The text is read as YAML or JSON, patched,
// and written back as it was but for what the patch changed. Pure.

import type { OverrideConfig } from "#api/apps/v1alpha1/override.ts";
import { parseVerbatimJson } from "#std/exact-json.ts";
import { equalJson, jsonProblem, resultProblem, type JsonObject } from "./json.ts";
import { applyJsonPatch, PatchError, readPointer } from "./json-patch.ts";
import { parseYamlText, yamlTextOf } from "./field-text-yaml.ts";

/** A ConfigMap holds at most 1 MiB. */
const FIELD_TEXT_CHARACTERS_MAX = 1024 * 1024;

export type FieldPatched =
  { readonly outcome: "applied"; readonly object: JsonObject } | { readonly outcome: "skipped"; readonly reason: string };

/** `patch` turns the text's value into another. Throws PatchError. */
export function patchField(object: JsonObject, config: OverrideConfig, patch: (value: unknown) => unknown): FieldPatched {
  const { fieldPath = "", fieldFormat } = config;
  if (fieldPath === "") throw new PatchError("", `type ${config.type} needs fieldPath, such as /data/config.yaml`);
  if (!fieldPath.startsWith("/")) throw new PatchError(fieldPath, "fieldPath must start with /, such as /data/config.yaml");
  if (fieldFormat === undefined) throw new PatchError(fieldPath, `type ${config.type} needs fieldFormat, YAML or JSON`);
  const text = readPointer(object, fieldPath);
  if (typeof text !== "string") throw new PatchError(fieldPath, "does not hold text");
  if (text.trim() === "") return { outcome: "skipped", reason: "the field is empty" };
  if (text.length > FIELD_TEXT_CHARACTERS_MAX) {
    throw new PatchError(fieldPath, `is ${String(text.length)} characters long, more than ${String(FIELD_TEXT_CHARACTERS_MAX)}`);
  }
  const written = inside(fieldPath, () => (fieldFormat === "JSON" ? patchJson(text, patch) : patchYaml(text, patch)));
  if (written === text) return { outcome: "applied", object };
  // The pointer named a place in an object, so the result is one.
  return {
    outcome: "applied",
    object: applyJsonPatch(object, [{ op: "replace", path: fieldPath, value: written }]) as JsonObject,
  };
}

function patchJson(text: string, patch: (value: unknown) => unknown): string {
  const before = read(() => parseVerbatimJson(text), "JSON");
  const after = patched(before, patch);
  if (equalJson(before, after)) return text;
  const indent = /\n([ \t]+)\S/.exec(text)?.[1] ?? (text.trim().includes("\n") ? "  " : "");
  return `${JSON.stringify(after, null, indent)}${/\s*$/.exec(text)?.[0] ?? ""}`;
}

function patchYaml(text: string, patch: (value: unknown) => unknown): string {
  const { document, value } = read(() => parseYamlText(text), "YAML");
  const after = patched(value, patch);
  if (equalJson(value, after)) return text;
  const written = yamlTextOf({ document, value, text }, after);
  if (written === undefined) throw new PatchError("", "the result cannot be written as YAML");
  return text.endsWith("\n") ? written : written.replace(/\n$/, "");
}

function read<T>(parse: () => T, format: "JSON" | "YAML"): T {
  try {
    return parse();
  } catch (error) {
    // JSON's own message quotes the text, and the text may be a secret.
    const [message = ""] = (error instanceof Error ? error.message : String(error)).split("\n", 1);
    const where = format === "YAML" ? `: ${message.replace(/:$/, "")}` : "";
    throw new PatchError("", `the text is not ${format}${where}`);
  }
}

function patched(before: unknown, patch: (value: unknown) => unknown): unknown {
  const problem = jsonProblem(before);
  if (problem !== undefined) throw new PatchError("", `the text is not allowed: ${problem}`);
  const after = patch(before);
  const tooMuch = resultProblem(after);
  if (tooMuch !== undefined) throw new PatchError("", tooMuch);
  return after;
}

/** The path of a problem inside the text follows the field's: `/data/config.yaml in its text: /log/level does not exist`. */
function inside<T>(fieldPath: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof PatchError)) throw error;
    throw new PatchError(fieldPath, error.path === "" ? error.message : `in its text: ${error.path} ${error.message}`);
  }
}
