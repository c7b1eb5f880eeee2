// Reading and shaping Kubernetes objects of any kind: names, annotations, normal forms, pruning to the fields a program gave.

import { isArray, isObject, type Json, type JsonObject, type MutableJsonObject } from "./property-values.ts";

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** Fields that only the API server writes. */
const SERVER_METADATA = [
  "creationTimestamp",
  "deletionGracePeriodSeconds",
  "deletionTimestamp",
  "generation",
  "managedFields",
  "resourceVersion",
  "uid",
];

export function stringField(object: JsonObject | undefined, ...path: readonly string[]): string {
  const value = field(object, ...path);
  return typeof value === "string" ? value : "";
}

export function numberField(object: JsonObject | undefined, ...path: readonly string[]): number | undefined {
  const value = field(object, ...path);
  return typeof value === "number" ? value : undefined;
}

export function field(object: JsonObject | undefined, ...path: readonly string[]): Json | undefined {
  let value: Json | undefined = object;
  for (const name of path) value = isObject(value) ? value[name] : undefined;
  return value;
}

export function listField(object: JsonObject | undefined, ...path: readonly string[]): readonly JsonObject[] {
  const value = field(object, ...path);
  return isArray(value) ? value.filter(isObject) : [];
}

export const nameOf = (object: JsonObject): string => stringField(object, "metadata", "name");
export const namespaceOf = (object: JsonObject): string => stringField(object, "metadata", "namespace");
export const annotation = (object: JsonObject, name: string): string => stringField(object, "metadata", "annotations", name);

/** The id that Pulumi keeps: `namespace/name`, or the name alone. */
export function idOf(object: JsonObject): string {
  const namespace = namespaceOf(object);
  return namespace === "" ? nameOf(object) : `${namespace}/${nameOf(object)}`;
}

export function parseId(id: string): { namespace: string; name: string } {
  const [first = "", second] = id.split("/");
  return second === undefined ? { namespace: "", name: first } : { namespace: first, name: second };
}

export function kindOf(object: JsonObject): GroupVersionKind {
  const apiVersion = stringField(object, "apiVersion");
  const slash = apiVersion.indexOf("/");
  return {
    group: slash === -1 ? "" : apiVersion.slice(0, slash),
    version: apiVersion.slice(slash + 1),
    kind: stringField(object, "kind"),
  };
}

/** `kubernetes:apps/v1:Deployment` → its group, version and kind. `core` is the empty group; `XPatch` is `X`. */
export function kindOfType(type: string): GroupVersionKind {
  const [, module = "", name = ""] = type.split(":");
  const [group = "", version = ""] = module.split("/");
  return { group: group === "core" ? "" : group, version, kind: name };
}

export function apiVersionOf({ group, version }: GroupVersionKind): string {
  return group === "" ? version : `${group}/${version}`;
}

export function withMetadata(object: JsonObject, changes: Readonly<Record<string, Json | undefined>>): JsonObject {
  const metadata: MutableJsonObject = { ...(isObject(object["metadata"]) ? object["metadata"] : {}) };
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) Reflect.deleteProperty(metadata, name);
    else metadata[name] = value;
  }
  return { ...object, metadata };
}

export function isCustomResourceDefinition(object: JsonObject): boolean {
  const { group, kind } = kindOf(object);
  return group === "apiextensions.k8s.io" && kind === "CustomResourceDefinition";
}

/** Kinds that Kubernetes itself has: their inputs can be brought into a normal form. */
export function isBuiltIn({ group }: GroupVersionKind): boolean {
  return group === "" || !group.includes(".") || group.endsWith(".k8s.io");
}

/** Without what only the server writes; built-in kinds as the API server would spell them. */
export function normalize(object: JsonObject): JsonObject {
  const kind = kindOf(object);
  const normal = isBuiltIn(kind) && !isCustomResourceDefinition(object) ? normalizeFields(object) : object;
  const merged = kind.group === "" && kind.kind === "Secret" ? withStringDataInData(normal) : normal;
  if (!isObject(merged["metadata"])) return merged;
  return withMetadata(merged, Object.fromEntries(SERVER_METADATA.map((name) => [name, undefined])));
}

/** The API server writes stringData into data, encoded. */
function withStringDataInData(secret: JsonObject): JsonObject {
  const { stringData, data, ...rest } = secret;
  if (!isObject(stringData)) return secret;
  const encoded = Object.entries(stringData).map(
    ([name, value]) => [name, Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64")] as const,
  );
  return { ...rest, data: { ...(isObject(data) ? data : {}), ...Object.fromEntries(encoded) } };
}

/** Maps that Kubernetes leaves out when they are empty. */
const OMITTED_WHEN_EMPTY = new Set([
  "data",
  "binaryData",
  "stringData",
  "labels",
  "annotations",
  "matchLabels",
  "nodeSelector",
  "parameters",
]);
const QUANTITY_MAPS = new Set(["limits", "requests", "hard", "capacity"]);

function normalizeFields(object: JsonObject): JsonObject {
  const result: MutableJsonObject = {};
  for (const [name, value] of Object.entries(object)) {
    if (isObject(value) && Object.keys(value).length === 0 && OMITTED_WHEN_EMPTY.has(name)) continue;
    if (QUANTITY_MAPS.has(name) && isObject(value)) {
      result[name] = Object.fromEntries(Object.entries(value).map(([key, quantity]) => [key, canonicalQuantity(quantity)]));
    } else result[name] = normalizeValue(value);
  }
  return result;
}

function normalizeValue(value: Json): Json {
  if (isArray(value)) return value.map(normalizeValue);
  return isObject(value) ? normalizeFields(value) : value;
}

/** "0.5" → "500m", 1024 → "1024": the form in which the API server returns a resource.Quantity. */
function canonicalQuantity(quantity: Json): Json {
  const text = typeof quantity === "number" ? String(quantity) : quantity;
  if (typeof text !== "string") return quantity;
  const match = /^(\d+)\.(\d{1,3})$/.exec(text);
  if (match === null) return text;
  const thousandths = Number(match[1]) * 1000 + Number((match[2] ?? "").padEnd(3, "0"));
  return thousandths % 1000 === 0 ? String(thousandths / 1000) : `${String(thousandths)}m`;
}

/** The fields of `live` that `shape` has too. Lists are cut to the length of the shape's. */
export function prune(live: JsonObject, shape: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(live)
      .filter(([name]) => shape[name] !== undefined)
      .map(([name, value]) => [name, pruneValue(value, shape[name] ?? null)]),
  );
}

function pruneValue(live: Json, shape: Json): Json {
  if (isObject(live) && isObject(shape)) return prune(live, shape);
  if (!isArray(live) || !isArray(shape)) return live;
  if (live.length === 0 || shape.length === 0) return [];
  return live.slice(0, shape.length).map((item, index) => pruneValue(item, shape[index] ?? null));
}
