// A pair of Transports in memory: in order and complete like a WebSocket, with delay, a bounded buffer, and a cut at any moment.

import type { Clock } from "#std/clock.ts";
import type { Transport, TransportEvents } from "#tunnel/transport.ts";

export interface MemoryLinkOptions {
  /** One way, by `clock`. 0 (default): messages arrive in a later turn of the event loop. */
  readonly delayMs?: number;
  readonly clock?: Clock;
  /** Changes what travels; undefined drops the link at that message. For tests of broken peers. */
  readonly corrupt?: (message: Buffer) => Buffer | undefined;
}

export interface MemoryLink {
  readonly hub: Transport;
  readonly agent: Transport;
  /** Loses everything under way and closes both ends. */
  cut(): void;
  /** While true nothing arrives; what was sent waits, and counts as buffered. */
  stalled: boolean;
  /** Why each end said it closes, if it did. */
  readonly closeReasons: { hub?: string; agent?: string };
}

export function createMemoryLink(options: MemoryLinkOptions = {}): MemoryLink {
  const link = new Link(options);
  return link;
}

class Link implements MemoryLink {
  readonly hub: End;
  readonly agent: End;
  readonly closeReasons: { hub?: string; agent?: string } = {};
  readonly #lifetime = new AbortController();
  #stalled = false;

  constructor(options: MemoryLinkOptions) {
    const closed = (name: "hub" | "agent") => (reason: string) => {
      this.closeReasons[name] ??= reason;
    };
    this.hub = new End(options, { signal: this.#lifetime.signal, isStalled: () => this.#stalled, onCloseCalled: closed("hub") });
    this.agent = new End(options, {
      signal: this.#lifetime.signal,
      isStalled: () => this.#stalled,
      onCloseCalled: closed("agent"),
    });
    this.hub.connect(this.agent);
    this.agent.connect(this.hub);
  }

  get stalled(): boolean {
    return this.#stalled;
  }

  set stalled(value: boolean) {
    this.#stalled = value;
    this.hub.move();
    this.agent.move();
  }

  cut(): void {
    this.hub.lose("Cut");
    this.agent.lose("Cut");
    this.#lifetime.abort();
  }
}

interface EndOptions {
  readonly signal: AbortSignal;
  readonly isStalled: () => boolean;
  readonly onCloseCalled: (reason: string) => void;
}

interface Parcel {
  readonly kind: "message" | "ping" | "pong" | "close";
  readonly bytes: Buffer;
  readonly text: string;
  readonly onSent: () => void;
}

const NOTHING = Buffer.alloc(0);

class End implements Transport {
  readonly #link: MemoryLinkOptions;
  readonly #options: EndOptions;
  #peer: End | undefined;
  #events: TransportEvents | undefined;
  readonly #outgoing: Parcel[] = [];
  readonly #arrivedEarly: Parcel[] = [];
  #buffered = 0;
  #isMoving = false;
  #isClosed = false;

  constructor(link: MemoryLinkOptions, options: EndOptions) {
    this.#link = link;
    this.#options = options;
  }

  connect(peer: End): void {
    this.#peer = peer;
  }

  get bufferedBytes(): number {
    return this.#buffered;
  }

  start(events: TransportEvents): void {
    this.#events = events;
    for (const parcel of this.#arrivedEarly.splice(0)) this.#arrive(parcel);
    if (this.#isClosed) events.onClose("Closed before the start");
  }

  send(message: Uint8Array, onSent: () => void): void {
    // A copy: the sender may use its bytes again, and a test must see if it does so too early.
    this.#post({ kind: "message", bytes: Buffer.from(message), text: "", onSent });
  }

  ping(): void {
    this.#post({ kind: "ping", bytes: NOTHING, text: "", onSent: () => undefined });
  }

  close(reason: string): void {
    this.#options.onCloseCalled(reason);
    this.#post({ kind: "close", bytes: NOTHING, text: reason, onSent: () => undefined });
  }

  terminate(): void {
    this.lose("Terminated");
    this.#peer?.lose("The peer is gone");
  }

  lose(detail: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const parcel of this.#outgoing.splice(0)) parcel.onSent();
    this.#events?.onClose(detail);
  }

  /** Takes what waits on its way, one delay for all that waits at this moment. */
  move(): void {
    if (this.#isMoving || this.#isClosed || this.#outgoing.length === 0 || this.#options.isStalled()) return;
    this.#isMoving = true;
    setImmediate(() => {
      this.#isMoving = false;
      if (this.#options.isStalled()) return;
      const batch = this.#outgoing.splice(0);
      for (const parcel of batch) {
        this.#buffered -= parcel.bytes.length;
        parcel.onSent();
      }
      this.#deliverLater(batch);
      this.move();
    });
  }

  #post(parcel: Parcel): void {
    if (this.#isClosed) {
      parcel.onSent();
      return;
    }
    this.#outgoing.push(parcel);
    this.#buffered += parcel.bytes.length;
    this.move();
  }

  #deliverLater(batch: readonly Parcel[]): void {
    const deliver = (): void => {
      for (const parcel of batch) this.#peer?.arrive(parcel);
    };
    const { delayMs = 0, clock } = this.#link;
    if (delayMs === 0 || clock === undefined) deliver();
    else void clock.sleep(delayMs, this.#options.signal).then(deliver);
  }

  arrive(parcel: Parcel): void {
    if (this.#isClosed) return;
    if (this.#events === undefined) this.#arrivedEarly.push(parcel);
    else this.#arrive(parcel);
  }

  #arrive(parcel: Parcel): void {
    switch (parcel.kind) {
      case "message": {
        const message = this.#link.corrupt === undefined ? parcel.bytes : this.#link.corrupt(parcel.bytes);
        if (message === undefined) this.terminate();
        else this.#events?.onMessage(message);
        return;
      }
      case "ping":
        this.#events?.onPing();
        this.#post({ kind: "pong", bytes: NOTHING, text: "", onSent: () => undefined });
        return;
      case "pong":
        this.#events?.onPong();
        return;
      case "close":
        this.lose(`Closed by the peer: ${parcel.text}`);
        this.#peer?.lose(`Closed: ${parcel.text}`);
        return;
    }
  }
}
