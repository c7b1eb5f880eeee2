// When a token must be renewed. Pure. A ServiceAccount token says when it was made and when it ends, both by its issuer's clock: their
// difference is true whatever our own clock says, and how long we have had it is measured on ours alone.

import * as z from "zod";

const Claims = z.object({ iat: z.number(), exp: z.number(), sub: z.string().optional() });

/** For a token that does not say. */
const LIFETIME_UNKNOWN_MS = 3_600_000;
const RENEW_AT_PART_OF_LIFE = 0.5;

export function tokenLifetimeMs(token: string): number {
  const claims = Claims.safeParse(payloadOf(token));
  if (!claims.success || claims.data.exp <= claims.data.iat) return LIFETIME_UNKNOWN_MS;
  return (claims.data.exp - claims.data.iat) * 1_000;
}

/** Zero: at once. A negative age is a clock that was set back: how old the token is cannot be known. */
export function renewInMs(token: string, { ageMs }: { readonly ageMs: number }): number {
  if (ageMs < 0) return 0;
  return Math.max(0, tokenLifetimeMs(token) * RENEW_AT_PART_OF_LIFE - ageMs);
}

function payloadOf(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8")) as unknown;
  } catch {
    return undefined;
  }
}
