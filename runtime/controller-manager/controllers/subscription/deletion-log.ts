// What was deleted in the last ten minutes, for the deletion budget. In memory: a new leader starts with an empty one.

import type { Deleted } from "./deletion-budget.ts";

export const WINDOW_MS = 600_000;

interface Entry {
  readonly at: number;
  /** Uids. */
  readonly subscription: string;
  readonly base: string;
  readonly count: number;
}

export interface RecentQuery {
  readonly subscription: string;
  /** Bases that a plan is about: what a cache that lags shows again is not counted twice. */
  readonly planned: readonly string[];
  /** As in the entries: monotonic milliseconds. */
  readonly now: number;
}

export class DeletionLog {
  #entries: readonly Entry[] = [];

  add(entry: Entry): void {
    this.#entries = [...this.#entries.filter(({ at }) => entry.at - at < WINDOW_MS), entry];
  }

  recent({ subscription, planned, now }: RecentQuery): Deleted {
    const again = new Set(planned);
    const entries = this.#entries.filter(({ at, base }) => now - at < WINDOW_MS && !again.has(base));
    const sum = (some: readonly Entry[]): number => some.reduce((total, { count }) => total + count, 0);
    return { ofFleet: sum(entries), ofSubscription: sum(entries.filter((entry) => entry.subscription === subscription)) };
  }
}
