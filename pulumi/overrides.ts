// Overrides as values of a program: each function returns one patch for `overrides` of a Globalization or Localization. The text that
// Kubernetes stores is made here, so that a wrong operation is a type error and nothing is quoted by hand.

import * as pulumi from "@pulumi/pulumi";
import type { OverrideConfig } from "#api/apps/v1alpha1/override.ts";
import { exactInteger } from "#std/exact-json.ts";

export interface PatchOptions {
  /** For people: statuses and messages name the patch by it. */
  readonly name?: string;
}

/** One step of RFC 6902. `pointer()` makes a path. */
export type PatchOperation =
  | { readonly op: "add" | "replace" | "test"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string }
  | { readonly op: "move" | "copy"; readonly from: string; readonly path: string };

export type Patch = Omit<OverrideConfig, "value"> & { readonly value: pulumi.Input<string> };

/** A table; its parts may be outputs of other resources, and a bigint is written with every digit. */
export type PatchTable = Readonly<Record<string, unknown>>;

/** Steps on the object, or on the values of a chart. A path that is not there is an error that the override's status shows. */
export function jsonPatch(operations: readonly PatchOperation[], options: PatchOptions = {}): Patch {
  return patch("JSONPatch", operations, options);
}

/** What is in `changes` replaces what is there, tables deeply; null removes. */
export function mergePatch(changes: PatchTable, options: PatchOptions = {}): Patch {
  return patch("MergePatch", changes, options);
}

/** Values for a HelmChart feed, merged as Helm does. */
export function helmValues(values: PatchTable, options: PatchOptions = {}): Patch {
  return patch("Helm", values, options);
}

/** Changes to the HelmChart object itself, such as `{ spec: { version: "1.2.0" } }`; not to its chart or targetNamespace. */
export function helmChart(changes: PatchTable, options: PatchOptions = {}): Patch {
  return { ...patch("MergePatch", changes, options), overrideChart: true };
}

export interface TextField {
  /** Where the text is, such as `pointer("data", "app.yaml")`. */
  readonly path: string;
  readonly format: "YAML" | "JSON";
}

/** Steps inside a field that holds text. Comments of YAML stay. */
export function textJsonPatch(
  { path, format }: TextField,
  operations: readonly PatchOperation[],
  options: PatchOptions = {},
): Patch {
  return { ...patch("FieldJSONPatch", operations, options), fieldPath: path, fieldFormat: format };
}

/** Like mergePatch, inside a field that holds text. Comments of YAML stay. */
export function textMergePatch({ path, format }: TextField, changes: PatchTable, options: PatchOptions = {}): Patch {
  return { ...patch("FieldMergePatch", changes, options), fieldPath: path, fieldFormat: format };
}

/** A JSON pointer from the names of fields and the positions in lists: `pointer("metadata", "labels", "example.com/tier")`. */
export function pointer(...segments: readonly (string | number)[]): string {
  return segments.map((segment) => `/${String(segment).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

function patch(type: OverrideConfig["type"], content: unknown, { name }: PatchOptions): Patch {
  return { ...(name === undefined ? {} : { name }), type, value: textOf(content) };
}

/** Plain where everything is known: only that can be checked, and shown by a preview. */
function textOf(content: unknown): pulumi.Input<string> {
  return holdsOutput(content) ? pulumi.all([content]).apply(([known]) => jsonOf(known)) : jsonOf(content);
}

function jsonOf(content: unknown): string {
  return JSON.stringify(content, (_key, value: unknown) => (typeof value === "bigint" ? exactInteger(value.toString()) : value));
}

function holdsOutput(value: unknown): boolean {
  if (pulumi.Output.isInstance(value) || value instanceof Promise) return true;
  return typeof value === "object" && value !== null && Object.values(value).some(holdsOutput);
}
