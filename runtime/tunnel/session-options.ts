// What a session is told, and what it tells about itself.

import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { ByteBudget } from "./flow-control.ts";
import type { TunnelLimits } from "./limits.ts";
import type { IncomingStream, StreamHandler } from "./stream.ts";

export interface SessionOptions {
  /** Which ids this end's streams get: the hub odd ones, the agent even ones. */
  readonly role: "hub" | "agent";
  /**
   * Called for each stream the peer opens; returns what receives its bytes. It may call `respond` or `reset` at once or later.
   * Absent: every stream is refused. What it throws becomes a reset of that stream ("internal").
   */
  readonly accept?: (stream: IncomingStream) => StreamHandler;
  /** Lets the peer open "dial" streams; refused by the session itself otherwise. */
  readonly allowDial?: boolean;
  readonly limits?: Partial<TunnelLimits>;
  /** One per process, given to every session: `new ByteBudget(PROCESS_BYTES_MAX)`. */
  readonly processBudget?: ByteBudget;
  readonly clock: Clock;
  readonly log?: Logger;
}

export interface SessionStats {
  readonly openStreams: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Bytes that wait for a slow reader or for the wire, now. */
  readonly bytesWaiting: number;
  /** By how much the windows of open streams have grown in total, now. */
  readonly windowsGrownBytes: number;
  /** The shortest seen; undefined before the first pong. */
  readonly roundTripMs: number | undefined;
}
