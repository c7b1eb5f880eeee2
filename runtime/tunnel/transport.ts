// What a session needs from the wire: whole messages, in order, both ways. Implemented over a WebSocket and, for tests, in memory.

export interface Transport {
  /** Bytes that were sent but did not leave this process yet. */
  readonly bufferedBytes: number;
  /** Begins to deliver events; called once, by the session. What arrived before is kept and delivered first. */
  start(events: TransportEvents): void;
  /** Sends one message. `onSent` runs when its bytes may be overwritten, also when the transport is lost. */
  send(message: Uint8Array, onSent: () => void): void;
  /** Asks the peer's transport for a sign of life. */
  ping(): void;
  /** Says why, then closes; a peer that does not answer is cut off. Idempotent. */
  close(reason: string): void;
  /** Cuts at once, without a word. Idempotent. */
  terminate(): void;
}

export interface TransportEvents {
  /** The session keeps slices of `message`: the transport never writes to it again. */
  onMessage(message: Buffer): void;
  /** The peer asked for a sign of life; the transport answered. */
  onPing(): void;
  onPong(): void;
  /** Called once, whoever closed; `detail` is for people. */
  onClose(detail: string): void;
}
