// How an override of type Helm changes values: as Helm coalesces them. Pure.

import { cloneJson, isJsonObject, type JsonObject } from "./json.ts";

/**
 * The override wins; tables are merged, everything else is replaced. `null` takes away what earlier values say; where they say nothing
 * it stays, and takes away the chart's own default at installation.
 */
export function coalesceValues(values: JsonObject, override: JsonObject): JsonObject {
  const merged = new Map(Object.entries(values));
  for (const [key, value] of Object.entries(override)) {
    const current = merged.get(key);
    if (value === null && current !== undefined && current !== null) merged.delete(key);
    else merged.set(key, isJsonObject(value) && isJsonObject(current) ? coalesceValues(current, value) : cloneJson(value));
  }
  return Object.fromEntries(merged);
}
