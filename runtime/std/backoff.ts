// Attempt number -> delay with jitter. Pure: the randomness is an argument.

export interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * "Full jitter" in its upper half: between 50 % and 100 % of `firstMs * 2^attempt`, never above `maxMs`, so that many clients
 * that failed together do not come back together. `attempt` starts at 0; `random` is in [0, 1).
 */
export function backoffMs(attempt: number, { firstMs, maxMs }: Backoff, random: number = Math.random()): number {
  const ceilingMs = Math.min(maxMs, firstMs * 2 ** Math.min(attempt, 30));
  return Math.round(ceilingMs * (0.5 + random / 2));
}
