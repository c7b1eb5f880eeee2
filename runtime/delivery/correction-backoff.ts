// How often a change may be put back. Somebody who makes it again each time is another controller: a fight that nobody wins, and that
// must not fill etcd. The first corrections come at once, the next ever later; a quiet time forgets all of it. Pure: it is told the time.

const FIRST_WAIT_MS = 10_000;
const WAIT_MS_MAX = 600_000;
/** Nothing to put back for so long: it was no fight. */
const QUIET_MS = 1_200_000;
const REMEMBERED_MAX = 10_000;

interface Corrections {
  readonly count: number;
  readonly at: number;
}

export class CorrectionBackoff {
  readonly #corrections = new Map<string, Corrections>();

  /** 0: now, and it counts. Else: not before so many milliseconds. `free`: so many at once, before it looks like a fight. */
  take(key: string, { now, free }: { readonly now: number; readonly free: number }): number {
    const known = this.#corrections.get(key);
    const { count, at } = known === undefined || now - known.at > QUIET_MS ? { count: 0, at: now } : known;
    const waitMs = count < free ? 0 : Math.min(WAIT_MS_MAX, FIRST_WAIT_MS * 2 ** (count - free));
    const remainingMs = at + waitMs - now;
    if (remainingMs > 0) return remainingMs;
    this.#corrections.delete(key);
    this.#corrections.set(key, { count: count + 1, at: now });
    const [oldest] = this.#corrections.keys();
    if (this.#corrections.size > REMEMBERED_MAX && oldest !== undefined) this.#corrections.delete(oldest);
    return 0;
  }

  /** Corrections in a row. */
  count(key: string): number {
    return this.#corrections.get(key)?.count ?? 0;
  }
}
