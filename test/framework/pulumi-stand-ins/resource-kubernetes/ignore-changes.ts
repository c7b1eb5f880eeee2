// The resource option `ignoreChanges` under server-side apply: leave to others what is theirs, keep what is ours as it is. Pure.

import { field, listField, stringField } from "./kubernetes-object.ts";
import { isObject, type Json, type JsonObject, type MutableJsonObject } from "./property-values.ts";

export interface IgnoreOptions {
  readonly live: JsonObject;
  readonly manager: string;
  readonly ignoreChanges: readonly string[];
}

export function withIgnoredLiveValues(inputs: JsonObject, { live, manager, ignoreChanges }: IgnoreOptions): JsonObject {
  return ignoreChanges.reduce<JsonObject>((object, ignored) => {
    const path = ignored.split(".");
    const owners = listField(live, "metadata", "managedFields").filter((entry) => owns(entry, path));
    const isOurs = owners.some((entry) => stringField(entry, "manager") === manager);
    // Sending somebody else's field would make us its owner too, or conflict.
    if (owners.length > 0 && !isOurs) return withField(object, path, undefined);
    const current = field(live, ...path);
    return current === undefined ? object : withField(object, path, current);
  }, inputs);
}

function owns(entry: JsonObject, path: readonly string[]): boolean {
  return field(entry, "fieldsV1", ...path.map((name) => `f:${name}`)) !== undefined;
}

function withField(object: JsonObject, path: readonly string[], value: Json | undefined): JsonObject {
  const [name, ...rest] = path;
  if (name === undefined) return object;
  const result: MutableJsonObject = { ...object };
  const child = object[name];
  if (rest.length === 0) {
    if (value === undefined) Reflect.deleteProperty(result, name);
    else result[name] = value;
  } else if (isObject(child) || value !== undefined) result[name] = withField(isObject(child) ? child : {}, rest, value);
  return result;
}
