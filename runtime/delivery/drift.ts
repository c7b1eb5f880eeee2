// What changed in a cluster against what was delivered, and how that is told to people: bounded, and never a credential. Pure.

import type { InventoryEntry } from "#api/apps/v1alpha1/description.ts";
import type { KubeObject } from "#api/meta.ts";
import { shortList } from "#std/short-list.ts";
import { feedText } from "./feeds.ts";
import { isJsonObject } from "./json.ts";

export interface FieldChange {
  /** JSON pointer; elements of lists by their names where they have one. */
  readonly path: string;
  /** As described. undefined: the field is not there. */
  readonly wanted: unknown;
  readonly found: unknown;
}

export interface Drifted {
  readonly object: InventoryEntry;
  readonly how: "changed" | "deleted" | "replaced";
  /** Field manager that wrote last. */
  readonly by?: string;
  readonly fields: readonly FieldChange[];
}

/** A finished Job that the cluster removes after a time: to make it again would run it again. */
export function removesItself(object: KubeObject): boolean {
  if (object.kind !== "Job" || !object.apiVersion.startsWith("batch/")) return false;
  return "spec" in object && isJsonObject(object.spec) && typeof object.spec["ttlSecondsAfterFinished"] === "number";
}

/** More say no more to a person. */
const FIELDS_MAX = 20;
const FIELDS_SHOWN_MAX = 4;
const OBJECTS_SHOWN_MAX = 5;
const VALUE_CHARS_MAX = 40;

export function fieldChanges(wanted: unknown, found: unknown): readonly FieldChange[] {
  const changes: FieldChange[] = [];
  const visit = (path: string, a: unknown, b: unknown): void => {
    if (changes.length >= FIELDS_MAX || JSON.stringify(a) === JSON.stringify(b)) return;
    if (isJsonObject(a) && isJsonObject(b)) {
      for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) visit(`${path}/${escaped(key)}`, a[key], b[key]);
      return;
    }
    const named = [byName(a), byName(b)];
    if (named[0] !== undefined && named[1] !== undefined) visit(path, named[0], named[1]);
    else changes.push({ path, wanted: a, found: b });
  };
  visit("", wanted, found);
  return changes;
}

/** `ConfigMap shop/settings was changed by kubectl-edit: /data/colour is red instead of blue`. */
export function driftText(drifted: readonly Drifted[]): string {
  return shortList(drifted.map(oneText), OBJECTS_SHOWN_MAX).join("; ");
}

function oneText({ object, how, by, fields }: Drifted): string {
  const who = by === undefined ? "" : ` by ${by}`;
  const changes = fields.map((change) => changeText(object, change));
  const what = shortList(changes, FIELDS_SHOWN_MAX, "more fields").join(", ");
  return `${feedText(object)} was ${how}${who}${what === "" ? "" : `: ${what}`}`;
}

function changeText(object: InventoryEntry, { path, wanted, found }: FieldChange): string {
  if (mayHoldCredential(object, path)) return `${path} differs`;
  return `${path} is ${valueText(found)} instead of ${valueText(wanted)}`;
}

/** Where people put credentials, whether they should or not. */
const SENSITIVE_PATH =
  /pass|secret|token|credential|private|auth|key|cert|dsn|connection|url|\/(env|args|command|stringData|annotations)(\/|$)/i;

/** Values are shown where they are surely harmless; elsewhere that something differs has to do. */
function mayHoldCredential({ apiVersion, kind }: InventoryEntry, path: string): boolean {
  const isBuiltIn = !(apiVersion.split("/")[0] ?? "").includes(".") || apiVersion.startsWith("networking.k8s.io/");
  return kind === "Secret" || !isBuiltIn || SENSITIVE_PATH.test(path);
}

function valueText(value: unknown): string {
  if (value === undefined) return "absent";
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "another list" : "another value";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length <= VALUE_CHARS_MAX && !text.includes("\n") ? text : `a text of ${String(text.length)} characters`;
}

function byName(list: unknown): Readonly<Record<string, unknown>> | undefined {
  if (!Array.isArray(list)) return undefined;
  const names = list.map((element: unknown) => (isJsonObject(element) ? element["name"] : undefined));
  if (!names.every((name) => typeof name === "string") || new Set(names).size !== names.length) return undefined;
  return Object.fromEntries(names.map((name, index) => [name, list[index] as unknown]));
}

function escaped(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}
