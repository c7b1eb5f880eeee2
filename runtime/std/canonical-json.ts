// Key-sorted JSON and its hash: two equal values always give the same text. Pure.

import { createHash } from "node:crypto";
import { compareText } from "./compare-text.ts";

/** JSON with object keys sorted at every depth; `undefined` members are left out, as JSON.stringify does. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => (isPlainObject(member) ? sorted(member) : member));
}

/** The first 16 hexadecimal digits of the SHA-256 of the canonical JSON. */
export function canonicalHash(value: unknown): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex").slice(0, 16);
}

/** As equal as their canonical JSON. Nothing is written down to see it, and the first difference ends it. */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (isOrdinary(a) && isOrdinary(b)) return false;
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => deepEqual(item ?? null, b[index] ?? null));
  if (isRecord(a) && isRecord(b)) return haveEqualMembers(a, b);
  // What JSON has another form for: undefined, NaN, dates.
  return canonicalJson(a) === canonicalJson(b);
}

function haveEqualMembers(a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): boolean {
  let members = 0;
  for (const key in a) {
    if (a[key] === undefined) continue;
    if (!Object.hasOwn(b, key) || !deepEqual(a[key], b[key])) return false;
    members += 1;
  }
  for (const key in b) if (b[key] !== undefined) members -= 1;
  return members === 0;
}

/** Equal in JSON only to itself. */
function isOrdinary(value: unknown): boolean {
  return (
    typeof value === "string" ||
    typeof value === "boolean" ||
    value === null ||
    (typeof value === "number" && Number.isFinite(value))
  );
}

/** Made by a literal or a parser: its own members are all of it. */
function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || "toJSON" in value) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function sorted(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => compareText(a, b)));
}
