// A watched, indexed, read-only cache of one kind.
//
// (INF-1) What is in the cache was on the server; what a fresh list does not have is told as deleted.
// (INF-2) A listener hears of each object: added, updated…, deleted; never an update of an unknown object, never a second added.
// (INF-3) The indexes and the cache always say the same.

import type { KubeObject, ResourceType } from "#api/meta.ts";
import { abortable } from "#std/abort.ts";
import { assert } from "#std/assert.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { Gauge, Metrics } from "#std/metrics.ts";
import type { Client, ListOptions } from "./client.ts";
import { keyTextOf } from "./object.ts";
import { listAndWatch, type WatchChange, type WatchOptions } from "./watch.ts";

export type Change<T> =
  | { readonly type: "added"; readonly object: T }
  | { readonly type: "updated"; readonly object: T; readonly previous: T }
  | { readonly type: "deleted"; readonly previous: T };

export interface Informer<T extends KubeObject = KubeObject> {
  readonly type: ResourceType<T>;
  /** `namespace/name`, or `name` (keyText of #api/meta.ts). */
  get(key: string): T | undefined;
  list(): readonly T[];
  /** Throws for an index that was not declared. */
  byIndex(index: string, value: string): readonly T[];
  /** The first list is in the cache. */
  readonly synced: boolean;
  /** Resolves when synced; rejects when the signal aborts first. */
  whenSynced(signal: AbortSignal): Promise<void>;
  /** Tells the listener everything that is there as added, then every change. Returns how to stop. */
  subscribe(listener: (change: Change<T>) => void): () => void;
  /** Fills the cache until the signal aborts. Once per informer. */
  run(signal: AbortSignal): Promise<void>;
}

export interface InformerOptions<T> extends ListOptions {
  /** Index name -> the values under which an object is found. */
  readonly indexes?: Readonly<Record<string, (object: T) => readonly string[]>>;
  /** Keeps less of each object than the server sends, to save memory. Must keep apiVersion, kind and metadata. */
  readonly trim?: (object: T) => T;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: Metrics;
  readonly watch?: Pick<WatchOptions, "silenceMsMax" | "backoff">;
}

export function createInformer<T extends KubeObject>(
  client: Client,
  type: ResourceType<T>,
  options: InformerOptions<T>,
): Informer<T> {
  return new CachingInformer(client, type, options);
}

class CachingInformer<T extends KubeObject> implements Informer<T> {
  readonly type: ResourceType<T>;
  readonly #client: Client;
  readonly #options: InformerOptions<T>;
  readonly #objects = new Map<string, T>();
  readonly #indexes: ReadonlyMap<string, Index<T>>;
  readonly #listeners = new Set<(change: Change<T>) => void>();
  readonly #synced = Promise.withResolvers<undefined>();
  #isSynced = false;
  #isStarted = false;
  readonly #objectGauge: Gauge<"resource"> | undefined;

  constructor(client: Client, type: ResourceType<T>, options: InformerOptions<T>) {
    this.type = type;
    this.#client = client;
    this.#options = options;
    this.#objectGauge = options.metrics === undefined ? undefined : informerObjects(options.metrics);
    const indexes = Object.entries(options.indexes ?? {});
    this.#indexes = new Map(indexes.map(([name, valuesOf]) => [name, { valuesOf, keys: new Map() }]));
  }

  get synced(): boolean {
    return this.#isSynced;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  byIndex(indexName: string, value: string): readonly T[] {
    const index = this.#indexes.get(indexName);
    assert(index !== undefined, `Informer of ${this.type.plural} has no index ${indexName}`);
    const objects: T[] = [];
    for (const key of keysAt(index, value)) {
      const object = this.#objects.get(key);
      assert(object !== undefined, `Index ${indexName} of ${this.type.plural} knows ${key}, the cache does not (INF-3)`);
      objects.push(object);
    }
    return objects;
  }

  whenSynced(signal: AbortSignal): Promise<void> {
    return abortable(this.#synced.promise, signal);
  }

  subscribe(listener: (change: Change<T>) => void): () => void {
    // A function of its own, so that the same listener can subscribe twice.
    const own = (change: Change<T>): void => {
      listener(change);
    };
    for (const object of this.#objects.values()) this.#tellOne(own, { type: "added", object });
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    assert(!this.#isStarted, `Informer of ${this.type.plural} was started twice`);
    this.#isStarted = true;
    const { namespace, labelSelector, fieldSelector, clock, log, watch = {} } = this.#options;
    const selection = {
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    };
    const changes = listAndWatch(this.#client, this.type, { ...selection, ...watch, clock, log, signal });
    for await (const change of changes) {
      this.#take(change);
      this.#objectGauge?.set({ resource: this.type.plural }, this.#objects.size);
    }
  }

  #take(change: WatchChange<T>): void {
    switch (change.type) {
      case "listed":
        this.#replaceAll(change.objects);
        if (!this.#isSynced) {
          this.#isSynced = true;
          this.#synced.resolve(undefined);
        }
        return;
      case "changed":
        this.#set(keyTextOf(change.object), change.object);
        return;
      case "removed":
        this.#remove(keyTextOf(change.object));
        return;
    }
  }

  #replaceAll(objects: readonly T[]): void {
    const listed = new Map(objects.map((object) => [keyTextOf(object), object]));
    for (const key of [...this.#objects.keys()]) if (!listed.has(key)) this.#remove(key);
    for (const [key, object] of listed) this.#set(key, object);
  }

  #set(key: string, received: T): void {
    const previous = this.#objects.get(key);
    const isSameObject = previous?.metadata.uid === received.metadata.uid;
    if (previous !== undefined && isSameObject && previous.metadata.resourceVersion === received.metadata.resourceVersion) return;
    // Deleted and made again while we did not look: two objects, though they share a name.
    if (previous !== undefined && !isSameObject) {
      this.#remove(key);
      this.#set(key, received);
      return;
    }
    const object = this.#options.trim?.(received) ?? received;
    if (previous !== undefined) this.#unindex(key, previous);
    this.#objects.set(key, object);
    this.#index(key, object);
    this.#tell(previous === undefined ? { type: "added", object } : { type: "updated", object, previous });
  }

  #remove(key: string): void {
    const previous = this.#objects.get(key);
    if (previous === undefined) return;
    this.#objects.delete(key);
    this.#unindex(key, previous);
    this.#tell({ type: "deleted", previous });
  }

  #index(key: string, object: T): void {
    for (const { valuesOf, keys } of this.#indexes.values()) {
      for (const value of valuesOf(object)) {
        const found = keys.get(value);
        if (found === undefined) keys.set(value, key);
        else if (typeof found !== "string") found.add(key);
        else if (found !== key) keys.set(value, new Set([found, key]));
      }
    }
  }

  #unindex(key: string, object: T): void {
    for (const { valuesOf, keys } of this.#indexes.values()) {
      for (const value of valuesOf(object)) {
        const found = keys.get(value);
        if (found === key) keys.delete(value);
        else if (found instanceof Set && found.delete(key) && found.size === 0) keys.delete(value);
      }
    }
  }

  #tell(change: Change<T>): void {
    for (const listener of [...this.#listeners]) this.#tellOne(listener, change);
  }

  #tellOne(listener: (change: Change<T>) => void, change: Change<T>): void {
    try {
      listener(change);
    } catch (error) {
      // One listener's bug must not stop the cache that all others read.
      this.#options.log.error("informer.listener-failed", { resource: this.type.plural, change: change.type, error });
    }
  }
}

/** A registry refuses two metrics of one name, and several informers share it. */
const gauges = new WeakMap<Metrics, Gauge<"resource">>();

function informerObjects(metrics: Metrics): Gauge<"resource"> {
  const existing = gauges.get(metrics);
  if (existing !== undefined) return existing;
  const gauge = metrics.gauge({
    name: "clusternet_informer_objects",
    help: "Objects in the cache, by resource",
    labels: ["resource"],
  });
  gauges.set(metrics, gauge);
  return gauge;
}

interface Index<T> {
  readonly valuesOf: (object: T) => readonly string[];
  /** The key itself where there is just one, as for every uid: a Set of one is larger than many an object. */
  readonly keys: Map<string, string | Set<string>>;
}

function keysAt<T>({ keys }: Index<T>, value: string): Iterable<string> {
  const found = keys.get(value) ?? [];
  return typeof found === "string" ? [found] : found;
}
