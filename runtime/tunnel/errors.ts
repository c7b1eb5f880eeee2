// Why a stream was reset or a session ended: closed sets, the same on the wire and in code.

/** On the wire as its index plus one: append only. */
export const RESET_REASONS = [
  "cancelled", // the end that sends it no longer wants the stream
  "refused", // not allowed: unknown target, stream type that is switched off, identity that may not enter
  "unreachable", // the target could not be reached; nothing was sent to it
  "target-failed", // the target broke off in the middle
  "timeout", // a time limit of the end that sends it
  "overloaded", // a limit on streams or bytes
  "draining", // opened after GOAWAY: nothing happened, try another tunnel
  "protocol", // the peer broke a rule on this stream
  "internal", // a bug at the end that sends it
] as const;
export type ResetReason = (typeof RESET_REASONS)[number] | "tunnel-lost";

/** A stream that ended before its end. `tunnel-lost` never travels: each end finds out by itself. */
export class StreamError extends Error {
  override readonly name = "StreamError";
  readonly reason: ResetReason;
  /** True when the other end reset the stream. */
  readonly remote: boolean;

  constructor(reason: ResetReason, message: string, options?: ErrorOptions & { readonly remote?: boolean }) {
    super(message, options);
    this.reason = reason;
    this.remote = options?.remote ?? false;
  }
}

export type SessionEndReason =
  | "closed" // by this end, on purpose
  | "drained" // GOAWAY was sent or received and the last stream is done
  | "lost" // the transport closed
  | "silent" // the peer said nothing for too long
  | "protocol" // the peer broke a rule
  | "incompatible" // no common version
  | "hello-timeout"
  | "overloaded" // the peer does not read, and too much waits for it
  | "aborted"; // the signal

export interface SessionEnd {
  readonly reason: SessionEndReason;
  readonly message: string;
}

/** The session cannot open a stream now. */
export class SessionError extends Error {
  override readonly name = "SessionError";
  readonly reason: "not-open" | "draining" | "closed" | "too-many-streams" | "head-too-large";

  constructor(reason: SessionError["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
