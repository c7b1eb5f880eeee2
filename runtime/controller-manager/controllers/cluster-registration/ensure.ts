// Makes one object of a child be as wanted: creates it, or changes what differs. Nothing is sent when nothing differs.

import { annotations } from "#api/names.ts";
import type { KubeObject, ResourceType } from "#api/meta.ts";
import type { RoleRef } from "#kube/builtin-kinds.ts";
import type { Client } from "#kube/client.ts";
import { isAlreadyExists } from "#kube/errors.ts";
import type { Informer } from "#kube/informer.ts";
import { keyOf, keyTextOf } from "#kube/object.ts";
import { deepEqual } from "#std/canonical-json.ts";

/** The object that is there is not what the plan saw: look again. Expected now and then; the controller retries. */
export class ChangedMeanwhileError extends Error {
  override readonly name = "ChangedMeanwhileError";
}

/** The object, and whether something was written. */
export interface Ensured<T> {
  readonly object: T;
  readonly changed: boolean;
}

/**
 * `fields` are compared as a whole, labels and annotations member by member. An object without annotation `autoupdate: "true"`, where the
 * wanted one has it, was taken over by a person and stays as it is.
 */
export async function ensureObject<T extends KubeObject>(
  client: Client,
  {
    informer,
    wanted,
    fields = [],
  }: { readonly informer: Informer<T>; readonly wanted: T; readonly fields?: readonly (keyof T & string)[] },
  signal: AbortSignal,
): Promise<Ensured<T>> {
  const { type } = informer;
  const existing = informer.get(keyTextOf(wanted)) ?? (await client.get(type, keyOf(wanted), signal));
  if (existing === undefined) return { object: await createOnce(client, { type, wanted }, signal), changed: true };
  if (existing.metadata.deletionTimestamp !== undefined) {
    throw new ChangedMeanwhileError(`${type.kind} ${keyTextOf(wanted)} is being deleted`);
  }
  const body = difference(existing, { wanted, fields });
  if (body === undefined || isTakenOver(existing, wanted)) return { object: existing, changed: false };
  if (!deepEqual(roleRefOf(existing), roleRefOf(wanted))) {
    // A binding cannot change its role.
    await client.delete(
      type,
      keyOf(wanted),
      { ...(existing.metadata.uid === undefined ? {} : { uid: existing.metadata.uid }) },
      signal,
    );
    return { object: await createOnce(client, { type, wanted }, signal), changed: true };
  }
  return { object: await client.patch(type, keyOf(wanted), { type: "merge", body }, signal), changed: true };
}

async function createOnce<T extends KubeObject>(
  client: Client,
  { type, wanted }: { readonly type: ResourceType<T>; readonly wanted: T },
  signal: AbortSignal,
): Promise<T> {
  try {
    return await client.create(type, wanted, signal);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    throw new ChangedMeanwhileError(`${type.kind} ${keyTextOf(wanted)} was made by someone else just now`, { cause: error });
  }
}

function difference<T extends KubeObject>(
  existing: T,
  { wanted, fields }: { readonly wanted: T; readonly fields: readonly (keyof T & string)[] },
): Record<string, unknown> | undefined {
  const labels = missing(existing.metadata.labels, wanted.metadata.labels);
  const notes = missing(existing.metadata.annotations, wanted.metadata.annotations);
  const changed = fields.filter((field) => !deepEqual(existing[field], wanted[field]));
  if (labels === undefined && notes === undefined && changed.length === 0) return undefined;
  return {
    metadata: {
      uid: existing.metadata.uid,
      resourceVersion: existing.metadata.resourceVersion,
      ...(labels === undefined ? {} : { labels }),
      ...(notes === undefined ? {} : { annotations: notes }),
    },
    ...Object.fromEntries(changed.map((field) => [field, wanted[field]])),
  };
}

/** The wanted members that are absent or different; undefined when all are there. A null is a member to remove. */
export function missing(
  existing: Readonly<Record<string, string>> | undefined,
  wanted: Readonly<Record<string, string | null>> | undefined,
): Readonly<Record<string, string | null>> | undefined {
  const entries = Object.entries(wanted ?? {}).filter(([key, value]) => (existing?.[key] ?? null) !== value);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function isTakenOver(existing: KubeObject, wanted: KubeObject): boolean {
  return (
    wanted.metadata.annotations?.[annotations.autoUpdate] === "true" &&
    existing.metadata.annotations?.[annotations.autoUpdate] !== "true"
  );
}

function roleRefOf(object: KubeObject & { readonly roleRef?: RoleRef }): RoleRef | undefined {
  return object.roleRef;
}
