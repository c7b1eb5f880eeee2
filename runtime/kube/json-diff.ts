// What turns one JSON value into another, as RFC 6902 operations and as an RFC 7386 document. Pure.

import { deepEqual } from "#std/canonical-json.ts";

export interface PatchOperation {
  readonly op: "add" | "replace" | "remove";
  readonly path: string;
  readonly value?: unknown;
}

type Json = Readonly<Record<string, unknown>>;

/** Operations at `path` and below. A list that became longer or shorter is replaced as a whole. */
export function jsonDiff(current: unknown, wanted: unknown, path: string): readonly PatchOperation[] {
  if (deepEqual(current, wanted)) return [];
  if (Array.isArray(current) && Array.isArray(wanted) && current.length === wanted.length)
    return wanted.flatMap((value, index) => jsonDiff(current[index], value, `${path}/${String(index)}`));
  if (!isRecord(current) || !isRecord(wanted)) return [{ op: "replace", path, value: wanted }];
  return namesOf(current, wanted).flatMap((name) => {
    const at = `${path}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    if (wanted[name] === undefined) return current[name] === undefined ? [] : [{ op: "remove", path: at } as const];
    if (current[name] === undefined) return [{ op: "add", path: at, value: wanted[name] } as const];
    return jsonDiff(current[name], wanted[name], at);
  });
}

/** RFC 7386: members that went away must be named. */
export function mergePatch(current: unknown, wanted: unknown): unknown {
  if (wanted === undefined) return null;
  if (!isRecord(current) || !isRecord(wanted)) return wanted;
  const members = namesOf(current, wanted)
    .filter((name) => !deepEqual(current[name], wanted[name]))
    .map((name) => [name, mergePatch(current[name], wanted[name])]);
  return Object.fromEntries(members);
}

function namesOf(current: Json, wanted: Json): readonly string[] {
  return [...new Set([...Object.keys(current), ...Object.keys(wanted)])];
}

function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
