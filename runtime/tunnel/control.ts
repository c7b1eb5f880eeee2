// The payloads of CREDIT, RESET and GOAWAY as values and as bytes. Pure.

import { RESET_REASONS, StreamError } from "./errors.ts";
import { encodeVarint, ProtocolError, splitVarint } from "./frame.ts";
import type { SentResetReason } from "./stream.ts";

export const encodeCredit = encodeVarint;

export function decodeCredit(payload: Buffer): number {
  const { value, rest } = splitVarint(payload);
  if (rest.length > 0) throw new ProtocolError("Bytes after a number");
  return value;
}

export function encodeReset(reason: SentResetReason, message: string): Buffer {
  return withText(RESET_REASONS.indexOf(reason) + 1, message);
}

/** A reason that a later version added reads as "internal". */
export function decodeReset(payload: Buffer): StreamError {
  const { value, rest } = splitVarint(payload);
  return new StreamError(RESET_REASONS[value - 1] ?? "internal", rest.toString("utf8"), { remote: true });
}

export interface Goaway {
  /** The last stream of the peer that this end took: with later ones nothing happened. */
  readonly lastAccepted: number;
  readonly message: string;
}

export function encodeGoaway({ lastAccepted, message }: Goaway): Buffer {
  return withText(lastAccepted, message);
}

export function decodeGoaway(payload: Buffer): Goaway {
  const { value, rest } = splitVarint(payload);
  return { lastAccepted: value, message: rest.toString("utf8") };
}

function withText(value: number, text: string): Buffer {
  return Buffer.concat([encodeVarint(value), Buffer.from(text, "utf8")]);
}
