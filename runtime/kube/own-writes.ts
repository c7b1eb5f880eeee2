// A cache shows our own writes a moment late. Until it does, what the server answered to the write is the newer object: without it, a
// controller that is woken in between does its work once more, and its next write is a conflict with itself.

import type { KubeObject, ResourceType } from "#api/meta.ts";
import type { Client } from "./client.ts";
import type { Informer } from "./informer.ts";
import { keyTextOf } from "./object.ts";
import { preconditionOf } from "./write-if-changed.ts";

interface Written<T> {
  readonly latest: T;
  /** The versions that the writes replaced: a cache that shows one of them has not seen the latest. */
  readonly replaced: ReadonlySet<string>;
}

export interface Sight<T extends KubeObject> {
  /** Its patches are noted. */
  readonly client: Client;
  /** `get` knows what was patched by this client before the cache does; everything else is as cached. */
  readonly informer: Informer<T>;
}

/** Patches carry the version they replace (`metadata.resourceVersion`), as those of write-if-changed.ts do; others are not noted. */
export function seeingOwnWrites<T extends KubeObject>({ client, informer }: Sight<T>): Sight<T> {
  const own = new OwnWrites<T>();
  const patch: Client["patch"] = async (type, key, ...rest) => {
    const after = await client.patch(type, key, ...rest);
    const [options] = rest;
    const replaced = options.dryRun === true ? undefined : preconditionOf(options);
    if (isType(type, informer.type) && replaced !== undefined) own.note(replaced, after as unknown as T);
    return after;
  };
  return {
    client: { ...client, patch },
    informer: {
      type: informer.type,
      get: (key) => own.latest(key, informer.get(key)),
      list: () => informer.list(),
      byIndex: (index, value) => informer.byIndex(index, value),
      get synced() {
        return informer.synced;
      },
      whenSynced: (signal) => informer.whenSynced(signal),
      subscribe: (listener) => informer.subscribe(listener),
      run: (signal) => informer.run(signal),
    },
  };
}

export class OwnWrites<T extends KubeObject> {
  readonly #written = new Map<string, Written<T>>();

  /** The server answered `after` to a write that was made on version `replaced`. */
  note(replaced: string, after: T): void {
    if (replaced === after.metadata.resourceVersion) return;
    const key = keyTextOf(after);
    this.#written.set(key, { latest: after, replaced: new Set([...(this.#written.get(key)?.replaced ?? []), replaced]) });
  }

  /** The newer one of what the cache shows and what we wrote; undefined stays undefined, and is forgotten. */
  latest(key: string, cached: T | undefined): T | undefined {
    const written = this.#written.get(key);
    if (written === undefined) return cached;
    if (cached !== undefined && written.replaced.has(cached.metadata.resourceVersion ?? "")) return written.latest;
    // It has caught up, or gone past.
    this.#written.delete(key);
    return cached;
  }
}

function isType(a: ResourceType, b: ResourceType): boolean {
  return a.group === b.group && a.plural === b.plural;
}
