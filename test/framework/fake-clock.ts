// A Clock that tests move by hand.

import type { Clock } from "#std/clock.ts";

export interface FakeClock extends Clock {
  /** How many sleeps are waiting. */
  readonly sleeping: number;
  /** Moves time, wakes every sleep that ends on the way, in order, and lets the code it wakes run up to its next wait. */
  advance(durationMs: number): Promise<void>;
}

interface Sleeper {
  readonly wakeAt: number;
  wake(): void;
}

/** Enough rounds for chains of awaits; code that waits for real I/O needs `eventually`. */
const SETTLE_ROUNDS = 5;

export function createFakeClock({ startAt = Date.UTC(2026, 0, 1) }: { readonly startAt?: number } = {}): FakeClock {
  let now = startAt;
  const sleepers = new Set<Sleeper>();
  const next = (until: number): Sleeper | undefined => {
    let earliest: Sleeper | undefined;
    for (const sleeper of sleepers) {
      if (sleeper.wakeAt <= until && (earliest === undefined || sleeper.wakeAt < earliest.wakeAt)) earliest = sleeper;
    }
    return earliest;
  };
  return {
    get sleeping() {
      return sleepers.size;
    },
    now: () => now,
    monotonic: () => now - startAt,
    sleep: (durationMs, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) {
          resolve();
          return;
        }
        const wake = (): void => {
          sleepers.delete(sleeper);
          signal.removeEventListener("abort", wake);
          resolve();
        };
        const sleeper: Sleeper = { wakeAt: now + durationMs, wake };
        sleepers.add(sleeper);
        signal.addEventListener("abort", wake, { once: true });
      }),
    advance: async (durationMs) => {
      const until = now + durationMs;
      await settle();
      for (let sleeper = next(until); sleeper !== undefined; sleeper = next(until)) {
        now = Math.max(now, sleeper.wakeAt);
        sleeper.wake();
        await settle();
      }
      now = until;
      await settle();
    },
  };
}

async function settle(): Promise<void> {
  for (let round = 0; round < SETTLE_ROUNDS; round += 1) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}
