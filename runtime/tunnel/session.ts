// Many streams over one transport: the state machine of a tunnel, the same at both ends.
//
//   opening ──peer's HELLO agrees──▶ open ──drain(), peer's GOAWAY──▶ draining ──both GOAWAYs, last stream closed──▶ closed
//      └── close(), abort, transport lost, silence, a frame that breaks a rule: from any state ──────────────────────▶ closed
//
// (TUN-1) HELLO is each end's first frame and its only one.
// (TUN-2) The hub's streams have odd ids, the agent's even ones; each end's ids only rise, so none is used twice.
// (TUN-3) After "closed" no frame is sent and every stream has been closed.
// (TUN-4) Frames for a stream that was opened and is gone are ignored: they crossed its end. For one never opened, they break a rule.
// (TUN-5) Whatever the peer sends ends at most this session, with a reason; nothing it sends throws out of here.
// (TUN-6) What waits for slow readers and for the wire stays within a budget; above it the stream that holds most is reset.

import { abortReason } from "#std/abort.ts";
import { errorChain, toError } from "#std/errors.ts";
import { Company } from "./company.ts";
import { SessionError, StreamError, type SessionEnd, type SessionEndReason } from "./errors.ts";
import { decodeCredit, decodeGoaway, decodeReset, encodeCredit, encodeGoaway, encodeReset } from "./control.ts";
import { ByteBudget, type Pace } from "./flow-control.ts";
import { decodeMessage, type Frame, FrameType, ProtocolError, STREAM_ID_MAX } from "./frame.ts";
import { agree, type Agreement, decodeHello, encodeHello, FEATURES, type Hello, VERSIONS } from "./handshake.ts";
import { decodeRequestHead, decodeResponseHead, encodeRequestHead, encodeResponseHead, type RequestHead } from "./head.ts";
import { DEFAULT_LIMITS, HELLO_TIME_MAX_MS, SILENCE_MAX_MS, TUNNEL_BYTES_MAX, type TunnelLimits } from "./limits.ts";
import { KeepAlive } from "./keep-alive.ts";
import { Outbox } from "./outbox.ts";
import { type RequestStream, type ResponseHandler, type SentResetReason, type StreamHost, TunnelStream } from "./stream.ts";
import type { SessionOptions, SessionStats } from "./session-options.ts";
import type { Transport } from "./transport.ts";

export type SessionState = "opening" | "open" | "draining" | "closed";

export interface Session {
  readonly state: SessionState;
  readonly stats: SessionStats;
  /** Resolves when both HELLOs agreed; rejects with SessionError when the session ends before. Needs `run`. */
  readonly ready: Promise<void>;
  /** Runs the session: handshake, pings, dead-peer detection. Resolves with how it ended; every stream is closed by then. Once. */
  run(signal: AbortSignal): Promise<SessionEnd>;
  /**
   * Opens a stream. `end: true`: the request has no body. Throws SessionError when the session cannot take it.
   * No callback runs before this returns.
   */
  request(head: RequestHead, handler: ResponseHandler, options?: { readonly end?: boolean }): RequestStream;
  /** GOAWAY: no new streams either way; the session ends when the last one is done, or at once when the signal aborts. */
  drain(message: string, signal: AbortSignal): Promise<void>;
  /** Ends at once: every stream fails at both ends, the peer is told `message`. Idempotent. */
  close(message: string): void;
}

export function createSession(transport: Transport, options: SessionOptions): Session {
  return new TunnelSession(transport, options);
}

const NO_PAYLOAD = Buffer.alloc(0);

class TunnelSession implements Session, StreamHost {
  readonly budget: ByteBudget;
  readonly ready: Promise<void>;
  limits: TunnelLimits;
  readonly #transport: Transport;
  readonly #options: SessionOptions;
  readonly #outbox: Outbox;
  readonly #keepAlive: KeepAlive;
  readonly #company: Company;
  readonly #streams = new Map<number, TunnelStream>();
  readonly #agreed = Promise.withResolvers<undefined>();
  readonly #ended = Promise.withResolvers<SessionEnd>();
  readonly #ending = new AbortController();
  #state: SessionState = "opening";
  #agreement: Agreement | undefined;
  #nextId: number;
  #lastPeerId = 0;
  #openedHere = 0;
  #bytesReceived = 0;
  #sentGoaway = false;
  #receivedGoaway = false;

  constructor(transport: Transport, options: SessionOptions) {
    this.#transport = transport;
    this.#options = options;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.budget = new ByteBudget(TUNNEL_BYTES_MAX, options.processBudget);
    this.#nextId = options.role === "hub" ? 1 : 2;
    this.ready = this.#agreed.promise;
    // Whoever does not wait for `ready` learns of a failure from `run`.
    this.ready.catch(() => undefined);
    this.#company = new Company(options.clock);
    this.#keepAlive = new KeepAlive({
      clock: options.clock,
      pingsWhenHeard: options.role === "agent",
      sendPing: () => transport.ping(),
    });
    this.#outbox = new Outbox({
      transport,
      onOverload: () => this.#finish("overloaded", "The peer does not read"),
      onIdle: () => this.#finishIfDrained(),
    });
  }

  get state(): SessionState {
    return this.#state;
  }

  takePace({ id }: TunnelStream): Pace {
    this.#keepAlive.refresh();
    const nowMs = this.#options.clock.monotonic();
    return { nowMs, roundTripMs: this.#keepAlive.roundTripMs, isAlone: this.#company.isAlone(id) };
  }

  get stats(): SessionStats {
    return {
      openStreams: this.#streams.size,
      bytesSent: this.#outbox.bytesSent,
      bytesReceived: this.#bytesReceived,
      bytesWaiting: this.budget.waitingBytes,
      windowsGrownBytes: this.budget.grownBytes,
      roundTripMs: this.#keepAlive.roundTripMs,
    };
  }

  async run(signal: AbortSignal): Promise<SessionEnd> {
    const abort = (): void => {
      this.#finish("aborted", errorChain(abortReason(signal)));
    };
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    this.#transport.start({
      onMessage: (message) => this.#onMessage(message),
      onPing: () => this.#keepAlive.onHeard(),
      onPong: () => this.#keepAlive.onPong(),
      onClose: (detail) => this.#finish("lost", detail),
    });
    this.#sendControl(FrameType.hello, 0, { payload: encodeHello(this.#hello()) });
    try {
      await this.#watch(this.#ending.signal);
      return await this.#ended.promise;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  request(head: RequestHead, handler: ResponseHandler, { end = false }: { readonly end?: boolean } = {}): RequestStream {
    this.#assertOpen();
    const payload = Buffer.from(encodeRequestHead(head), "utf8");
    const { headBytesMax, streamsMax } = this.limits;
    if (payload.length > headBytesMax) {
      throw new SessionError("head-too-large", `Request head of ${payload.length} bytes exceeds ${headBytesMax}`);
    }
    if (this.#openedHere >= streamsMax) throw new SessionError("too-many-streams", `${streamsMax} streams are open`);
    if (this.#nextId > STREAM_ID_MAX) throw new SessionError("draining", "Every stream id was used");
    const stream = new TunnelStream(this, { id: this.#nextId, head, isOpener: true, bodyEnded: end });
    stream.setHandler(handler);
    this.#nextId += 2;
    this.#openedHere += 1;
    this.#streams.set(stream.id, stream);
    this.#company.moved(stream.id);
    this.#sendControl(FrameType.open, stream.id, { payload, end });
    return stream;
  }

  async drain(message: string, signal: AbortSignal): Promise<void> {
    const abort = (): void => this.close(message);
    if (signal.aborted || this.#state === "opening") abort();
    this.#sendGoaway(message);
    signal.addEventListener("abort", abort, { once: true });
    try {
      await this.#ended.promise;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  close(message: string): void {
    this.#finish("closed", message);
  }

  // What streams need.

  sendResponseHead(stream: TunnelStream, head: Parameters<typeof encodeResponseHead>[0], end: boolean): void {
    const payload = Buffer.from(encodeResponseHead(head), "utf8");
    if (payload.length > this.limits.headBytesMax) {
      throw new SessionError("head-too-large", `Response head of ${payload.length} bytes exceeds ${this.limits.headBytesMax}`);
    }
    this.#sendControl(FrameType.head, stream.id, { payload, end });
  }

  sendCredit(streamId: number, bytes: number): void {
    this.#sendControl(FrameType.credit, streamId, { payload: encodeCredit(bytes) });
  }

  sendReset(streamId: number, reason: SentResetReason, message: string): void {
    this.#sendControl(FrameType.reset, streamId, { payload: encodeReset(reason, message) });
  }

  addReady(stream: TunnelStream): void {
    this.#outbox.addReady(stream);
  }

  onClosed(stream: TunnelStream): void {
    this.#streams.delete(stream.id);
    if (stream.isOpener) this.#openedHere -= 1;
    // Not at once: the stream's last frame may be just being packed.
    if (this.#state === "draining" && this.#streams.size === 0) this.#outbox.awaitIdle();
  }

  onOverBudget(): void {
    let largest: TunnelStream | undefined;
    for (const stream of this.#streams.values()) {
      if (largest === undefined || stream.waitingBytes > largest.waitingBytes) largest = stream;
    }
    if (largest === undefined) return;
    const message = `${largest.waitingBytes} bytes wait for a slow reader`;
    this.sendReset(largest.id, "overloaded", message);
    largest.fail(new StreamError("overloaded", message));
  }

  onHandlerFailed(error: Error): void {
    this.#options.log?.error("tunnel.handler-failed", { error });
  }

  // The peer's frames.

  #onMessage(message: Buffer): void {
    if (this.#state === "closed") return;
    this.#keepAlive.onHeard();
    this.#bytesReceived += message.length;
    try {
      for (const frame of decodeMessage(message)) this.#onFrame(frame);
    } catch (error) {
      if (!(error instanceof ProtocolError)) this.onHandlerFailed(toError(error));
      this.#finish("protocol", errorChain(error));
    }
  }

  #onFrame(frame: Frame): void {
    if (this.#isClosed) return;
    if (this.#agreement === undefined && frame.type !== FrameType.hello) throw new ProtocolError("A frame before HELLO");
    switch (frame.type) {
      case FrameType.data:
        this.#company.moved(frame.streamId);
        this.#streamOf(frame)?.receiveData(frame.payload, frame.end);
        return;
      case FrameType.head:
        this.#checkHeadSize(frame);
        this.#streamOf(frame)?.receiveHead(decodeResponseHead(frame.payload), frame.end);
        return;
      case FrameType.open:
        this.#onOpen(frame);
        return;
      case FrameType.credit:
        this.#streamOf(frame)?.receiveCredit(decodeCredit(frame.payload));
        return;
      case FrameType.reset:
        this.#streamOf(frame)?.fail(decodeReset(frame.payload));
        return;
      case FrameType.goaway:
        this.#onGoaway(frame);
        return;
      case FrameType.hello:
        this.#onHello(frame);
        return;
    }
  }

  #onHello(frame: Frame): void {
    if (this.#agreement !== undefined || frame.streamId !== 0) throw new ProtocolError("Unexpected HELLO");
    const outcome = agree(this.#hello(), decodeHello(frame.payload));
    if (!outcome.agreed) {
      this.#finish("incompatible", outcome.reason);
      return;
    }
    this.#agreement = outcome.agreement;
    this.limits = outcome.agreement.limits;
    if (this.#state === "opening") this.#state = "open";
    this.#keepAlive.ping();
    this.#agreed.resolve(undefined);
  }

  #onOpen(frame: Frame): void {
    const { streamId, end } = frame;
    if (streamId === 0 || streamId % 2 === this.#nextId % 2)
      throw new ProtocolError(`Stream id ${streamId} is not the peer's to use`);
    if (streamId <= this.#lastPeerId) throw new ProtocolError(`Stream id ${streamId} is used again`);
    this.#checkHeadSize(frame);
    const head = decodeRequestHead(frame.payload);
    this.#lastPeerId = streamId;
    // The id in our GOAWAY already told the peer that nothing happens with this one.
    if (this.#sentGoaway) return;
    const refusal = this.#refusal(head);
    if (refusal !== undefined) {
      this.sendReset(streamId, refusal.reason, refusal.message);
      return;
    }
    const stream = new TunnelStream(this, { id: streamId, head, isOpener: false, bodyEnded: end });
    this.#streams.set(streamId, stream);
    this.#company.moved(streamId);
    try {
      const handler = this.#options.accept?.(stream);
      if (handler !== undefined) stream.setHandler(handler);
    } catch (error) {
      stream.reset("internal", "The accepting end failed");
      this.onHandlerFailed(toError(error));
    }
  }

  #refusal(head: RequestHead): { readonly reason: SentResetReason; readonly message: string } | undefined {
    if (this.#options.accept === undefined) return { reason: "refused", message: "This end accepts no streams" };
    if (head.kind === "dial" && this.#options.allowDial !== true) {
      return { reason: "refused", message: "Streams to a host and port are not allowed here" };
    }
    if (this.#streams.size - this.#openedHere >= this.limits.streamsMax) {
      return { reason: "overloaded", message: `${this.limits.streamsMax} streams are open` };
    }
    return undefined;
  }

  #onGoaway({ streamId, payload }: Frame): void {
    if (streamId !== 0 || this.#receivedGoaway) throw new ProtocolError("Unexpected GOAWAY");
    this.#receivedGoaway = true;
    const { lastAccepted, message } = decodeGoaway(payload);
    this.#sendGoaway(message);
    for (const stream of [...this.#streams.values()]) {
      if (stream.isOpener && stream.id > lastAccepted) stream.fail(new StreamError("draining", message, { remote: true }));
    }
    this.#outbox.awaitIdle();
  }

  /** The open stream that a frame is for; undefined when it is already gone. */
  #streamOf({ streamId }: Frame): TunnelStream | undefined {
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) return stream;
    const isOurs = streamId % 2 === this.#nextId % 2;
    const wasOpened = streamId !== 0 && (isOurs ? streamId < this.#nextId : streamId <= this.#lastPeerId);
    if (!wasOpened) throw new ProtocolError(`A frame for stream ${streamId}, which was never opened`);
    return undefined;
  }

  #checkHeadSize({ payload, streamId }: Frame): void {
    if (payload.length <= this.limits.headBytesMax) return;
    throw new ProtocolError(`Head of ${payload.length} bytes on stream ${streamId}`);
  }

  // Life of the session.

  async #watch(signal: AbortSignal): Promise<void> {
    const wrong = await this.#keepAlive.watch(() => this.#state === "opening", signal);
    if (wrong === "silent") this.#finish(wrong, `Nothing heard for ${SILENCE_MAX_MS} ms`);
    if (wrong === "hello-timeout") this.#finish(wrong, `No HELLO within ${HELLO_TIME_MAX_MS} ms`);
  }

  #sendGoaway(message: string): void {
    if (this.#sentGoaway || this.#isClosed) return;
    this.#sentGoaway = true;
    this.#state = "draining";
    const payload = encodeGoaway({ lastAccepted: this.#lastPeerId, message });
    this.#sendControl(FrameType.goaway, 0, { payload });
  }

  #finishIfDrained(): void {
    const isDone = this.#sentGoaway && this.#receivedGoaway && this.#streams.size === 0 && this.#outbox.isIdle;
    if (isDone) this.#finish("drained", "Drained");
  }

  #finish(reason: SessionEndReason, message: string): void {
    if (this.#isClosed) return;
    this.#state = "closed";
    this.#outbox.close();
    for (const stream of [...this.#streams.values()]) stream.fail(new StreamError("tunnel-lost", message));
    if (reason === "lost" || reason === "silent") this.#transport.terminate();
    else this.#transport.close(reason === "closed" || reason === "drained" ? message : `${reason}: ${message}`);
    this.#agreed.reject(new SessionError("closed", `The session ended before it was open: ${message}`));
    this.#ended.resolve({ reason, message });
    this.#ending.abort();
  }

  get #isClosed(): boolean {
    return this.#state === "closed";
  }

  #assertOpen(): void {
    if (this.#state === "open") return;
    const reason = this.#state === "opening" ? "not-open" : this.#state;
    throw new SessionError(reason, `The session is ${this.#state}`);
  }

  #hello(): Hello {
    const features = this.#options.allowDial === true ? FEATURES : [];
    return { versions: VERSIONS, features, limits: { ...DEFAULT_LIMITS, ...this.#options.limits } };
  }

  #sendControl(
    type: FrameType,
    streamId: number,
    { payload = NO_PAYLOAD, end = false }: { payload?: Buffer; end?: boolean },
  ): void {
    this.#outbox.sendControl({ type, streamId, end, payload });
  }
}
