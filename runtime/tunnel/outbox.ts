// Decides what goes onto the wire next: control frames first, then one data frame per ready stream in turn, packed into messages.
//
// (OUT-1) Frames of one kind leave in the order they were queued; a stream's head leaves before its data.
// (OUT-2) No data is taken from a stream while more than WIRE_BYTES_MAX wait in the transport.
// (OUT-3) A stream that has data and credit is at most one frame per other ready stream away from the wire.

import { FRAME_HEADER_BYTES_MAX, type FrameType, writeFrameHeader } from "./frame.ts";
import { CONTROL_BYTES_MAX, FLUSH_BYTES_MAX, PACKED_MESSAGE_BYTES, WIRE_BYTES_MAX } from "./limits.ts";
import type { Transport } from "./transport.ts";

/** A stream as the outbox sees it. */
export interface DataSource {
  /** Data or an end may be sent now. */
  isSendable(): boolean;
  /** Writes one frame of at most `room` bytes and returns the offset behind it. */
  takeFrame(target: Buffer, offset: number, room: number): number;
}

export interface OutboxOptions {
  readonly transport: Transport;
  /** More control frames wait than a peer that reads would ever leave. */
  readonly onOverload: () => void;
  /** Everything queued so far was handed to the transport. */
  readonly onIdle: () => void;
}

interface ControlFrame {
  readonly type: FrameType;
  readonly streamId: number;
  readonly end: boolean;
  readonly payload: Buffer;
}

/** Less room than this at the end of a message is not worth a data frame of its own. */
const SMALLEST_SPLIT_BYTES = 2_048;
/** Message buffers kept for the next messages. */
const POOLED_BUFFERS_MAX = 32;

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #pool: Buffer[] = [];
  #control: ControlFrame[] = [];
  #controlBytes = 0;
  #ready: DataSource[] = [];
  #isScheduled = false;
  #isBlocked = false;
  #isClosed = false;
  #bytesSent = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  get bytesSent(): number {
    return this.#bytesSent;
  }

  get isIdle(): boolean {
    return this.#control.length === 0 && this.#ready.length === 0;
  }

  sendControl(frame: ControlFrame): void {
    if (this.#isClosed) return;
    this.#control.push(frame);
    this.#controlBytes += FRAME_HEADER_BYTES_MAX + frame.payload.length;
    if (this.#controlBytes > CONTROL_BYTES_MAX) this.#options.onOverload();
    else this.#schedule();
  }

  /** The stream became sendable. It must not be in the line already. */
  addReady(source: DataSource): void {
    if (this.#isClosed) return;
    this.#ready.push(source);
    this.#schedule();
  }

  /** Calls `onIdle` when everything that is queued now was handed over. */
  awaitIdle(): void {
    if (!this.#isClosed) this.#schedule();
  }

  close(): void {
    this.#isClosed = true;
    this.#control = [];
    this.#ready = [];
  }

  /** What one turn of the event loop queues leaves together: one message, one write, one TLS record. */
  #schedule(): void {
    if (this.#isScheduled || this.#isBlocked) return;
    this.#isScheduled = true;
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#isScheduled = false;
    let flushedBytes = 0;
    while (!this.isIdle) {
      if (this.#options.transport.bufferedBytes >= WIRE_BYTES_MAX) {
        this.#isBlocked = true;
        return;
      }
      if (flushedBytes >= FLUSH_BYTES_MAX) {
        this.#schedule();
        return;
      }
      flushedBytes += this.#sendMessage();
    }
    if (!this.#isClosed) this.#options.onIdle();
  };

  #sendMessage(): number {
    const buffer = this.#pool.pop() ?? Buffer.allocUnsafeSlow(PACKED_MESSAGE_BYTES);
    const afterControl = this.#packControl(buffer);
    if (afterControl === 0 && this.#control.length > 0) {
      this.#release(buffer);
      return this.#sendLargeControl();
    }
    const length = this.#packData(buffer, afterControl);
    if (length === 0) {
      this.#release(buffer);
      return 0;
    }
    this.#bytesSent += length;
    this.#options.transport.send(buffer.subarray(0, length), () => {
      this.#release(buffer);
      this.#unblock();
    });
    return length;
  }

  #packControl(buffer: Buffer): number {
    let offset = 0;
    let count = 0;
    for (const frame of this.#control) {
      if (offset + FRAME_HEADER_BYTES_MAX + frame.payload.length > PACKED_MESSAGE_BYTES) break;
      offset = writeControl(buffer, offset, frame);
      this.#controlBytes -= FRAME_HEADER_BYTES_MAX + frame.payload.length;
      count += 1;
    }
    this.#control = count === this.#control.length ? [] : this.#control.slice(count);
    return offset;
  }

  #packData(buffer: Buffer, start: number): number {
    // What would still wait in the control line must not be overtaken by data of its own stream.
    if (this.#control.length > 0) return start;
    let offset = start;
    while (offset + SMALLEST_SPLIT_BYTES <= PACKED_MESSAGE_BYTES) {
      const source = this.#ready.shift();
      if (source === undefined) break;
      if (!source.isSendable()) continue;
      offset = source.takeFrame(buffer, offset, PACKED_MESSAGE_BYTES - offset);
      if (source.isSendable()) this.#ready.push(source);
    }
    return offset;
  }

  /** A head that fits no packed message travels in one of its own. */
  #sendLargeControl(): number {
    const frame = this.#control.shift();
    if (frame === undefined) return 0;
    this.#controlBytes -= FRAME_HEADER_BYTES_MAX + frame.payload.length;
    const message = Buffer.allocUnsafe(FRAME_HEADER_BYTES_MAX + frame.payload.length);
    const length = writeControl(message, 0, frame);
    this.#bytesSent += length;
    this.#options.transport.send(message.subarray(0, length), () => {
      this.#unblock();
    });
    return length;
  }

  #release(buffer: Buffer): void {
    if (this.#pool.length < POOLED_BUFFERS_MAX) this.#pool.push(buffer);
  }

  #unblock(): void {
    if (!this.#isBlocked || this.#options.transport.bufferedBytes >= WIRE_BYTES_MAX) return;
    this.#isBlocked = false;
    this.#schedule();
  }
}

function writeControl(target: Buffer, offset: number, { type, streamId, end, payload }: ControlFrame): number {
  const start = writeFrameHeader(target, offset, { type, streamId, end, payloadBytes: payload.length });
  payload.copy(target, start);
  return start + payload.length;
}
