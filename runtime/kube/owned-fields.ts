// What a field manager owns (metadata.managedFields) against what it wants: is an apply needed? Pure.
//
// fieldsV1 is a tree of the owned paths: `f:name` a member, `k:{"name":"x"}` an element of a list by its keys, `v:"x"` an element of a
// set, `i:0` an element by its place, `.` the thing itself. A node without children is owned as a whole.

import type { KubeObject } from "#api/meta.ts";
import { deepEqual } from "#std/canonical-json.ts";

type Fields = Readonly<Record<string, unknown>>;

interface ManagedFieldsEntry {
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
  readonly fieldsV1?: Fields;
}

/**
 * True when `live` has every value of `wanted`, `manager` owns each of them, and owns nothing else: an apply would change nothing.
 * `live` must come with its managedFields, as from a get.
 */
export function isApplied({
  wanted,
  live,
  manager,
}: {
  readonly wanted: KubeObject;
  readonly live: KubeObject;
  readonly manager: string;
}): boolean {
  const owned = ownedBy(manager, live);
  if (owned === undefined) return false;
  const content = withoutIdentity(wanted);
  return isOwnedAndEqual({ owned, wanted: content, live }) && isWantedStill(owned, content);
}

/** The parts of `live` that `wanted` speaks of: whoever else changes other parts does not change this. */
export function project(wanted: unknown, live: unknown): unknown {
  if (!isRecord(wanted) || !isRecord(live)) return live;
  const spoken = Object.entries(wanted).filter(([, value]) => value !== undefined);
  return Object.fromEntries(spoken.map(([name, value]) => [name, project(value, live[name])]));
}

/** Who an object is, as opposed to what it says: nobody owns that. */
export function withoutIdentity(object: KubeObject): Fields {
  const { labels, annotations, finalizers, ownerReferences } = object.metadata;
  const content = Object.entries(object).filter(([name]) => name !== "apiVersion" && name !== "kind");
  return { ...Object.fromEntries(content), metadata: { labels, annotations, finalizers, ownerReferences } };
}

function ownedBy(manager: string, live: KubeObject): Fields | undefined {
  const { managedFields = [] }: { readonly managedFields?: readonly ManagedFieldsEntry[] } = live.metadata as object;
  return managedFields.find(
    (entry) => entry.manager === manager && entry.operation === "Apply" && (entry.subresource ?? "") === "",
  )?.fieldsV1;
}

interface Place {
  readonly owned: unknown;
  readonly wanted: unknown;
  readonly live: unknown;
}

function isOwnedAndEqual({ owned, wanted, live }: Place): boolean {
  // Absent, null and empty are one to the API: there is nothing to own.
  if (isNothing(wanted)) return true;
  if (!isRecord(owned)) return false;
  if (Array.isArray(wanted)) return Array.isArray(live) && isListOwnedAndEqual({ owned, wanted, live });
  if (!isRecord(wanted)) return deepEqual(wanted, live);
  if (!isRecord(live)) return false;
  // Owned as a whole: an atomic map.
  const isAtomic = Object.keys(owned).length === 0;
  return Object.entries(wanted).every(([name, value]) =>
    isOwnedAndEqual({ owned: isAtomic ? {} : owned[`f:${name}`], wanted: value, live: live[name] }),
  );
}

interface ListPlace {
  readonly owned: Fields;
  readonly wanted: readonly unknown[];
  readonly live: readonly unknown[];
}

function isListOwnedAndEqual({ owned, wanted, live }: ListPlace): boolean {
  const keys = Object.keys(owned).filter((key) => key.startsWith("k:"));
  if (keys.length > 0) {
    return wanted.every((element) => {
      const key = keys.find((each) => hasKeys(element, each));
      if (key === undefined) return false;
      return isOwnedAndEqual({ owned: owned[key], wanted: element, live: live.find((each) => hasKeys(each, key)) });
    });
  }
  const isSet = Object.keys(owned).some((key) => key.startsWith("v:"));
  if (isSet) {
    return wanted.every(
      (element) => Object.hasOwn(owned, `v:${JSON.stringify(element)}`) && live.some((each) => deepEqual(each, element)),
    );
  }
  const isSameLength = wanted.length === live.length;
  return isSameLength && wanted.every((element, index) => isOwnedAndEqual({ owned: {}, wanted: element, live: live[index] }));
}

/** False when something that an earlier apply set is no longer wanted: the next apply removes it. */
function isWantedStill(owned: Fields, wanted: unknown): boolean {
  return Object.entries(owned).every(([key, child]) => {
    if (key === ".") return true;
    const found = at(key, wanted);
    if (found === undefined) return false;
    return !isRecord(child) || isWantedStill(child, found);
  });
}

function at(key: string, wanted: unknown): unknown {
  const text = key.slice(2);
  if (key.startsWith("f:")) return isRecord(wanted) ? wanted[text] : undefined;
  if (!Array.isArray(wanted)) return undefined;
  const list: readonly unknown[] = wanted;
  if (key.startsWith("k:")) return list.find((element) => hasKeys(element, key));
  if (key.startsWith("v:")) return list.find((element) => deepEqual(element, JSON.parse(text)));
  return list[Number(text)];
}

/** A key that the element leaves out has the default (`"protocol":"TCP"`): it fits when what it names does. */
function hasKeys(element: unknown, key: string): boolean {
  const keys: unknown = JSON.parse(key.slice(2));
  if (!isRecord(element) || !isRecord(keys)) return false;
  const named = Object.entries(keys).filter(([name]) => element[name] !== undefined);
  return named.length > 0 && named.every(([name, value]) => deepEqual(element[name], value));
}

function isNothing(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  const members = isRecord(value) ? Object.values(value) : [];
  return members.length > 0 && members.every((member) => member === undefined);
}

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
