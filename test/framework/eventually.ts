// Waits for a state, with a deadline and a failure that says what was seen last.

import { setTimeout as sleep } from "node:timers/promises";
import { abortReason } from "#std/abort.ts";
import { errorChain } from "#std/errors.ts";

export interface EventuallyOptions {
  /** Default: 30 s. */
  readonly timeoutMs?: number;
  /** Default: 50 ms. */
  readonly intervalMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Repeats `check` until it returns something else than `undefined`, `null` or `false` without throwing, and returns that.
 * `what` completes the sentence "… did not happen": `await eventually("the pod runs", () => running(pod))`.
 */
export async function eventually<T>(
  what: string,
  check: () => T | Promise<T>,
  { timeoutMs = 30_000, intervalMs = 50, signal }: EventuallyOptions = {},
): Promise<Exclude<Awaited<T>, undefined | null | false>> {
  const startedAt = performance.now();
  for (;;) {
    let seen: string;
    try {
      const value = await check();
      if (value !== undefined && value !== null && value !== false) return value as Exclude<Awaited<T>, undefined | null | false>;
      seen = `the check returned ${String(value)}`;
    } catch (error) {
      seen = errorChain(error);
    }
    if (signal?.aborted === true) throw abortReason(signal);
    if (performance.now() - startedAt > timeoutMs) {
      throw new Error(`Not within ${String(timeoutMs)} ms: ${what}. Last seen: ${seen}`);
    }
    await sleep(intervalMs);
  }
}
