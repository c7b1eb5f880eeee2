// The thread that looks whether a plugin ever returns (plugin-watch.ts). It alone can still act when one does not.

import { workerData } from "node:worker_threads";
import { realClock } from "#std/clock.ts";
import { createLogger } from "#std/log.ts";

export interface WatchedCall {
  readonly plugin: string;
  readonly point: string;
  /** namespace/name of who is decided about. */
  readonly subscription: string;
}

export interface WatchThreadData {
  /** Number of the call that is at work, or 0; length of the text; the text: a WatchedCall as JSON. */
  readonly shared: SharedArrayBuffer;
  readonly headerBytes: number;
  readonly hangMsMax: number;
}

/** Looks in a call's time, so that a machine that slept for an hour does not count that as one. */
const LOOKS = 10;

const { shared, headerBytes, hangMsMax } = workerData as WatchThreadData;
const header = new Int32Array(shared, 0, 2);
const log = createLogger({ component: "scheduler" });

let seen = 0;
for (let call = 0; seen < LOOKS;) {
  await realClock.sleep(hangMsMax / LOOKS, new AbortController().signal);
  const now = Atomics.load(header, 0);
  seen = now !== 0 && now === call ? seen + 1 : 0;
  call = now;
}
log.error("plugin.hangs", { ...whoHangs(), hangMsMax });
// The process hears no other signal: its own thread never comes to it.
process.kill(process.pid, "SIGKILL");

function whoHangs(): Partial<WatchedCall> {
  const text = Buffer.from(Buffer.from(shared, headerBytes, Atomics.load(header, 1))).toString();
  try {
    return JSON.parse(text) as WatchedCall;
  } catch {
    return { plugin: text };
  }
}
