// Where kinds and objects live in the REST API. Pure.

import type { ObjectKey, ResourceType } from "#api/meta.ts";

/** `/apis/<group>/<version>/namespaces/<namespace>/<plural>`; of all namespaces without one. */
export function collectionPath({ group, version, plural, scope }: ResourceType, namespace?: string): string {
  const prefix = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  const isNamespaced = scope === "Namespaced" && namespace !== undefined && namespace !== "";
  return isNamespaced ? `${prefix}/namespaces/${encodeURIComponent(namespace)}/${plural}` : `${prefix}/${plural}`;
}

export function objectPath(type: ResourceType, { namespace, name }: ObjectKey, subresource?: string): string {
  if (name === "") throw new Error(`Bug: ${type.kind} without a name`);
  if (type.scope === "Namespaced" && (namespace === undefined || namespace === "")) {
    throw new Error(`Bug: ${type.kind} ${name} is namespaced but has no namespace`);
  }
  const path = `${collectionPath(type, namespace)}/${encodeURIComponent(name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}
