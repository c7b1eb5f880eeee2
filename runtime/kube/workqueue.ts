// A bounded queue of keys: each is in it once, is never handed out twice at once, can be delayed, and backs off when it fails.
//
//   (absent) ──add──▶ ready ──take──▶ held ──done──▶ (absent), or ready again when it was added meanwhile
//       └──addAfter, addFailed──▶ delayed ──time passes──▶ ready
//
// (WQ-1) A key is held by at most one taker.
// (WQ-2) An add is never lost: the key is taken at least once after it.

import { childController } from "#std/abort.ts";
import { assert } from "#std/assert.ts";
import type { Backoff } from "#std/backoff.ts";
import type { Clock } from "#std/clock.ts";
import { createDelays, type Delays } from "./delays.ts";

export interface Workqueue {
  /** Keys that wait to be taken now; neither delayed nor held ones. */
  readonly ready: number;
  add(key: string): void;
  /** When it is delayed already, the earlier time stands. */
  addAfter(key: string, delayMs: number): void;
  /** After the back-off of the key's failures so far, at most `maximumMs` of it, and not before `minimumMs`; returns the delay. */
  addFailed(key: string, options?: { readonly minimumMs?: number; readonly maximumMs?: number }): number;
  /** Failures in a row. */
  failures(key: string): number;
  /** The key succeeded: its next failure starts at the first back-off. */
  forget(key: string): void;
  /** The next key that is due; undefined when the signal aborts. The key is the taker's until `done`. */
  take(signal: AbortSignal): Promise<string | undefined>;
  done(key: string): void;
}

export interface WorkqueueOptions {
  readonly clock: Clock;
  readonly backoff?: Backoff;
  readonly keysMax?: number;
}

/** As every Kubernetes controller's: quick at first, a quarter of an hour in the end. */
const BACKOFF: Backoff = { firstMs: 5, maxMs: 1_000_000 };
/** A key is an object, so this is far above any cluster; reaching it means that keys are made up. */
const KEYS_MAX = 1_000_000;

export function createWorkqueue({ clock, backoff = BACKOFF, keysMax = KEYS_MAX }: WorkqueueOptions): Workqueue {
  return new KeyQueue({ clock, backoff, keysMax });
}

class KeyQueue implements Workqueue {
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #keysMax: number;
  readonly #ready = new Set<string>();
  readonly #held = new Set<string>();
  readonly #addedWhileHeld = new Set<string>();
  readonly #delays: Delays = createDelays();
  readonly #failures = new Map<string, number>();
  readonly #takers = new Set<() => void>();

  constructor({ clock, backoff, keysMax }: Required<WorkqueueOptions>) {
    this.#clock = clock;
    this.#backoff = backoff;
    this.#keysMax = keysMax;
  }

  get ready(): number {
    return this.#ready.size;
  }

  add(key: string): void {
    if (this.#held.has(key)) {
      this.#addedWhileHeld.add(key);
      return;
    }
    assert(this.#ready.size < this.#keysMax || this.#ready.has(key), `Queue holds ${this.#keysMax} keys`);
    this.#ready.add(key);
    this.#wakeOne();
  }

  addAfter(key: string, delayMs: number): void {
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    assert(this.#delays.size < this.#keysMax, `Queue delays ${this.#keysMax} keys`);
    this.#delays.set(key, this.#clock.monotonic() + delayMs);
    // A taker may sleep until a later time.
    this.#wakeOne();
  }

  addFailed(
    key: string,
    { minimumMs = 0, maximumMs = Number.POSITIVE_INFINITY }: { readonly minimumMs?: number; readonly maximumMs?: number } = {},
  ): number {
    const failures = this.failures(key);
    this.#failures.set(key, failures + 1);
    const { firstMs, maxMs } = this.#backoff;
    // No jitter: the keys of one process do not compete with each other.
    const delayMs = Math.max(minimumMs, Math.min(maxMs, maximumMs, firstMs * 2 ** Math.min(failures, 30)));
    this.addAfter(key, delayMs);
    return delayMs;
  }

  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  async take(signal: AbortSignal): Promise<string | undefined> {
    while (!signal.aborted) {
      for (const due of this.#delays.takeDue(this.#clock.monotonic())) this.add(due);
      const [key] = this.#ready;
      if (key !== undefined) {
        this.#ready.delete(key);
        assert(!this.#held.has(key), `Key ${key} is held already (WQ-1)`);
        this.#held.add(key);
        return key;
      }
      await this.#waitForWork(signal);
    }
    return undefined;
  }

  done(key: string): void {
    assert(this.#held.delete(key), `Key ${key} is not held`);
    if (this.#addedWhileHeld.delete(key)) this.add(key);
  }

  async #waitForWork(signal: AbortSignal): Promise<void> {
    using waiting = childController(signal);
    const wake = (): void => {
      waiting.abort(WOKEN);
    };
    this.#takers.add(wake);
    const dueAt = this.#delays.earliest();
    const waitMs = dueAt === undefined ? IDLE_MS : Math.max(0, dueAt - this.#clock.monotonic());
    await this.#clock.sleep(waitMs, waiting.signal);
    this.#takers.delete(wake);
  }

  #wakeOne(): void {
    const [wake] = this.#takers;
    if (wake === undefined) return;
    this.#takers.delete(wake);
    wake();
  }
}

/** One for all: an error is made with its stack, and a queue is woken thousands of times a second. */
const WOKEN = new Error("There is work");

/** Nothing is due: a taker sleeps until it is woken. The number only keeps the timer finite. */
const IDLE_MS = 3_600_000;
