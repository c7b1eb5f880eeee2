// Equal values are kept once: for caches in which large parts of objects are the same.

import { canonicalHash, deepEqual } from "./canonical-json.ts";

/** Holds what others hold, and no longer than they do. */
export class SharedValues<T extends object> {
  readonly #values = new Map<string, WeakRef<T>>();
  readonly #forget = new FinalizationRegistry<string>((hash) => {
    if (this.#values.get(hash)?.deref() === undefined) this.#values.delete(hash);
  });

  get size(): number {
    return this.#values.size;
  }

  /** An equal value that somebody holds already, else this one. Neither may be changed. */
  share(value: T): T {
    const hash = canonicalHash(value);
    const known = this.#values.get(hash)?.deref();
    if (known === undefined) {
      this.#values.set(hash, new WeakRef(value));
      this.#forget.register(value, hash);
      return value;
    }
    return deepEqual(known, value) ? known : value;
  }
}
