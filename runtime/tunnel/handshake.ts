// What both ends agree on before the first stream: version, features, limits. Pure.

import * as z from "zod";
import { ProtocolError } from "./frame.ts";
import { SMALLEST_LIMITS, type TunnelLimits } from "./limits.ts";

/** Versions this build speaks, best first. The WebSocket subprotocol changes only when even HELLO changes. */
export const VERSIONS: readonly number[] = [1];

/** A feature is used only when both ends list it. `dial`: the end that says so accepts streams to a host and port. */
export const FEATURES = ["dial"] as const;

export interface Hello {
  readonly versions: readonly number[];
  readonly features: readonly string[];
  readonly limits: TunnelLimits;
}

export interface Agreement {
  readonly version: number;
  /** What the peer offers. */
  readonly features: ReadonlySet<string>;
  readonly limits: TunnelLimits;
}

export type Outcome =
  { readonly agreed: true; readonly agreement: Agreement } | { readonly agreed: false; readonly reason: string };

const LIMIT_MAX = 0x7f_ff_ff_ff;
const limit = z.number().int().min(1).max(LIMIT_MAX);

// Unknown members are ignored: that is how later versions add theirs.
const HelloSchema = z.object({
  versions: z.array(z.number().int().min(1)).min(1).max(32),
  features: z.array(z.string().max(64)).max(64),
  limits: z.object({
    framePayloadBytesMax: limit,
    headBytesMax: limit,
    streamsMax: limit,
    creditInitialBytes: limit,
    creditBytesMax: limit,
  }),
});

export function encodeHello(hello: Hello): Buffer {
  return Buffer.from(JSON.stringify(hello), "utf8");
}

export function decodeHello(payload: Buffer): Hello {
  try {
    return HelloSchema.parse(JSON.parse(payload.toString("utf8")));
  } catch (error) {
    throw new ProtocolError("Unreadable HELLO", { cause: error });
  }
}

export function agree(ours: Hello, theirs: Hello): Outcome {
  const version = ours.versions.find((candidate) => theirs.versions.includes(candidate));
  if (version === undefined) {
    return { agreed: false, reason: `No common version: ${ours.versions.join(", ")} here, ${theirs.versions.join(", ")} there` };
  }
  const limits = smaller(ours.limits, theirs.limits);
  const tooSmall = limitNames.find((name) => limits[name] < SMALLEST_LIMITS[name]);
  if (tooSmall !== undefined) {
    return {
      agreed: false,
      reason: `Limit ${tooSmall} of ${String(limits[tooSmall])} is below ${String(SMALLEST_LIMITS[tooSmall])}`,
    };
  }
  return { agreed: true, agreement: { version, features: new Set(theirs.features), limits } };
}

const limitNames = ["framePayloadBytesMax", "headBytesMax", "streamsMax", "creditInitialBytes", "creditBytesMax"] as const;

function smaller(ours: TunnelLimits, theirs: TunnelLimits): TunnelLimits {
  const creditBytesMax = Math.min(ours.creditBytesMax, theirs.creditBytesMax);
  return {
    framePayloadBytesMax: Math.min(ours.framePayloadBytesMax, theirs.framePayloadBytesMax),
    headBytesMax: Math.min(ours.headBytesMax, theirs.headBytesMax),
    streamsMax: Math.min(ours.streamsMax, theirs.streamsMax),
    creditInitialBytes: Math.min(ours.creditInitialBytes, theirs.creditInitialBytes, creditBytesMax),
    creditBytesMax,
  };
}
