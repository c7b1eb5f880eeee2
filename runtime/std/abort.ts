// Links, races and time-limits AbortSignals without leaking listeners on long-lived ones.

/** What an aborted signal carries, as an Error. */
export function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason));
}

/** A controller that also aborts when `parent` does, until it is disposed. Use with `using`. */
export function childController(parent: AbortSignal): AbortController & Disposable {
  const controller = new AbortController();
  const abort = (): void => {
    controller.abort(parent.reason);
  };
  if (parent.aborted) abort();
  else parent.addEventListener("abort", abort, { once: true });
  return Object.assign(controller, {
    [Symbol.dispose]: () => {
      parent.removeEventListener("abort", abort);
    },
  });
}

/** Settles like `promise`, but rejects with the abort reason as soon as the signal aborts. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    promise.catch(() => undefined);
    return Promise.reject(abortReason(signal));
  }
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(abortReason(signal));
    };
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener("abort", abort);
    });
  });
}

/** Runs `work` under a signal that also aborts after `limitMs`, with an error that says what took too long. */
export async function withTimeLimit<T>(
  { limitMs, what }: { readonly limitMs: number; readonly what: string },
  work: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  using controller = childController(signal);
  const timer = setTimeout(() => {
    controller.abort(new Error(`${what} took longer than ${String(limitMs)} ms`));
  }, limitMs);
  try {
    return await abortable(work(controller.signal), controller.signal);
  } finally {
    clearTimeout(timer);
  }
}
