// Watches every kind of which something was delivered, in all namespaces of the child, and only objects that carry a mark: ours, or that
// of helm. One watch for whoever reports how they are and whoever keeps them as they are described.

import type { InventoryEntry } from "#api/apps/v1alpha1/description.ts";
import { annotations, createdByValues, labels } from "#api/names.ts";
import { keyText, type KubeObject, type ObjectKey } from "#api/meta.ts";
import { parseOwner } from "#delivery/names.ts";
import type { Client } from "#kube/client.ts";
import type { Discovery } from "#kube/discovery.ts";
import { createInformer, type Change, type Informer } from "#kube/informer.ts";
import { childController } from "#std/abort.ts";
import { deepEqual } from "#std/canonical-json.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";

/** Watches at the same time; objects of further kinds are read one by one. */
const WATCHED_KINDS_MAX = 100;

/** How long a new watch may take to have its first list; then objects are read one by one until it does. */
const FIRST_LIST_WAIT_MS = 1_000;

export interface WatchedKindsOptions {
  readonly child: Client;
  readonly discovery: Discovery;
  readonly clock: Clock;
  readonly log: Logger;
  /** Which objects; default: those that carry the mark of a Description. */
  readonly marked?: Marked;
}

export interface Marked {
  readonly labelSelector: string;
  /** Key of the one that the object belongs to; undefined: of nobody. */
  ownerOf(object: KubeObject): string | undefined;
  /** Keeps less of each. */
  readonly trim?: (object: KubeObject) => KubeObject;
}

const markedByDescription: Marked = {
  labelSelector: `${labels.createdBy}=${createdByValues.hub}`,
  ownerOf: ({ metadata }) => {
    const owner = parseOwner(metadata.annotations?.[annotations.ownedByDescription] ?? "");
    return owner === undefined ? undefined : keyText(owner);
  },
};

/** The key of the (first) Description whose mark the object carries that changed, and whether more of it changed than its status. */
export type WatchListener = (descriptionKey: string, change: { readonly isBeyondStatus: boolean }) => void;

export class WatchedKinds {
  readonly #options: WatchedKindsOptions;
  readonly #marked: Marked;
  readonly #watches = new Map<
    string,
    { readonly informer: Informer; readonly stop: AbortController & Disposable; readonly run: Promise<void> }
  >();

  readonly #listeners = new Set<WatchListener>();

  constructor(options: WatchedKindsOptions) {
    this.#options = options;
    this.#marked = options.marked ?? markedByDescription;
  }

  /** Returns how to stop. */
  subscribe(listener: WatchListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** The object as the watch knows it; undefined: there is no watch, or it does not know the object. */
  cached(entry: InventoryEntry): KubeObject | undefined {
    const { informer } = this.#watches.get(kindKey(entry)) ?? {};
    return informer?.synced === true ? informer.get(keyText(keyOfEntry(entry))) : undefined;
  }

  /** Exactly these kinds are watched from now on. */
  async keepOnly(kinds: ReadonlyMap<string, InventoryEntry>, signal: AbortSignal): Promise<void> {
    for (const [key, watch] of this.#watches) {
      if (kinds.has(key)) continue;
      this.#watches.delete(key);
      watch.stop.abort();
    }
    for (const [key, entry] of kinds) {
      if (!this.#watches.has(key) && this.#watches.size < WATCHED_KINDS_MAX) await this.#start(key, entry, signal);
    }
  }

  /** False: its kind is not served yet, or too many kinds are watched. Nobody tells when such an object changes. */
  isWatched(entry: InventoryEntry): boolean {
    return this.#watches.has(kindKey(entry));
  }

  /** The object as it is in the child; undefined when it is not there. */
  async read(entry: InventoryEntry, signal: AbortSignal): Promise<KubeObject | undefined> {
    const objectKey = keyOfEntry(entry);
    const watch = this.#watches.get(kindKey(entry));
    // What was there before and is left alone does not carry our mark.
    if (watch?.informer.synced === true && entry.origin !== "Skipped") return watch.informer.get(keyText(objectKey));
    const { child, discovery } = this.#options;
    const type = await discovery.resolve(entry.apiVersion, entry.kind, signal);
    return type === undefined ? undefined : child.get(type, objectKey, signal);
  }

  async stop(): Promise<void> {
    const runs = [...this.#watches.values()].map(({ stop, run }) => {
      stop.abort();
      return run;
    });
    this.#watches.clear();
    await Promise.allSettled(runs);
  }

  #tell(change: Change<KubeObject>): void {
    const beyond = { isBeyondStatus: isBeyondStatus(change) };
    const versions = [
      ...(change.type === "deleted" ? [] : [change.object]),
      ...(change.type === "added" ? [] : [change.previous]),
    ];
    for (const owner of new Set(versions.map((object) => this.#marked.ownerOf(object)))) {
      if (owner !== undefined) for (const listener of this.#listeners) listener(owner, beyond);
    }
  }

  async #start(key: string, { apiVersion, kind }: InventoryEntry, signal: AbortSignal): Promise<void> {
    const { child, discovery, clock, log } = this.#options;
    const type = await discovery.resolve(apiVersion, kind, signal);
    if (type === undefined) return;
    const { labelSelector, trim } = this.#marked;
    const informer = createInformer(child, type, { labelSelector, clock, log, ...(trim === undefined ? {} : { trim }) });
    informer.subscribe((change) => {
      this.#tell(change);
    });
    const stop = childController(signal);
    // An informer ends only with its signal: a kind that may not be listed is tried again, and read one by one meanwhile.
    const run = informer.run(stop.signal).catch((error: unknown) => {
      if (!stop.signal.aborted) log.warn("feed-status.watch-failed", { apiVersion, kind, error });
    });
    this.#watches.set(key, { informer, stop, run });
    using limit = childController(stop.signal);
    await Promise.race([informer.whenSynced(limit.signal).catch(() => undefined), clock.sleep(FIRST_LIST_WAIT_MS, limit.signal)]);
    limit.abort();
  }
}

function keyOfEntry({ namespace, name }: InventoryEntry): ObjectKey {
  return namespace === undefined ? { name } : { namespace, name };
}

function isBeyondStatus(change: Change<KubeObject>): boolean {
  if (change.type !== "updated") return true;
  const { metadata } = change.object;
  const before = change.previous.metadata;
  const isSameSpec = metadata.generation !== undefined && metadata.generation === before.generation;
  return !(
    isSameSpec &&
    metadata.deletionTimestamp === before.deletionTimestamp &&
    deepEqual([metadata.labels, metadata.annotations], [before.labels, before.annotations])
  );
}

export function kindKey({ apiVersion, kind }: InventoryEntry): string {
  return `${apiVersion}/${kind}`;
}
