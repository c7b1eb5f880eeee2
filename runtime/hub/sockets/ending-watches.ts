// Ends watches as their server would, when the hub leaves: after a whole event, with the proper end of the answer.
//
//   running ──end()──▶ ending ──after a whole event──▶ ended: nothing of the child passes any more
//
// A watch may end at any time, and clients go on from the last event that they saw; a connection that is cut looks like a failure to them.

import type { ResponseHead } from "#tunnel/head.ts";
import type { StreamError } from "#tunnel/errors.ts";
import type { ResponseHandler } from "#tunnel/stream.ts";

export interface EndingWatches {
  /** The handler for the stream of a watch; `inner` answers the client. */
  wrap(inner: ResponseHandler, onSettled: (() => void)[]): ResponseHandler;
  /** Ends all that there are, and all that still come. */
  readonly endAll: () => void;
}

export function createEndingWatches(): EndingWatches {
  const open = new Set<Watch>();
  let isEnding = false;
  return {
    wrap: (inner, onSettled) => {
      const watch = new Watch(inner);
      open.add(watch);
      onSettled.push(() => open.delete(watch));
      if (isEnding) watch.end();
      return watch;
    },
    endAll: () => {
      isEnding = true;
      for (const watch of [...open]) watch.end();
    },
  };
}

const NEWLINE = 10;

class Watch implements ResponseHandler {
  readonly #inner: ResponseHandler;
  #state: "running" | "ending" | "ended" = "running";
  /** An error, or anything else with a length, ends by itself. */
  #isStream = false;
  #isBetweenEvents = false;
  /** Events in JSON are lines; of other encodings, the server sends each as a whole. */
  #areLines = true;

  constructor(inner: ResponseHandler) {
    this.#inner = inner;
  }

  end(): void {
    if (this.#state !== "running") return;
    this.#state = "ending";
    if (this.#isBetweenEvents) this.#finish();
  }

  onHead(head: ResponseHead): void {
    this.#inner.onHead(head);
    this.#isStream = head.status === 200 && valueOf(head, "content-length") === undefined;
    this.#areLines = /^application\/json\b/i.test(valueOf(head, "content-type") ?? "");
    this.#isBetweenEvents = this.#isStream;
    if (this.#state === "ending" && this.#isStream) this.#finish();
  }

  onData(chunk: Buffer): boolean {
    if (this.#state === "ended") return true;
    if (!this.#isStream) return this.#inner.onData(chunk);
    if (this.#state === "running") {
      this.#isBetweenEvents = !this.#areLines || chunk.at(-1) === NEWLINE;
      return this.#inner.onData(chunk);
    }
    const end = this.#areLines ? chunk.lastIndexOf(NEWLINE) + 1 : chunk.byteLength;
    const takesMore = this.#inner.onData(end === 0 ? chunk : chunk.subarray(0, end));
    if (end > 0) this.#finish();
    return takesMore;
  }

  onEnd(): void {
    if (this.#state !== "ended") this.#inner.onEnd();
  }

  onReset(error: StreamError): void {
    if (this.#state !== "ended") this.#inner.onReset(error);
  }

  onDrain(): void {
    this.#inner.onDrain?.();
  }

  #finish(): void {
    this.#state = "ended";
    this.#inner.onEnd();
  }
}

function valueOf({ headers }: ResponseHead, name: string): string | undefined {
  for (let index = 0; index + 1 < headers.length; index += 2) {
    if (headers[index]?.toLowerCase() === name) return headers[index + 1];
  }
  return undefined;
}
