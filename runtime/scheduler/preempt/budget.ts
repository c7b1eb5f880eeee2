// How many replicas may be taken from anybody in a minute, all together.

const MINUTE_MS = 60_000;

/** More than one entry per decision is never kept. */
interface Spent {
  readonly at: number;
  readonly replicas: number;
}

export const DEFAULT_PREEMPTIONS_PER_MINUTE = 100;

export class PreemptionBudget {
  /** 0: nothing is ever taken. */
  readonly perMinute: number;
  #spent: readonly Spent[] = [];

  constructor(perMinute: number) {
    this.perMinute = perMinute;
  }

  free(now: number): number {
    this.#spent = this.#spent.filter(({ at }) => at > now - MINUTE_MS);
    return Math.max(0, this.perMinute - this.#spent.reduce((sum, { replicas }) => sum + replicas, 0));
  }

  spend(replicas: number, now: number): void {
    this.#spent = [...this.#spent, { at: now, replicas }];
  }

  /** They were not taken after all. */
  refund(replicas: number, at: number): void {
    const index = this.#spent.findIndex((spent) => spent.at === at && spent.replicas === replicas);
    if (index !== -1) this.#spent = this.#spent.filter((_, each) => each !== index);
  }
}
