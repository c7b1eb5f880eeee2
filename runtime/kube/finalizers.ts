// Adds and removes a finalizer: a merge patch that fails with Conflict when the object changed meanwhile.

import { keyOf } from "./object.ts";
import type { KubeObject, ResourceType } from "#api/meta.ts";
import type { Client } from "./client.ts";

interface FinalizerChange<T extends KubeObject> {
  readonly type: ResourceType<T>;
  readonly object: T;
  readonly finalizer: string;
}

/** The object with the finalizer; nothing is sent when it is there already. */
export async function addFinalizer<T extends KubeObject>(
  client: Client,
  { type, object, finalizer }: FinalizerChange<T>,
  signal: AbortSignal,
): Promise<T> {
  const finalizers = object.metadata.finalizers ?? [];
  if (finalizers.includes(finalizer)) return object;
  return writeFinalizers(client, { type, object, finalizers: [...finalizers, finalizer] }, signal);
}

/** Nothing is sent when it is not there. The last one of a deleted object makes the object go. */
export async function removeFinalizer<T extends KubeObject>(
  client: Client,
  { type, object, finalizer }: FinalizerChange<T>,
  signal: AbortSignal,
): Promise<T> {
  const finalizers = object.metadata.finalizers ?? [];
  if (!finalizers.includes(finalizer)) return object;
  return writeFinalizers(client, { type, object, finalizers: finalizers.filter((other) => other !== finalizer) }, signal);
}

function writeFinalizers<T extends KubeObject>(
  client: Client,
  { type, object, finalizers }: { readonly type: ResourceType<T>; readonly object: T; readonly finalizers: readonly string[] },
  signal: AbortSignal,
): Promise<T> {
  const { uid, resourceVersion } = object.metadata;
  return client.patch(type, keyOf(object), { type: "merge", body: { metadata: { uid, resourceVersion, finalizers } } }, signal);
}
