// Small questions about any object. Pure.

import { keyText, type KubeObject, type ObjectKey } from "#api/meta.ts";

export function keyOf({ metadata: { namespace, name } }: KubeObject): ObjectKey {
  return namespace === undefined ? { name } : { namespace, name };
}

/** `namespace/name`, or `name`. */
export function keyTextOf(object: KubeObject): string {
  return keyText(keyOf(object));
}
