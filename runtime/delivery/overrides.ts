// Applies overrides to one object, in their total order, and says what each of them did. Pure.
//
// Order: all Globalizations, then all Localizations; within these by priority, lowest first; then the older creationTimestamp first;
// then by name. Whoever comes later wins. Inside one override its patches are applied in the order they are written.
//
// A patch that cannot apply stops the object, not the others: the object keeps what was rendered last, and the problem names the
// override, the patch, the path and the cluster. (Upstream skips a JSONPatch whose path is missing without a word.)

import { isJsonObject, type JsonObject } from "./json.ts";
import { applyJsonPatch, PatchError, type JsonPatchOperation } from "./json-patch.ts";
import { applyMergePatch } from "./merge-patch.ts";
import { parsePatchValue } from "./patch-value.ts";
import type { Globalization } from "#api/apps/v1alpha1/globalization.ts";
import type { Localization } from "#api/apps/v1alpha1/localization.ts";
import type { OverrideConfig } from "#api/apps/v1alpha1/override.ts";

export interface OverrideStep {
  /** `Globalization web-everywhere`, `Localization paris/web`. */
  readonly override: string;
  /** The patch's name, or `#0` by position. */
  readonly patch: string;
  readonly type: OverrideConfig["type"];
  readonly outcome: "applied" | "skipped" | "failed";
  readonly reason?: string;
}

export interface OverrideProblem {
  readonly override: string;
  readonly patch: string;
  /** JSON pointer; empty when the patch as a whole is wrong. */
  readonly path: string;
  readonly reason: string;
}

export type Overridden =
  | { readonly ok: true; readonly object: JsonObject; readonly steps: readonly OverrideStep[] }
  | { readonly ok: false; readonly problem: OverrideProblem; readonly steps: readonly OverrideStep[] };

export type Override = Globalization | Localization;

/** The order in which overrides are applied; total, so that the same overrides always give the same result. */
export function orderOverrides(overrides: readonly Override[]): readonly Override[] {
  return overrides.toSorted(
    (a, b) =>
      stage(a) - stage(b) ||
      a.spec.priority - b.spec.priority ||
      compareText(a.metadata.creationTimestamp ?? "", b.metadata.creationTimestamp ?? "") ||
      compareText(a.metadata.namespace ?? "", b.metadata.namespace ?? "") ||
      compareText(a.metadata.name, b.metadata.name),
  );
}

/** `overrides` in the order of orderOverrides. */
export function applyOverrides(object: JsonObject, overrides: readonly Override[]): Overridden {
  const steps: OverrideStep[] = [];
  let current = object;
  for (const override of overrides) {
    for (const [index, config] of (override.spec.overrides ?? []).entries()) {
      const step = { override: overrideText(override), patch: config.name ?? `#${String(index)}`, type: config.type };
      const result = applyPatch(current, config);
      if (result.outcome === "failed") {
        steps.push({ ...step, outcome: "failed", reason: result.reason });
        return {
          ok: false,
          steps,
          problem: { override: step.override, patch: step.patch, path: result.path, reason: result.reason },
        };
      }
      if (result.outcome === "applied") current = result.object;
      steps.push({ ...step, outcome: result.outcome, ...(result.outcome === "skipped" ? { reason: result.reason } : {}) });
    }
  }
  return { ok: true, object: withoutSystemFields(current), steps };
}

export function problemText({ override, patch, path, reason }: OverrideProblem, cluster: string): string {
  return `${override}, patch ${patch}, cluster ${cluster}: ${path === "" ? "" : `${path} `}${reason}`;
}

/** What the child's API server decides; a template may come from a dry run and carry the parent's. */
function withoutSystemFields(object: JsonObject): JsonObject {
  const metadata = isJsonObject(object["metadata"]) ? object["metadata"] : {};
  const rest = Object.fromEntries(Object.entries(object).filter(([field]) => field !== "status"));
  return { ...rest, metadata: Object.fromEntries(Object.entries(metadata).filter(([key]) => !SYSTEM_METADATA.has(key))) };
}

const SYSTEM_METADATA = new Set([
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "managedFields",
  "selfLink",
]);

type PatchResult =
  | { readonly outcome: "applied"; readonly object: JsonObject }
  | { readonly outcome: "skipped"; readonly reason: string }
  | { readonly outcome: "failed"; readonly path: string; readonly reason: string };

function applyPatch(object: JsonObject, config: OverrideConfig): PatchResult {
  if (config.overrideChart === true) return failed("overrideChart is for HelmChart feeds");
  const parsed = parsePatchValue(config.value);
  if (!parsed.ok) return failed(`value ${parsed.reason}`);
  if ("blank" in parsed) return { outcome: "skipped", reason: "the value is blank" };
  switch (config.type) {
    case "MergePatch":
      return checked(object, applyMergePatch(object, parsed.value));
    case "JSONPatch":
      return jsonPatch(object, parsed.value);
    case "Helm":
    case "FieldJSONPatch":
    case "FieldMergePatch":
      return failed(`type ${config.type} is not supported for this feed`);
    default:
      return failed(`type ${String(config.type satisfies never)} is not known`);
  }
}

function jsonPatch(object: JsonObject, value: unknown): PatchResult {
  if (!Array.isArray(value)) return failed("value is not a list of operations");
  const wrong = value.findIndex((operation) => !isOperation(operation));
  if (wrong !== -1) return failed(`operation ${String(wrong)} is not a JSON Patch operation`);
  try {
    return checked(object, applyJsonPatch(object, value.filter(isOperation)));
  } catch (error) {
    if (error instanceof PatchError) return { outcome: "failed", path: error.path, reason: error.message };
    throw error;
  }
}

const OPERATIONS = new Set(["add", "remove", "replace", "move", "copy", "test"]);
const NEEDS_VALUE = new Set(["add", "replace", "test"]);

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

/** A patch changes an object; it never turns it into another one. */
function checked(before: JsonObject, after: unknown): PatchResult {
  if (!isJsonObject(after)) return failed("the result is not an object");
  for (const path of ["apiVersion", "kind", "metadata.namespace", "metadata.name"]) {
    const [was, is] = [at(before, path), at(after, path)];
    if (was !== is) {
      const pointer = `/${path.replace(".", "/")}`;
      return {
        outcome: "failed",
        path: pointer,
        reason: `identifies the object and cannot be changed (${text(was)} to ${text(is)})`,
      };
    }
  }
  return { outcome: "applied", object: after };
}

function at(object: JsonObject, path: string): unknown {
  const [first = "", second] = path.split(".");
  const member = object[first];
  return second === undefined ? member : isJsonObject(member) ? member[second] : undefined;
}

function text(value: unknown): string {
  return value === undefined ? "absent" : JSON.stringify(value);
}

function failed(reason: string): PatchResult {
  return { outcome: "failed", path: "", reason };
}

function overrideText({ kind, metadata }: Override): string {
  return metadata.namespace === undefined ? `${kind} ${metadata.name}` : `${kind} ${metadata.namespace}/${metadata.name}`;
}

function stage({ kind }: Override): number {
  return kind === "Globalization" ? 0 : 1;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
