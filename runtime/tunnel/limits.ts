// Every limit of a tunnel, with its unit.

const KIB = 1024;
const MIB = 1024 * KIB;

/** Both ends send theirs at the handshake; the smaller one counts. */
export interface TunnelLimits {
  /** Largest payload of one DATA frame: a larger one would let one stream delay all others. */
  readonly framePayloadBytesMax: number;
  /** Largest encoded request or response head. */
  readonly headBytesMax: number;
  /** Streams open at the same time, per opening end. */
  readonly streamsMax: number;
  /** What a stream may send before its reader said anything. */
  readonly creditInitialBytes: number;
  /** What a stream's credit may grow to while its reader keeps up. */
  readonly creditBytesMax: number;
}

export const DEFAULT_LIMITS: TunnelLimits = {
  framePayloadBytesMax: 32 * KIB,
  headBytesMax: 256 * KIB,
  streamsMax: 10_000,
  creditInitialBytes: 256 * KIB,
  creditBytesMax: 6 * MIB,
};

/** A peer that asks for less cannot be served. */
export const SMALLEST_LIMITS: TunnelLimits = {
  framePayloadBytesMax: KIB,
  headBytesMax: 4 * KIB,
  streamsMax: 1,
  creditInitialBytes: 4 * KIB,
  creditBytesMax: 4 * KIB,
};

/** Credit of a stream that has the tunnel for itself, within what was agreed: nobody waits behind it. */
export const CREDIT_ALONE_BYTES = 2 * MIB;
/** A stream has the tunnel for itself when no other one moved for so long. */
export const ALONE_AFTER_MS = 50;
/** Bytes that wait for slow readers or for the wire, per tunnel. */
export const TUNNEL_BYTES_MAX = 32 * MIB;
/** The same for all tunnels of one process together. */
export const PROCESS_BYTES_MAX = 256 * MIB;
/** Largest WebSocket message either end accepts: a head of the largest size fits. */
export const MESSAGE_BYTES_MAX = MIB;
/**
 * Largest message that is made of small frames and data. With the WebSocket header it fills exactly one TLS record, so the reader gets
 * whole messages that it needs not copy together.
 */
export const PACKED_MESSAGE_BYTES = 16 * KIB - 8;
/** Data waits in its stream while more than this is in the socket's queue: what is there can no longer be overtaken. */
export const WIRE_BYTES_MAX = 256 * KIB;
/** After this much, other events of the process get a turn. */
export const FLUSH_BYTES_MAX = MIB;
/** `write` returns false above this, and `onDrain` comes when half of it has left. */
export const SEND_QUEUE_BYTES = 256 * KIB;
/** Heads, credit and resets that wait because the peer does not read; more ends the session. */
export const CONTROL_BYTES_MAX = 16 * MIB;
/** Chunks a paused stream keeps before they are copied together. */
export const QUEUED_CHUNKS_MAX = 1024;
/** How long the peer's HELLO may take. */
export const HELLO_TIME_MAX_MS = 10_000;
export const PING_INTERVAL_MS = 15_000;
/** A peer that says nothing at all for so long is dead. */
export const SILENCE_MAX_MS = 35_000;
/** How long a WebSocket's upgrade may take. */
export const DIAL_TIME_MAX_MS = 15_000;
/** How long the closing handshake of a WebSocket may take before it is cut. */
export const CLOSE_TIME_MAX_MS = 2_000;
