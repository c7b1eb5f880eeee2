// Headers of a request that never cross a tunnel. Both ends look, so that neither has to trust the other. Pure.

/** Credentials, and what speaks of one connection only (hop by hop, RFC 9110 § 7.6.1). Lower case. */
const WITHHELD: ReadonlySet<string> = new Set([
  "audit-id",
  "authorization",
  "connection",
  "cookie",
  "expect",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** `name` in lower case. Identities too: they travel beside the headers (RequestHead.identity), never in them. */
export function isWithheld(name: string): boolean {
  return WITHHELD.has(name) || name.startsWith("impersonate-") || name.startsWith("x-remote-");
}
