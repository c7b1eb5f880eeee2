// RFC 7396 (was 7386) JSON Merge Patch. Pure.

import { cloneJson, isJsonObject } from "./json.ts";

/** The patched value; both arguments stay as they were. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) return cloneJson(patch);
  const merged = new Map(isJsonObject(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, applyMergePatch(merged.get(key), value));
  }
  return cloneJson(Object.fromEntries(merged));
}
