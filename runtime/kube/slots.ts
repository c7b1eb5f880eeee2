// Lets a bounded number of operations run at once; more wait in order, up to another bound.

import { abortReason } from "#std/abort.ts";
import { ApiError } from "./errors.ts";

export interface Slots {
  use<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

export function createSlots({ inUseMax, waitingMax }: { readonly inUseMax: number; readonly waitingMax: number }): Slots {
  let inUse = 0;
  const waiting = new Set<() => void>();

  const wait = (signal: AbortSignal): Promise<void> => {
    if (waiting.size >= waitingMax) {
      const message = `${waitingMax} requests wait for their turn already`;
      throw new ApiError({ reason: "TooManyRequests", code: 0, message });
    }
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        waiting.delete(proceed);
        reject(abortReason(signal));
      };
      const proceed = (): void => {
        signal.removeEventListener("abort", abort);
        resolve();
      };
      signal.addEventListener("abort", abort, { once: true });
      waiting.add(proceed);
    });
  };

  const release = (): void => {
    const [next] = waiting;
    if (next === undefined) {
      inUse -= 1;
      return;
    }
    // The slot passes on without becoming free, so that nobody overtakes.
    waiting.delete(next);
    next();
  };

  return {
    use: async (work, signal) => {
      signal.throwIfAborted();
      if (inUse >= inUseMax) await wait(signal);
      else inUse += 1;
      try {
        return await work();
      } finally {
        release();
      }
    },
  };
}
