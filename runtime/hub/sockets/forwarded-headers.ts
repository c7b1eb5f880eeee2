// What of a client's headers goes on to the child, and what of the child's goes back. Pure.
//
// (FWD-1) No credential and no identity of the client leaves the hub in a header; identity travels beside the headers.
// (FWD-2) What speaks of one connection only (hop by hop, RFC 9110 § 7.6.1) ends here.

import { headers as headerNames } from "#api/names.ts";
import { isWithheld } from "#tunnel/withheld-headers.ts";

export interface ForwardedRequest {
  /** Flat: name, value, name, value; as they were sent. */
  readonly headers: string[];
  /** The caller's own credential for the child. */
  readonly credential: string | undefined;
}

/** What the parent's proxy added about the way to us. */
const DROPPED: ReadonlySet<string> = new Set(["x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-forwarded-uri"]);

export function forwardedRequest(
  rawHeaders: readonly string[],
  { isUpgrade, connection }: { readonly isUpgrade: boolean; readonly connection: string | undefined },
): ForwardedRequest {
  const headers: string[] = [];
  const named = connectionNames(connection);
  let credential: string | undefined;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const raw = rawHeaders[index] ?? "";
    const value = rawHeaders[index + 1] ?? "";
    const name = raw.toLowerCase();
    if (name === headerNames.childAuthorization) {
      credential ??= value;
      continue;
    }
    // The protocol to switch to is what an upgrade is about.
    if (isUpgrade && name === "upgrade") headers.push(raw, value);
    if (isWithheld(name) || DROPPED.has(name) || named?.has(name) === true) continue;
    headers.push(raw, value);
  }
  return { headers, credential };
}

/** Header names that `Connection` marks as its own; undefined for the usual values. */
function connectionNames(connection: string | undefined): ReadonlySet<string> | undefined {
  if (connection === undefined) return undefined;
  const lower = connection.toLowerCase();
  if (lower === "keep-alive" || lower === "close" || lower === "upgrade") return undefined;
  return new Set(lower.split(",").map((name) => name.trim()));
}
