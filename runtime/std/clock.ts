// The only place that reads the time or waits for it. Tests and simulations move time by hand (test/framework/fake-clock.ts).

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds on a clock that never jumps; only differences mean something. */
  monotonic(): number;
  /** Resolves after `durationMs`, or at once when the signal aborts. Never rejects: the caller's loop condition decides. */
  sleep(durationMs: number, signal: AbortSignal): Promise<void>;
}

export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (durationMs, signal) => sleep({ durationMs, holdsProcess: true }, signal),
};

/** For what nobody waits for: a process that has nothing else to do ends, and does not sleep on. */
export const backgroundClock: Clock = {
  ...realClock,
  sleep: (durationMs, signal) => sleep({ durationMs, holdsProcess: false }, signal),
};

function sleep(
  { durationMs, holdsProcess }: { readonly durationMs: number; readonly holdsProcess: boolean },
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const wake = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, durationMs);
    if (!holdsProcess) timer.unref();
    signal.addEventListener("abort", wake, { once: true });
  });
}
