// One patch of an override on one thing: an object, the values of a chart, or the HelmChart itself. Pure.
//
// (PATCH-1) A patch changes a thing, it never turns it into another: what identifies it stays.
// (PATCH-2) The result is bounded in size and depth, whatever the patch says.
// (PATCH-3) A patch that does not apply says where; nothing is ever left out in silence.

import type { OverrideConfig } from "#api/apps/v1alpha1/override.ts";
import { patchField } from "./field-patch.ts";
import { coalesceValues } from "./helm-values.ts";
import { isJsonObject, resultProblem, type JsonObject } from "./json.ts";
import { applyJsonPatch, PatchError, type JsonPatchOperation } from "./json-patch.ts";
import { applyMergePatch } from "./merge-patch.ts";
import { parsePatchValue } from "./patch-value.ts";

/** `object`: an object of a generic feed. `values` and `chart`: of a HelmChart feed. */
export type PatchTarget = "object" | "values" | "chart";

export type PatchResult =
  | { readonly outcome: "applied"; readonly object: JsonObject }
  | { readonly outcome: "skipped"; readonly reason: string }
  | { readonly outcome: "failed"; readonly path: string; readonly reason: string };

export function applyPatch(
  { object, target }: { readonly object: JsonObject; readonly target: PatchTarget },
  config: OverrideConfig,
): PatchResult {
  const parsed = parsePatchValue(config.value);
  if (!parsed.ok) return failed(`value ${parsed.reason}`);
  if ("blank" in parsed) return { outcome: "skipped", reason: "the value is blank" };
  try {
    const result = patched(object, { config, target, value: parsed.value });
    return result.outcome === "applied" ? checked(object, { after: result.object, target }) : result;
  } catch (error) {
    if (error instanceof PatchError) return { outcome: "failed", path: error.path, reason: error.message };
    throw error;
  }
}

interface Parsed {
  readonly config: OverrideConfig;
  readonly target: PatchTarget;
  readonly value: unknown;
}

type Patched =
  { readonly outcome: "applied"; readonly object: unknown } | { readonly outcome: "skipped"; readonly reason: string };

function patched(object: JsonObject, { config, target, value }: Parsed): Patched {
  switch (config.type) {
    case "Helm":
      return { outcome: "applied", object: helm(object, { target, value }) };
    case "JSONPatch":
      return { outcome: "applied", object: applyJsonPatch(object, operations(value)) };
    case "MergePatch":
      return { outcome: "applied", object: applyMergePatch(object, value) };
    case "FieldJSONPatch": {
      const wanted = operations(value);
      return patchField(object, config, (text) => applyJsonPatch(text, wanted));
    }
    case "FieldMergePatch":
      return patchField(object, config, (text) => applyMergePatch(text, value));
    default:
      throw new PatchError("", `type ${String(config.type satisfies never)} is not known`);
  }
}

function helm(object: JsonObject, { target, value }: { readonly target: PatchTarget; readonly value: unknown }): unknown {
  if (target === "object") throw new PatchError("", "type Helm is for HelmChart feeds: use MergePatch");
  // The HelmChart itself is no values: there null means that the field goes.
  if (target === "chart") return applyMergePatch(object, value);
  if (!isJsonObject(value)) throw new PatchError("", "value is not a table of Helm values");
  return coalesceValues(object, value);
}

const OPERATIONS = new Set(["add", "remove", "replace", "move", "copy", "test"]);
const NEEDS_VALUE = new Set(["add", "replace", "test"]);

function operations(value: unknown): readonly JsonPatchOperation[] {
  if (!Array.isArray(value)) throw new PatchError("", "value is not a list of operations");
  const wrong = value.findIndex((operation) => !isOperation(operation));
  if (wrong !== -1) throw new PatchError("", `operation ${String(wrong)} is not a JSON Patch operation`);
  return value.filter(isOperation);
}

function isOperation(value: unknown): value is JsonPatchOperation {
  if (!isJsonObject(value)) return false;
  const { op, path, from } = value;
  return (
    typeof op === "string" &&
    OPERATIONS.has(op) &&
    typeof path === "string" &&
    (from === undefined || typeof from === "string") &&
    (!NEEDS_VALUE.has(op) || Object.hasOwn(value, "value"))
  );
}

const IDENTITY: Readonly<Record<PatchTarget, readonly (readonly string[])[]>> = {
  object: [["apiVersion"], ["kind"], ["metadata", "namespace"], ["metadata", "name"]],
  values: [],
  // Another chart or another namespace would be another release, and the old one would stay.
  chart: [
    ["apiVersion"],
    ["kind"],
    ["metadata", "namespace"],
    ["metadata", "name"],
    ["spec", "chart"],
    ["spec", "targetNamespace"],
  ],
};

function checked(before: JsonObject, { after, target }: { readonly after: unknown; readonly target: PatchTarget }): PatchResult {
  if (!isJsonObject(after))
    return failed(target === "values" ? "the result is not a table of values" : "the result is not an object");
  for (const path of IDENTITY[target]) {
    const [was, is] = [at(before, path), at(after, path)];
    if (was !== is) {
      const reason = `identifies the ${target} and cannot be changed (${text(was)} to ${text(is)})`;
      return { outcome: "failed", path: `/${path.join("/")}`, reason };
    }
  }
  const problem = resultProblem(after);
  return problem === undefined ? { outcome: "applied", object: after } : failed(problem);
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (member, key) => (isJsonObject(member) && Object.hasOwn(member, key) ? member[key] : undefined),
    value,
  );
}

function text(value: unknown): string {
  const written = value === undefined ? "absent" : JSON.stringify(value);
  return written.length > 100 ? `${written.slice(0, 100)}…` : written;
}

function failed(reason: string): PatchResult {
  return { outcome: "failed", path: "", reason };
}
