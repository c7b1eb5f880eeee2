// Server-side apply with field ownership that sends nothing when nothing changed.
//
// An apply of what is there already changes nothing on the server, but it is a write: it goes through admission and to the leader of
// etcd. So, in order of cost: what we remember of the last apply is compared with a cached copy (no request); else the object is read
// with its managedFields and compared (one read); else it is applied, and the answer is remembered.

import { keyText, type KubeObject, type ResourceType } from "#api/meta.ts";
import { canonicalHash } from "#std/canonical-json.ts";
import type { Client } from "./client.ts";
import { keyOf } from "./object.ts";
import { isApplied, project, withoutIdentity } from "./owned-fields.ts";

export interface Applied<T> {
  readonly object: T;
  /** false: the server already had it, and nothing was written. */
  readonly changed: boolean;
}

export interface Applier {
  /**
   * Makes the fields in `desired` ours and true. `current` is a cached copy, when there is one: then a settled object costs no request.
   * Fields that an earlier apply of the same manager set and `desired` no longer has are removed.
   */
  apply<T extends KubeObject>(
    type: ResourceType<T>,
    desired: T,
    options: { readonly current?: T | undefined; readonly force?: boolean; readonly signal: AbortSignal },
  ): Promise<Applied<T>>;
  /** Forgets what is known of an object, for example because it was deleted. */
  forget(type: ResourceType, key: string): void;
}

/** Beyond it the oldest is forgotten, which costs a read. */
const REMEMBERED_MAX = 50_000;

interface Memory {
  readonly desiredHash: string;
  readonly uid: string | undefined;
  /** Of the parts of the server's answer that we asked for: defaults and normal forms (`1000m` is `1`) included. */
  readonly liveHash: string;
}

export function createApplier({ client, fieldManager }: { readonly client: Client; readonly fieldManager: string }): Applier {
  const memories = new Map<string, Memory>();
  const remember = (id: string, memory: Memory): void => {
    memories.delete(id);
    memories.set(id, memory);
    const [oldest] = memories.keys();
    if (memories.size > REMEMBERED_MAX && oldest !== undefined) memories.delete(oldest);
  };
  return {
    apply: async (type, desired, { current, force = false, signal }) => {
      const id = idOf(type, keyText(keyOf(desired)));
      const wanted = withoutIdentity(desired);
      const desiredHash = canonicalHash(wanted);
      const memoryOf = (live: KubeObject): Memory => ({
        desiredHash,
        uid: live.metadata.uid,
        liveHash: canonicalHash(project(wanted, live)),
      });
      const isRemembered = (live: KubeObject): boolean => isSame(memories.get(id), memoryOf(live));
      if (current !== undefined && isRemembered(current)) return { object: current, changed: false };
      const live = await client.get(type, keyOf(desired), signal);
      if (live !== undefined && (isRemembered(live) || isApplied({ wanted: desired, live, manager: fieldManager }))) {
        remember(id, memoryOf(live));
        return { object: live, changed: false };
      }
      const object = await client.apply(type, desired, { fieldManager, force }, signal);
      remember(id, memoryOf(object));
      return { object, changed: object.metadata.resourceVersion !== live?.metadata.resourceVersion };
    },
    forget: (type, key) => {
      memories.delete(idOf(type, key));
    },
  };
}

function isSame(memory: Memory | undefined, now: Memory): boolean {
  return memory?.desiredHash === now.desiredHash && memory.uid === now.uid && memory.liveHash === now.liveHash;
}

function idOf({ group, plural }: ResourceType, key: string): string {
  return `${plural}.${group}/${key}`;
}
