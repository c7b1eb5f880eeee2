// The Descriptions of one Base, seen from one of them: what the others describe, record, and whether it is its turn. Pure but for the asking.

import { Description, type InventoryEntry } from "#api/apps/v1alpha1/description.ts";
import { feedKey } from "#api/apps/v1alpha1/feed.ts";
import { keyText } from "#api/meta.ts";
import { labels } from "#api/names.ts";
import { keyTextOf } from "#kube/object.ts";
import type { Client } from "#kube/client.ts";
import { identityOf } from "./feeds.ts";
import { firstPartName, partNumberOf } from "./names.ts";
import { decodeRaw } from "./render.ts";

/** How long a part waits for those before it: an unhappy one must not hold up the others. */
const TURN_WAIT_MS = 30_000;

/** Also of two Descriptions that are not split: themselves only. */
function isSameFamily(a: Description, b: Description): boolean {
  return a.metadata.namespace === b.metadata.namespace && firstPartName(a) === firstPartName(b);
}

export function siblingsAmong(description: Description, all: readonly Description[]): readonly Description[] {
  return all.filter((other) => other.metadata.name !== description.metadata.name && isSameFamily(other, description));
}

/** `owner`: the key that the mark on an object names, which is that of the first part. */
export function keysOfParts(owner: string, descriptions: { list(): readonly Description[] }): readonly string[] {
  const further = descriptions.list().filter((each) => {
    return partNumberOf(each) > 0 && keyText({ ...each.metadata, name: firstPartName(each) }) === owner;
  });
  return [owner, ...further.map(keyTextOf)];
}

/** All of them as the parent has them now, itself too: a cache may show one without an object and not yet the other one with it. */
export async function askParts(
  description: Description,
  parent: Pick<Client, "list">,
  signal: AbortSignal,
): Promise<readonly Description[]> {
  const { namespace = "", labels: own = {} } = description.metadata;
  const base = own[labels.configUid];
  if (base === undefined) return [];
  const { items } = await parent.list(Description, { namespace, labelSelector: `${labels.configUid}=${base}` }, signal);
  return items.filter((other) => isSameFamily(other, description));
}

export interface Claims {
  /** Keys of what is described. */
  readonly described: ReadonlySet<string>;
  /** Keys of what is recorded as theirs. */
  readonly recorded: ReadonlySet<string>;
}

/** Of those that are there to stay. `recorded`: by others than `description`. */
export function claimsOf(parts: readonly Description[], description: Description): Claims {
  const staying = parts.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const others = staying.filter(({ metadata }) => metadata.name !== description.metadata.name);
  return {
    described: new Set(staying.flatMap(describedKeys)),
    recorded: new Set(others.flatMap(({ status }) => (status?.inventory ?? []).map(feedKey))),
  };
}

/** What the others recorded: of an object that moved it says that it is the same one, and whether it was there before us. */
export function recordedByOthers(siblings: readonly Description[]): ReadonlyMap<string, InventoryEntry> {
  return new Map(siblings.flatMap(({ status }) => (status?.inventory ?? []).map((entry) => [feedKey(entry), entry])));
}

/** What others stand on is in the parts before; they go first, once each, whatever comes of it. `now`: milliseconds since the epoch. */
export function isItsTurn(description: Description, siblings: readonly Description[], now: number): boolean {
  const { creationTimestamp = "" } = description.metadata;
  const created = Date.parse(creationTimestamp);
  if (Number.isNaN(created) || now - created > TURN_WAIT_MS) return true;
  const number = partNumberOf(description);
  return !siblings.some(
    (other) =>
      partNumberOf(other) < number &&
      other.metadata.deletionTimestamp === undefined &&
      other.status?.observedGeneration !== other.metadata.generation,
  );
}

function describedKeys({ spec }: Description): readonly string[] {
  return (spec.raw ?? []).flatMap((text) => {
    const object = decodeRaw(text);
    const identity = object === undefined ? undefined : identityOf(object);
    return identity === undefined ? [] : [feedKey(identity)];
  });
}
