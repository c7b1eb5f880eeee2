// Keeps a local copy of one collection of the apiserver up to date, through restarts of it.

import { backoffMs } from "#std/backoff.ts";
import { realClock } from "#std/clock.ts";
import type { ApiClient, WatchedObject } from "#test/framework/api-client.ts";

export interface ReflectedObject extends WatchedObject {
  readonly metadata?: {
    readonly resourceVersion?: string;
    readonly namespace?: string;
    readonly name?: string;
    readonly uid?: string;
  };
}

export interface Reflector<T> {
  get(key: string): T | undefined;
  list(): readonly T[];
  /** Resolves after the first list. */
  readonly synced: Promise<undefined>;
  /** Resolves when the signal has aborted and nothing is called any more. */
  readonly ended: Promise<void>;
}

export interface ReflectorOptions<T> {
  readonly client: ApiClient;
  readonly path: string;
  /** Called after the copy has changed; `object` is undefined when it is gone. */
  readonly changed: (key: string, object: T | undefined) => void;
}

const RETRY = { firstMs: 50, maxMs: 1_000 };

export function reflect<T extends ReflectedObject>(
  { client, path, changed }: ReflectorOptions<T>,
  signal: AbortSignal,
): Reflector<T> {
  const objects = new Map<string, T>();
  const { promise: synced, resolve: markSynced } = Promise.withResolvers<undefined>();
  const listener = {
    listed: (items: readonly T[]): void => {
      const present = new Set(items.map(keyOf));
      for (const key of [...objects.keys()]) if (!present.has(key)) remove(key);
      for (const item of items) put(item);
      markSynced(undefined);
    },
    changed: (type: "ADDED" | "MODIFIED" | "DELETED", object: T): void => {
      if (type === "DELETED") remove(keyOf(object));
      else put(object);
    },
  };
  const put = (object: T): void => {
    const key = keyOf(object);
    const known = objects.get(key)?.metadata;
    if (known !== undefined && known.resourceVersion === object.metadata?.resourceVersion) return;
    // The same name with another uid: the watch missed the deletion between the two.
    if (known !== undefined && known.uid !== object.metadata?.uid) remove(key);
    objects.set(key, object);
    changed(key, object);
  };
  const remove = (key: string): void => {
    if (objects.delete(key)) changed(key, undefined);
  };
  const run = async (): Promise<void> => {
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        await client.listAndWatch(path, listener, signal);
        failures = 0;
      } catch {
        // The apiserver is away or restarts; the list that follows repairs everything.
      }
      await realClock.sleep(backoffMs(failures, RETRY), signal);
    }
  };
  return { get: (key) => objects.get(key), list: () => [...objects.values()], synced, ended: run() };
}

function keyOf({ metadata }: ReflectedObject): string {
  const namespace = metadata?.namespace;
  return namespace === undefined ? (metadata?.name ?? "") : `${namespace}/${metadata?.name ?? ""}`;
}
