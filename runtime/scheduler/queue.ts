// Which Subscription is scheduled next.
//
//   add() ──▶ active ──take()──▶ in hand ──done()──▶ (out)
//               ▲                  ├──retry()──▶ back-off ──its time──▶ active
//               └──add(), its time─┴──park()───▶ unschedulable
//
// (QUE-1) A key is in one place at a time; added while in hand, it comes back when the hand lets go.
// (QUE-2) Active keys leave by priority, highest first, then in the order they came.
// (QUE-3) Nothing waits for ever: the unschedulable are looked at again even if no cluster changes.

import { backoffMs, type Backoff } from "#std/backoff.ts";
import type { Clock } from "#std/clock.ts";
import { childController } from "#std/abort.ts";

/** Most failures are a Conflict with a status that was just written; the cache has the new object within milliseconds. */
const BACKOFF: Backoff = { firstMs: 50, maxMs: 10_000 };
const UNSCHEDULABLE_MAX_MS = 5 * 60_000;
const LATER_MAX_MS = 60 * 60_000;

/** Memory, not speed: as many keys as Subscriptions. More means that something is wrong, and further ones are refused. */
const KEYS_MAX = 200_000;

export class QueueFullError extends Error {
  override readonly name = "QueueFullError";
}

interface Entry {
  readonly key: string;
  readonly priority: number;
  readonly sequence: number;
}

interface Waiting {
  readonly priority: number;
  readonly dueAt: number;
  readonly place: "backoff" | "unschedulable";
}

export class SchedulingQueue {
  readonly #clock: Clock;
  readonly #active: Entry[] = [];
  /** Active keys with their priority. */
  readonly #queued = new Map<string, number>();
  readonly #waiting = new Map<string, Waiting>();
  readonly #inHand = new Set<string>();
  readonly #again = new Map<string, number>();
  readonly #attempts = new Map<string, number>();
  #sequence = 0;
  readonly #sleepers = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get sizes(): { readonly active: number; readonly backoff: number; readonly unschedulable: number } {
    const backoff = [...this.#waiting.values()].filter(({ place }) => place === "backoff").length;
    return { active: this.#active.length, backoff, unschedulable: this.#waiting.size - backoff };
  }

  /** Something about it changed: it is scheduled as soon as possible, whatever it waited for. */
  add(key: string, priority: number): void {
    if (this.#inHand.has(key)) {
      this.#again.set(key, priority);
      return;
    }
    this.#waiting.delete(key);
    if (this.#queued.get(key) === priority) return;
    this.#withdraw(key);
    if (this.#queued.size + this.#waiting.size >= KEYS_MAX)
      throw new QueueFullError(`More than ${String(KEYS_MAX)} Subscriptions wait`);
    this.#queued.set(key, priority);
    insert(this.#active, { key, priority, sequence: this.#sequence });
    this.#sequence += 1;
    this.#wake();
  }

  /** Gone: forgotten wherever it is. */
  remove(key: string): void {
    this.#waiting.delete(key);
    this.#again.delete(key);
    this.#attempts.delete(key);
    this.#withdraw(key);
  }

  #withdraw(key: string): void {
    if (!this.#queued.delete(key)) return;
    const index = this.#active.findIndex((entry) => entry.key === key);
    if (index !== -1) this.#active.splice(index, 1);
  }

  /** The next key; undefined when the signal aborts. It is in hand until done, retry or park. */
  async take(signal: AbortSignal): Promise<string | undefined> {
    while (!signal.aborted) {
      this.#release();
      const entry = this.#active.shift();
      if (entry !== undefined) {
        this.#queued.delete(entry.key);
        this.#inHand.add(entry.key);
        return entry.key;
      }
      await this.#changed(signal);
    }
    return undefined;
  }

  done(key: string): void {
    this.#attempts.delete(key);
    this.#letGo(key);
  }

  /** It failed: again after a back-off. */
  retry(key: string, priority: number): void {
    const attempt = this.#attempts.get(key) ?? 0;
    this.#attempts.set(key, attempt + 1);
    this.#wait(key, { priority, place: "backoff", dueAt: this.#clock.monotonic() + backoffMs(attempt, BACKOFF) });
  }

  /** No cluster fits: again when one changes. */
  park(key: string, priority: number, forMs = UNSCHEDULABLE_MAX_MS): void {
    this.#attempts.delete(key);
    this.#wait(key, { priority, place: "unschedulable", dueAt: this.#clock.monotonic() + forMs });
  }

  /** Nothing to do before then: again at its time, or when something changes. */
  later(key: string, { priority, delayMs }: { readonly priority: number; readonly delayMs: number }): void {
    this.#attempts.delete(key);
    const dueAt = this.#clock.monotonic() + Math.min(delayMs, LATER_MAX_MS);
    this.#wait(key, { priority, place: "unschedulable", dueAt });
  }

  #wait(key: string, waiting: Waiting): void {
    if (!this.#again.has(key)) this.#waiting.set(key, waiting);
    this.#letGo(key);
    this.#wake();
  }

  #letGo(key: string): void {
    this.#inHand.delete(key);
    const priority = this.#again.get(key);
    if (priority === undefined) return;
    this.#again.delete(key);
    this.add(key, priority);
  }

  #release(): void {
    const now = this.#clock.monotonic();
    for (const [key, { dueAt, priority }] of this.#waiting) if (dueAt <= now) this.add(key, priority);
  }

  async #changed(signal: AbortSignal): Promise<void> {
    using timer = childController(signal);
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const wake = (): void => {
      resolve(undefined);
    };
    this.#sleepers.add(wake);
    // No spread: there may be more keys than a call takes arguments.
    const dueAt = this.#waiting.values().reduce((first, waiting) => Math.min(first, waiting.dueAt), Number.POSITIVE_INFINITY);
    const delayMs = Math.min(Math.max(0, dueAt - this.#clock.monotonic()), UNSCHEDULABLE_MAX_MS);
    await Promise.race([promise, this.#clock.sleep(delayMs, timer.signal)]);
    this.#sleepers.delete(wake);
    timer.abort(WOKEN);
  }

  #wake(): void {
    for (const wake of this.#sleepers) wake();
  }
}

/** One for all: an error is made with its stack. */
const WOKEN = new Error("There is work");

/** Binary insertion: the list stays in the order in which keys leave. */
function insert(active: Entry[], entry: Entry): void {
  let low = 0;
  let high = active.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = active[middle];
    if (other !== undefined && other.priority >= entry.priority) low = middle + 1;
    else high = middle;
  }
  active.splice(low, 0, entry);
}
