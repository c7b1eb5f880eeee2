// Answers that stay true for a short time: bounded, and asked for once however many wait.

import type { Clock } from "#std/clock.ts";

export interface ExpiringCache<T> {
  /** The remembered answer, or a promise of a new one. A failed load is not remembered. */
  get(key: string, options: { readonly rememberMs: number; readonly load: () => Promise<T> }): T | Promise<T>;
}

interface Entry<T> {
  readonly value: T;
  readonly expiresAtMs: number;
}

export function createExpiringCache<T>({
  clock,
  entriesMax,
}: {
  readonly clock: Clock;
  readonly entriesMax: number;
}): ExpiringCache<T> {
  const entries = new Map<string, Entry<T>>();
  const loading = new Map<string, Promise<T>>();
  const store = (key: string, entry: Entry<T>): void => {
    entries.delete(key);
    // The oldest goes first: a Map keeps the order of insertion.
    if (entries.size >= entriesMax)
      for (const [oldest] of entries) {
        entries.delete(oldest);
        break;
      }
    entries.set(key, entry);
  };
  return {
    get: (key, { rememberMs, load }) => {
      const known = entries.get(key);
      if (known !== undefined && known.expiresAtMs > clock.monotonic()) return known.value;
      const pending = loading.get(key);
      if (pending !== undefined) return pending;
      const started = load()
        .then((value) => {
          store(key, { value, expiresAtMs: clock.monotonic() + rememberMs });
          return value;
        })
        .finally(() => {
          loading.delete(key);
        });
      loading.set(key, started);
      return started;
    },
  };
}
