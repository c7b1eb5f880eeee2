// The text of an override -> its value: YAML 1.2 or JSON, bounded in size, depth and aliases, integers exact. Pure. The one home of yaml.

import { isScalar, parseDocument, visit } from "yaml";
import { exactInteger, isRawNumber } from "#std/exact-json.ts";
import { jsonProblem } from "./json.ts";

/** More is not a patch but a program's data; it belongs into a template. */
const PATCH_VALUE_BYTES_MAX = 256 * 1024;

/** How many values aliases may stand for in sum: a document of a few lines can otherwise mean billions. */
const ALIASES_MAX = 100;

export type PatchValue =
  | { readonly ok: true; readonly value: unknown }
  /** Nothing but white space: the override changes nothing. */
  | { readonly ok: true; readonly blank: true }
  | { readonly ok: false; readonly reason: string };

export function parsePatchValue(text: string): PatchValue {
  if (text.trim() === "") return { ok: true, blank: true };
  if (text.length > PATCH_VALUE_BYTES_MAX) {
    return { ok: false, reason: `is ${String(text.length)} characters long, more than ${String(PATCH_VALUE_BYTES_MAX)}` };
  }
  try {
    const document = parseDocument(text, { intAsBigInt: true, uniqueKeys: true, strict: true });
    const [error] = document.errors;
    if (error !== undefined) return { ok: false, reason: `is neither YAML nor JSON: ${firstLine(error.message)}` };
    // In place, before anything is expanded: a value that many aliases name is converted once.
    visit(document, {
      Scalar: (_key, node) => {
        if (isScalar(node) && typeof node.value === "bigint") node.value = exactInteger(node.value.toString());
      },
    });
    const value: unknown = document.toJS({ maxAliasCount: ALIASES_MAX });
    const problem = jsonProblem(value) ?? notJson(value);
    return problem === undefined ? { ok: true, value } : { ok: false, reason: problem };
  } catch (error) {
    return { ok: false, reason: `cannot be read: ${firstLine(error instanceof Error ? error.message : String(error))}` };
  }
}

/** YAML has values that JSON cannot say. */
function notJson(value: unknown): string | undefined {
  if (typeof value === "number" && !Number.isFinite(value)) return "contains a number that JSON cannot hold";
  if (isRawNumber(value) || typeof value !== "object" || value === null) return undefined;
  if (ArrayBuffer.isView(value) || value instanceof Map || value instanceof Set) return "contains a value that JSON cannot hold";
  for (const member of Object.values(value)) {
    const problem = notJson(member);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function firstLine(message: string): string {
  return message.split("\n", 1)[0] ?? message;
}
