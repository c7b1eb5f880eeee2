// Watches plugins that are not built in from another thread: one that never returns would stop the whole scheduler, and nobody could say which.
//
// (PLW-1) A call that takes longer than the limit ends the process with one line that names the plugin, the point and the Subscription.
// (PLW-2) The scheduler that starts next loads the plugin again: without it, it would bind what the plugin forbids.
// (PLW-3) Watched is a call up to its answer, or to its first `await`; what is slow there is told by its own limit.

import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { WatchedCall, WatchThreadData } from "./plugin-watch-thread.ts";

export interface PluginWatch extends AsyncDisposable {
  during<T>(call: WatchedCall, work: () => T): T;
}

/** Names of a plugin and of an object have limits of their own; longer text is cut. */
const TEXT_BYTES_MAX = 1_024;
const HEADER_BYTES = 8;

/** The thread is started with the first plugin that is watched; `hangMsMax` 0: nobody is. */
export function createPluginWatch({ hangMsMax }: { readonly hangMsMax: number }): PluginWatch {
  const shared = new SharedArrayBuffer(HEADER_BYTES + TEXT_BYTES_MAX);
  const header = new Int32Array(shared, 0, 2);
  const text = Buffer.from(shared, HEADER_BYTES);
  let calls = 0;
  let known: WatchedCall = { plugin: "", point: "", subscription: "" };
  let thread: Worker | undefined;

  function start(): Worker {
    const workerData: WatchThreadData = { shared, headerBytes: HEADER_BYTES, hangMsMax };
    // The sources run as they are, and as the package compiles them.
    const file = new URL(`./plugin-watch-thread${extname(import.meta.url)}`, import.meta.url);
    const started = new Worker(file, { workerData });
    started.unref();
    return started;
  }

  return {
    during(call, work) {
      if (hangMsMax === 0) return work();
      thread ??= start();
      if (call.plugin !== known.plugin || call.point !== known.point || call.subscription !== known.subscription) {
        known = call;
        Atomics.store(header, 1, text.write(JSON.stringify(call)));
      }
      calls = (calls % 2 ** 30) + 1;
      Atomics.store(header, 0, calls);
      try {
        return work();
      } finally {
        Atomics.store(header, 0, 0);
      }
    },
    [Symbol.asyncDispose]: async () => {
      await thread?.terminate();
    },
  };
}
