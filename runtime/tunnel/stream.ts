// One stream of a session: two byte directions, each with credit, that end independently.
//
//   sending:    open ──end()──▶ ending ──last frame taken──▶ ended          receiving:  open ──END frame──▶ ended
//      └───────────────── reset(), peer's RESET, a limit, tunnel lost: from any state ─────────────────▶ closed
//   Both ended ─▶ closed. A "request" closes with the end of its response, whether or not its body was read.
//
// (STR-1) After "closed" no callback runs and nothing is sent.
// (STR-2) Bytes reach the handler in order, exactly once, and none between `onData` returning false and `resume()`.
// (STR-3) A paused stream returns no credit, so what it holds is bounded by its window.
// (STR-4) Exactly one of `onEnd` and `onReset` is called, or neither when this end resets; `onReset` may follow `onEnd` as long as
//         this end is still sending.

import { assert } from "#std/assert.ts";
import { toError } from "#std/errors.ts";
import type { ResetReason, StreamError } from "./errors.ts";
import { type ByteBudget, type Pace, ReceiveWindow, SendCredit } from "./flow-control.ts";
import { FRAME_HEADER_BYTES_MAX, FrameType, ProtocolError, writeFrameHeader } from "./frame.ts";
import type { RequestHead, ResponseHead } from "./head.ts";
import { CREDIT_ALONE_BYTES, QUEUED_CHUNKS_MAX, SEND_QUEUE_BYTES, type TunnelLimits } from "./limits.ts";
import type { DataSource } from "./outbox.ts";

/** How a stream talks to its user. */
export interface StreamHandler {
  /** Return false to get no more until `resume()`: only this stream waits. The chunk may be kept, never written to. */
  onData(chunk: Buffer): boolean;
  /** The peer's direction is complete. */
  onEnd(): void;
  /** Broken off by the peer, by a limit, or with the tunnel. Not called for a reset by this end. */
  onReset(error: StreamError): void;
  /** `write` returned false before; now it is worth writing again. */
  onDrain?(): void;
}

/** The opening end: the head comes once, before any data. */
export interface ResponseHandler extends StreamHandler {
  onHead(head: ResponseHead): void;
}

export type SentResetReason = Exclude<ResetReason, "tunnel-lost">;

export interface ByteStream {
  readonly id: number;
  /** True when neither direction will do anything any more. */
  readonly closed: boolean;
  /** Queues a chunk, which must not be changed afterwards. False: wait for `onDrain` before the next one. */
  write(chunk: Uint8Array): boolean;
  /** Ends this direction. Idempotent. */
  end(chunk?: Uint8Array): void;
  /** Asks for data again after `onData` returned false. Idempotent. */
  resume(): void;
  /** Breaks off both directions now and tells the peer. Idempotent; does nothing once closed. */
  reset(reason: SentResetReason, message?: string): void;
}

/** A stream this end opened. */
export type RequestStream = ByteStream;

/** A stream the peer opened. */
export interface IncomingStream extends ByteStream {
  readonly head: RequestHead;
  /** True when the request has no body: `onEnd` follows at once. */
  readonly bodyEnded: boolean;
  /** Answers; exactly once, before the first `write`. `end: true` also ends this direction (no body). */
  respond(head: ResponseHead, options?: { readonly end?: boolean }): void;
}

/** The session, as its streams see it. */
export interface StreamHost {
  readonly limits: TunnelLimits;
  readonly budget: ByteBudget;
  /** How fast the tunnel is for this stream. The round trip is the shortest one seen; asking has it measured again. */
  takePace(stream: TunnelStream): Pace;
  sendResponseHead(stream: TunnelStream, head: ResponseHead, end: boolean): void;
  sendCredit(streamId: number, bytes: number): void;
  sendReset(streamId: number, reason: SentResetReason, message: string): void;
  /** The stream became sendable and is not in the outbox's line. */
  addReady(stream: TunnelStream): void;
  /** The stream is closed: forget it. */
  onClosed(stream: TunnelStream): void;
  /** More bytes wait than allowed: something has to go. */
  onOverBudget(): void;
  /** A callback threw: a bug of the stream's user. */
  onHandlerFailed(error: Error): void;
}

export interface StreamOptions {
  readonly id: number;
  readonly head: RequestHead;
  /** True when this end opened the stream. */
  readonly isOpener: boolean;
  /** The opener's direction ended with the OPEN frame. */
  readonly bodyEnded: boolean;
}

const EMPTY = Buffer.alloc(0);
/** A chunk smaller than this part of the message it lies in is copied before it is kept, so that it does not hold the rest. */
const KEEP_WHOLE_FRACTION = 4;

const NO_HANDLER: ResponseHandler = {
  onHead: () => undefined,
  onData: () => true,
  onEnd: () => undefined,
  onReset: () => undefined,
};

export class TunnelStream implements IncomingStream, DataSource {
  readonly id: number;
  readonly head: RequestHead;
  readonly bodyEnded: boolean;
  readonly isOpener: boolean;
  readonly #host: StreamHost;
  #handler: ResponseHandler | StreamHandler = NO_HANDLER;
  #isClosed = false;
  #status: number | undefined;

  readonly #credit: SendCredit;
  #sendQueue: Uint8Array[] = [];
  /** Where the next byte of the queue's first chunk is. */
  #sendOffset = 0;
  #sendQueuedBytes = 0;
  #sending: "open" | "ending" | "ended" = "open";
  #isInLine = false;
  #wantsDrain = false;

  readonly #window: ReceiveWindow;
  #receiveQueue: Buffer[] = [];
  #receiveQueuedBytes = 0;
  #receiving: "open" | "end-waits" | "ended" = "open";
  #isPaused = false;

  constructor(host: StreamHost, { id, head, isOpener, bodyEnded }: StreamOptions) {
    const { creditInitialBytes, creditBytesMax } = host.limits;
    this.#host = host;
    this.id = id;
    this.head = head;
    this.isOpener = isOpener;
    this.bodyEnded = bodyEnded;
    this.#credit = new SendCredit(creditInitialBytes);
    this.#window = new ReceiveWindow({
      initialBytes: creditInitialBytes,
      maxBytes: creditBytesMax,
      aloneBytes: CREDIT_ALONE_BYTES,
      budget: host.budget,
    });
    if (bodyEnded && isOpener) this.#sending = "ended";
    if (bodyEnded && !isOpener) this.#receiving = "ended";
  }

  get closed(): boolean {
    return this.#isClosed;
  }

  /** Bytes of this stream that wait in this process. */
  get waitingBytes(): number {
    return this.#sendQueuedBytes + this.#receiveQueuedBytes;
  }

  setHandler(handler: ResponseHandler | StreamHandler): void {
    if (this.#isClosed) return;
    this.#handler = handler;
    if (this.bodyEnded && !this.isOpener) this.#guard(() => this.#handler.onEnd());
  }

  // Sending.

  respond(head: ResponseHead, { end = false }: { readonly end?: boolean } = {}): void {
    assert(!this.isOpener && this.#status === undefined, "A stream is answered once, by the end that accepted it");
    if (this.#isClosed) return;
    this.#status = head.status;
    if (end) this.#sending = "ended";
    this.#host.sendResponseHead(this, head, end);
    this.#closeIfDone();
  }

  write(chunk: Uint8Array): boolean {
    if (this.#isClosed) return false;
    assert(this.#sending === "open", "Written after the end");
    assert(this.isOpener || this.#status !== undefined, "Written before the head");
    if (chunk.length === 0) return !this.#wantsDrain;
    this.#sendQueue.push(chunk);
    this.#sendQueuedBytes += chunk.length;
    if (!this.#host.budget.addWaiting(chunk.length)) this.#host.onOverBudget();
    this.#joinLine();
    this.#wantsDrain ||= this.#sendQueuedBytes >= SEND_QUEUE_BYTES;
    return !this.#wantsDrain;
  }

  end(chunk?: Uint8Array): void {
    if (this.#isClosed || this.#sending !== "open") return;
    if (chunk !== undefined) this.write(chunk);
    assert(this.isOpener || this.#status !== undefined, "Ended before the head");
    this.#sending = "ending";
    this.#joinLine();
  }

  isSendable(): boolean {
    if (this.#isClosed) return false;
    if (this.#sendQueuedBytes > 0) return this.#credit.available > 0;
    return this.#sending === "ending";
  }

  takeFrame(target: Buffer, offset: number, room: number): number {
    this.#isInLine = false;
    const payloadBytes = Math.min(
      room - FRAME_HEADER_BYTES_MAX,
      this.#host.limits.framePayloadBytesMax,
      this.#credit.available,
      this.#sendQueuedBytes,
    );
    const isLast = this.#sending === "ending" && payloadBytes === this.#sendQueuedBytes;
    const start = writeFrameHeader(target, offset, { type: FrameType.data, streamId: this.id, end: isLast, payloadBytes });
    this.#credit.take(payloadBytes);
    this.#copyQueued(target, start, payloadBytes);
    if (isLast) {
      this.#sending = "ended";
      this.#closeIfDone();
    } else if (this.#wantsDrain && this.#sendQueuedBytes * 2 <= SEND_QUEUE_BYTES) {
      this.#wantsDrain = false;
      this.#guard(() => this.#handler.onDrain?.());
    }
    // The outbox puts a stream that is still sendable back into its line.
    this.#isInLine = this.isSendable();
    return start + payloadBytes;
  }

  // Receiving: called by the session for each frame.

  receiveHead(head: ResponseHead, end: boolean): void {
    if (!this.isOpener || this.#status !== undefined) throw new ProtocolError(`Unexpected head on stream ${String(this.id)}`);
    this.#status = head.status;
    this.#guard(() => {
      if ("onHead" in this.#handler) this.#handler.onHead(head);
    });
    if (end) this.#receiveEnd();
  }

  receiveData(payload: Buffer, end: boolean): void {
    if (this.#receiving !== "open") throw new ProtocolError(`Data after the end of stream ${String(this.id)}`);
    if (this.isOpener && this.#status === undefined) throw new ProtocolError(`Data before the head of stream ${String(this.id)}`);
    if (payload.length === 0 && !end) throw new ProtocolError(`Empty data frame on stream ${String(this.id)}`);
    const { framePayloadBytesMax } = this.#host.limits;
    if (payload.length > framePayloadBytesMax) {
      throw new ProtocolError(`Data frame of ${payload.length} bytes exceeds ${framePayloadBytesMax}`);
    }
    if (!this.#window.receive(payload.length)) throw new ProtocolError(`Stream ${String(this.id)} sent more than its credit`);
    if (payload.length > 0) {
      if (this.#isPaused) this.#keep(payload);
      else this.#deliver(payload);
    }
    if (end) this.#receiveEnd();
  }

  receiveCredit(bytes: number): void {
    if (bytes === 0 || !this.#credit.grant(bytes)) {
      throw new ProtocolError(`Credit of ${String(bytes)} bytes on stream ${String(this.id)}`);
    }
    this.#joinLine();
  }

  resume(): void {
    if (!this.#isPaused || this.#isClosed) return;
    this.#isPaused = false;
    while (this.#mayDeliver() && this.#receiveQueue.length > 0) {
      const chunk = this.#receiveQueue.shift() ?? EMPTY;
      this.#receiveQueuedBytes -= chunk.length;
      this.#host.budget.removeWaiting(chunk.length);
      this.#deliver(chunk);
    }
    if (!this.#mayDeliver()) return;
    if (this.#receiving === "end-waits") this.#deliverEnd();
    else this.#returnCredit();
  }

  /** A callback may pause or close the stream at any time. */
  #mayDeliver(): boolean {
    return !this.#isPaused && !this.#isClosed;
  }

  // Closing.

  reset(reason: SentResetReason, message = ""): void {
    if (this.#isClosed) return;
    this.#host.sendReset(this.id, reason, message);
    this.#close();
  }

  /** Ends the stream from outside: the peer's RESET, a limit, or the loss of the tunnel. */
  fail(error: StreamError): void {
    if (this.#isClosed) return;
    const handler = this.#handler;
    this.#close();
    this.#guard(() => {
      handler.onReset(error);
    });
  }

  #joinLine(): void {
    if (this.#isInLine || !this.isSendable()) return;
    this.#isInLine = true;
    this.#host.addReady(this);
  }

  #copyQueued(target: Buffer, start: number, bytes: number): void {
    let offset = start;
    let left = bytes;
    while (left > 0) {
      const chunk = this.#sendQueue[0] ?? EMPTY;
      const take = Math.min(left, chunk.length - this.#sendOffset);
      target.set(take === chunk.length ? chunk : chunk.subarray(this.#sendOffset, this.#sendOffset + take), offset);
      offset += take;
      left -= take;
      this.#sendOffset += take;
      if (this.#sendOffset === chunk.length) {
        this.#sendQueue.shift();
        this.#sendOffset = 0;
      }
    }
    this.#sendQueuedBytes -= bytes;
    this.#host.budget.removeWaiting(bytes);
  }

  #deliver(chunk: Buffer): void {
    this.#window.consume(chunk.length);
    try {
      if (!this.#handler.onData(chunk)) this.#isPaused = true;
    } catch (error) {
      this.#onThrown(error);
    }
    this.#returnCredit();
  }

  #keep(payload: Buffer): void {
    const isSlice = payload.length * KEEP_WHOLE_FRACTION < payload.buffer.byteLength;
    this.#receiveQueue.push(isSlice ? Buffer.from(payload) : payload);
    if (this.#receiveQueue.length > QUEUED_CHUNKS_MAX) this.#receiveQueue = [Buffer.concat(this.#receiveQueue)];
    this.#receiveQueuedBytes += payload.length;
    if (!this.#host.budget.addWaiting(payload.length)) this.#host.onOverBudget();
  }

  #returnCredit(): void {
    if (this.#isPaused || this.#isClosed || this.#receiving !== "open" || !this.#window.isReturnDue) return;
    const bytes = this.#window.takeReturn(this.#host.takePace(this));
    if (bytes > 0) this.#host.sendCredit(this.id, bytes);
  }

  #receiveEnd(): void {
    if (this.#isClosed) return;
    if (this.#isPaused) this.#receiving = "end-waits";
    else this.#deliverEnd();
  }

  #deliverEnd(): void {
    this.#receiving = "ended";
    const handler = this.#handler;
    // The answer is complete: whoever opened the stream needs not send the rest of the body.
    if (this.isOpener && this.#sending !== "ended" && !this.#isRaw) this.reset("cancelled", "The response is complete");
    else this.#closeIfDone();
    this.#guard(() => {
      handler.onEnd();
    });
  }

  /** Both directions live on their own. */
  get #isRaw(): boolean {
    return this.head.kind === "dial" || (this.head.kind === "upgrade" && this.#status === 101);
  }

  #closeIfDone(): void {
    if (this.#sending === "ended" && this.#receiving === "ended") this.#close();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#host.budget.removeWaiting(this.waitingBytes);
    this.#window.release();
    this.#sendQueue = [];
    this.#sendQueuedBytes = 0;
    this.#receiveQueue = [];
    this.#receiveQueuedBytes = 0;
    this.#handler = NO_HANDLER;
    this.#host.onClosed(this);
  }

  /** A callback that throws costs its stream, not the tunnel. */
  #guard(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#onThrown(error);
    }
  }

  #onThrown(error: unknown): void {
    this.reset("internal", "A handler failed");
    this.#host.onHandlerFailed(toError(error));
  }
}
