// Writes that are not sent when they would change nothing.

import type { KubeObject, ResourceType } from "#api/meta.ts";
import { deepEqual } from "#std/canonical-json.ts";
import type { Client, PatchOptions } from "./client.ts";
import { jsonDiff, mergePatch, type PatchOperation } from "./json-diff.ts";
import { keyOf } from "./object.ts";

const VERSION_PATH = "/metadata/resourceVersion";

/** kube-apiserver refuses more than 10,000 in one patch. */
const OPERATIONS_MAX = 1_000;

type WithStatus = KubeObject & { readonly status?: object | undefined };

/** Members of a status; one that is undefined goes away. */
export type StatusMembers<T extends WithStatus> = {
  readonly [Member in keyof NonNullable<T["status"]>]?: NonNullable<T["status"]>[Member] | undefined;
};

interface StatusChange<T extends WithStatus> {
  readonly type: ResourceType<T>;
  readonly object: T;
  readonly status: StatusMembers<T> | undefined;
}

/**
 * Writes the members of `status` that differ; members that it does not mention stay, and one that is undefined is removed. The
 * object's resourceVersion is a precondition: a status that was computed from an old object is a Conflict, and the controller looks
 * again.
 */
export async function patchStatusIfChanged<T extends WithStatus>(
  client: Client,
  { type, object, status }: StatusChange<T>,
  signal: AbortSignal,
): Promise<T> {
  const current: Readonly<Record<string, unknown>> = { ...object.status };
  const stated = Object.entries({ ...status });
  const changed = stated.filter(([member, value]) => !deepEqual(current[member], value));
  if (changed.length === 0) return object;
  const wanted = { status: { ...current, ...Object.fromEntries(changed) } };
  return client.patch(type, keyOf(object), { ...smallestPatch(object, wanted), subresource: "status" }, signal);
}

/** Top-level members of an object as they shall be; of `metadata` those that are named. A member that is undefined goes away. */
type Wanted = Readonly<Record<string, unknown>> & { readonly metadata?: Readonly<Record<string, unknown>> };

/**
 * What turns these members of the object into what is wanted, as a merge or a JSON patch, whichever is shorter: of a list of a thousand
 * clusters in which one changed, that one travels. Both carry the object's resourceVersion as their precondition.
 */
export function smallestPatch(object: KubeObject, wanted: Wanted): Pick<PatchOptions, "type" | "body"> {
  const { uid, resourceVersion } = object.metadata;
  const current = namedIn(wanted, object);
  const { metadata = {}, ...rest } = mergePatch(current, wanted) as Wanted;
  if (resourceVersion === undefined) return { type: "merge", body: { metadata: { uid, ...metadata }, ...rest } };
  // Another object of this name has another version: its uid needs not be said.
  const merge = { metadata: { resourceVersion, ...metadata }, ...rest };
  const operations = [{ op: "replace", path: VERSION_PATH, value: resourceVersion }, ...jsonDiff(current, wanted, "")];
  const isShorter = operations.length <= OPERATIONS_MAX && JSON.stringify(operations).length < JSON.stringify(merge).length;
  return isShorter ? { type: "json", body: operations } : { type: "merge", body: merge };
}

/** The same members of the object, as they are. */
function namedIn(wanted: Wanted, object: KubeObject): Wanted {
  const pick = (from: object, names: object): Readonly<Record<string, unknown>> =>
    Object.fromEntries(Object.entries(from).filter(([name]) => name in names));
  const picked = pick(object, wanted);
  return wanted.metadata === undefined ? picked : { ...picked, metadata: pick(object.metadata, wanted.metadata) };
}

/** The version that a patch replaces; undefined: any. */
export function preconditionOf({ type, body }: Pick<PatchOptions, "type" | "body">): string | undefined {
  if (type === "merge") return (body as { readonly metadata?: { readonly resourceVersion?: string } }).metadata?.resourceVersion;
  const version = (body as readonly PatchOperation[]).find(({ path }) => path === VERSION_PATH)?.value;
  return typeof version === "string" ? version : undefined;
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
