// Ownership of fields under server-side apply: who takes over what a client-side create has written. Pure.

import { listField, stringField } from "./kubernetes-object.ts";
import { isObject, type Json, type JsonObject, type MutableJsonObject } from "./property-values.ts";

/** The manager of every create, which is a plain POST. */
export const CREATE_MANAGER = "pulumi-kubernetes";

const TAKEN_OVER = new Set([
  "kubectl/Apply",
  "kubectl/Update",
  "before-first-apply/Update",
  "pulumi-kubernetes/Update",
  "pulumi-kubernetes.exe/Update",
  "pulumi-resource-kubernetes/Update",
]);

/** A patch that hands the fields of earlier clients to `manager`; undefined when there are none. */
export function takeOverPatch(live: JsonObject, manager: string): readonly JsonObject[] | undefined {
  const entries = listField(live, "metadata", "managedFields");
  const taken = entries.filter(isTakenOver);
  if (taken.length === 0) return undefined;
  const own = entries.find((entry) => isOwn(entry, manager));
  const template = own ?? taken[0] ?? {};
  const fieldsV1 = [...(own === undefined ? [] : [own]), ...taken].reduce<JsonObject>(
    (fields, entry) => union(fields, fieldsOf(entry)),
    {},
  );
  const merged: JsonObject = { ...template, manager, operation: "Apply", fieldsV1 };
  const others = entries.filter((entry) => !isTakenOver(entry) && entry !== own);
  return [
    { op: "replace", path: "/metadata/managedFields", value: [...others, merged] },
    { op: "replace", path: "/metadata/resourceVersion", value: stringField(live, "metadata", "resourceVersion") },
  ];
}

/** Whether a preview has to force: the real update takes these fields over first. */
export function wasWrittenByCreate(live: JsonObject): boolean {
  const entries = listField(live, "metadata", "managedFields");
  return (
    entries.length === 0 ||
    entries.some((entry) => entry["operation"] === "Update" && stringField(entry, "manager").startsWith("pulumi-"))
  );
}

function isTakenOver(entry: JsonObject): boolean {
  const subresource = stringField(entry, "subresource");
  return subresource === "" && TAKEN_OVER.has(`${stringField(entry, "manager")}/${stringField(entry, "operation")}`);
}

function isOwn(entry: JsonObject, manager: string): boolean {
  return entry["manager"] === manager && entry["operation"] === "Apply" && stringField(entry, "subresource") === "";
}

function fieldsOf(entry: JsonObject): JsonObject {
  return isObject(entry["fieldsV1"]) ? entry["fieldsV1"] : {};
}

function union(a: JsonObject, b: JsonObject): JsonObject {
  const result: MutableJsonObject = { ...a };
  for (const [name, fields] of Object.entries(b)) {
    const present: Json | undefined = a[name];
    result[name] = isObject(present) && isObject(fields) ? union(present, fields) : fields;
  }
  return result;
}
