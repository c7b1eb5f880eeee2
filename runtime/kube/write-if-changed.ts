// Writes that are not sent when they would change nothing.

import type { KubeObject, ResourceType } from "#api/meta.ts";
import { deepEqual } from "#std/canonical-json.ts";
import type { Client } from "./client.ts";
import { keyOf } from "./object.ts";

interface StatusChange<T extends KubeObject & { readonly status?: object | undefined }> {
  readonly type: ResourceType<T>;
  readonly object: T;
  readonly status: T["status"];
}

/**
 * Writes the members of `status` that differ; members that it does not mention stay, and one that is undefined is removed. The
 * object's resourceVersion is a precondition: a status that was computed from an old object is a Conflict, and the controller looks
 * again.
 */
export async function patchStatusIfChanged<T extends KubeObject & { readonly status?: object | undefined }>(
  client: Client,
  { type, object, status }: StatusChange<T>,
  signal: AbortSignal,
): Promise<T> {
  const current: Readonly<Record<string, unknown>> = { ...object.status };
  const wanted = Object.entries({ ...status });
  const changed = wanted.filter(([member, value]) => !deepEqual(current[member], value));
  if (changed.length === 0) return object;
  const { uid, resourceVersion } = object.metadata;
  const patches = changed.map(([member, value]) => [member, mergePatch(current[member], value)]);
  const body = { metadata: { uid, resourceVersion }, status: Object.fromEntries(patches) as object };
  return client.patch(type, keyOf(object), { type: "merge", body, subresource: "status" }, signal);
}

type Texts = Readonly<Record<string, string>>;

interface MetadataChange<T extends KubeObject> {
  readonly type: ResourceType<T>;
  readonly object: T;
  /** null removes. */
  readonly labels?: Readonly<Record<string, string | null>>;
  readonly annotations?: Readonly<Record<string, string | null>>;
}

/** Adds, changes and removes labels and annotations; the rest stays. */
export async function patchMetadataIfChanged<T extends KubeObject>(
  client: Client,
  { type, object, labels = {}, annotations = {} }: MetadataChange<T>,
  signal: AbortSignal,
): Promise<T> {
  const changedLabels = changedTexts(object.metadata.labels ?? {}, labels);
  const changedAnnotations = changedTexts(object.metadata.annotations ?? {}, annotations);
  if (changedLabels === undefined && changedAnnotations === undefined) return object;
  const { uid, resourceVersion } = object.metadata;
  const metadata = { uid, resourceVersion, labels: changedLabels, annotations: changedAnnotations };
  return client.patch(type, keyOf(object), { type: "merge", body: { metadata } }, signal);
}

function changedTexts(
  current: Texts,
  wanted: Readonly<Record<string, string | null>>,
): Readonly<Record<string, string | null>> | undefined {
  const changed = Object.entries(wanted).filter(([name, value]) => (current[name] ?? null) !== value);
  return changed.length === 0 ? undefined : Object.fromEntries(changed);
}

/** RFC 7386: a patch that turns `current` into exactly `wanted`. Members that went away must be named. */
function mergePatch(current: unknown, wanted: unknown): unknown {
  if (wanted === undefined) return null;
  if (!isRecord(current) || !isRecord(wanted)) return wanted;
  const names = new Set([...Object.keys(current), ...Object.keys(wanted)]);
  const members = [...names]
    .filter((name) => !deepEqual(current[name], wanted[name]))
    .map((name) => [name, mergePatch(current[name], wanted[name])]);
  return Object.fromEntries(members);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
