// A stream as a Node Duplex, for code that pipes: upgraded connections. Hot paths use the callbacks instead.

import { Duplex } from "node:stream";
import { toError } from "#std/errors.ts";
import type { StreamError } from "./errors.ts";
import type { ByteStream, StreamHandler } from "./stream.ts";

/**
 * A Duplex and the handler that feeds it. Give the handler to the session, then `attach` the stream it returned; what is written before
 * waits. Ending it is a half-close; destroying it resets the stream, and a reset destroys it with the StreamError.
 */
export interface StreamDuplex {
  readonly duplex: Duplex;
  readonly handler: StreamHandler;
  readonly attach: (stream: ByteStream) => void;
}

export function createStreamDuplex(): StreamDuplex {
  const link = new StreamLink();
  return { duplex: link.duplex, handler: link, attach: (stream) => link.attach(stream) };
}

class StreamLink implements StreamHandler {
  readonly duplex: Duplex;
  #stream: ByteStream | undefined;
  /** What waits for the stream to be attached or for room in it. */
  #next: (() => void) | undefined;
  #isOver = false;

  constructor() {
    this.duplex = new Duplex({
      allowHalfOpen: true,
      read: () => {
        this.#stream?.resume();
      },
      write: (chunk: Buffer, _encoding, done) => {
        this.#write(chunk, () => done());
      },
      final: (done) => {
        this.#withStream((stream) => {
          stream.end();
          done();
        });
      },
      destroy: (error, done) => {
        // A Duplex that is done on both sides destroys itself, while its last bytes may still wait for credit: they must leave.
        const isDone = error === null && this.duplex.writableFinished && this.duplex.readableEnded;
        if (!this.#isOver && !isDone) this.#stream?.reset("cancelled");
        done(error);
      },
    });
  }

  attach(stream: ByteStream): void {
    this.#stream = stream;
    if (this.duplex.destroyed && !this.duplex.writableFinished) stream.reset("cancelled");
    this.#release();
  }

  onData(chunk: Buffer): boolean {
    return this.duplex.push(chunk);
  }

  onEnd(): void {
    this.duplex.push(null);
  }

  onReset(error: StreamError): void {
    this.#isOver = true;
    this.duplex.destroy(toError(error));
  }

  onDrain(): void {
    this.#release();
  }

  #write(chunk: Buffer, done: () => void): void {
    this.#withStream((stream) => {
      if (stream.write(chunk)) done();
      else this.#next = done;
    });
  }

  #withStream(use: (stream: ByteStream) => void): void {
    const stream = this.#stream;
    if (stream === undefined) this.#next = () => this.#withStream(use);
    else use(stream);
  }

  #release(): void {
    const next = this.#next;
    this.#next = undefined;
    next?.();
  }
}
