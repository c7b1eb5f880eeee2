// An Informer that a test fills by hand: it tells what changed, as after a list of its own.

import type { KubeObject, ResourceType } from "#api/meta.ts";
import type { Change, Informer } from "#kube/informer.ts";
import { keyTextOf } from "#kube/object.ts";

export interface StubInformer<T extends KubeObject> extends Informer<T> {
  /** As when the server listed exactly these. */
  listed(...objects: readonly T[]): void;
}

export function createStubInformer<T extends KubeObject>(
  type: ResourceType<T>,
  indexes: Readonly<Record<string, (object: T) => readonly string[]>> = {},
): StubInformer<T> {
  let objects = new Map<string, T>();
  const listeners = new Set<(change: Change<T>) => void>();
  const tell = (change: Change<T>): void => {
    for (const listener of listeners) listener(change);
  };
  return {
    type,
    synced: true,
    get: (key) => objects.get(key),
    list: () => [...objects.values()],
    byIndex: (index, value) => [...objects.values()].filter((object) => indexes[index]?.(object).includes(value) ?? false),
    whenSynced: () => Promise.resolve(),
    subscribe: (listener) => {
      for (const object of objects.values()) listener({ type: "added", object });
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    run: () => Promise.resolve(),
    listed: (...now) => {
      const before = objects;
      objects = new Map(now.map((object) => [keyTextOf(object), object]));
      for (const [key, previous] of before) if (!objects.has(key)) tell({ type: "deleted", previous });
      for (const [key, object] of objects) {
        const previous = before.get(key);
        if (previous === undefined) tell({ type: "added", object });
        else if (previous.metadata.resourceVersion !== object.metadata.resourceVersion)
          tell({ type: "updated", object, previous });
      }
    },
  };
}
