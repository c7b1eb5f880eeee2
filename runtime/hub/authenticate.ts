// Filter: front-proxy headers, client certificate or bearer token -> user.
//
// (AUT-1) Identity headers are read only when the connection is the front proxy's (client-trust.ts).
// (AUT-2) Each header is one value: groups are never joined or split at commas.
// (AUT-3) A token is asked about at the parent (TokenReview) and remembered by its hash for a short time.

import { createHash } from "node:crypto";
import { TLSSocket } from "node:tls";
import type { Clock } from "#std/clock.ts";
import { ALL_AUTHENTICATED, type User } from "./user.ts";
import { createPeerIdentifier, type ClientTrust } from "./client-trust.ts";
import { createExpiringCache } from "./expiring-cache.ts";
import type { Filter } from "./handler-chain.ts";

/** Asks the parent who holds a token; undefined: nobody. */
export type ReviewToken = (token: string) => Promise<Omit<User, "key"> | undefined>;

export interface AuthenticateOptions {
  readonly trust: () => ClientTrust;
  readonly reviewToken: ReviewToken;
  readonly clock: Clock;
}

/** As kube-apiserver's delegated authentication. */
const TOKEN_REMEMBERED_MS = 10_000;
const TOKENS_REMEMBERED_MAX = 4_096;
/** Longer ones are not asked about; the longest header we accept is 64 KiB. */
const TOKEN_LENGTH_MAX = 32_768;

export function createAuthenticate({ trust, reviewToken, clock }: AuthenticateOptions): Filter {
  const identify = createPeerIdentifier();
  const tokens = createExpiringCache<User | undefined>({ clock, entriesMax: TOKENS_REMEMBERED_MAX });

  return (exchange) => {
    const { request } = exchange;
    const current = trust();
    const peer = request.socket instanceof TLSSocket ? identify(request.socket, current) : ({ type: "nobody" } as const);
    if (peer.type === "front-proxy") {
      exchange.user = userOfHeaders(request.rawHeaders, current);
      if (exchange.user !== undefined) return undefined;
    }
    if (peer.type === "user") {
      exchange.user = makeUser({
        name: peer.name,
        uid: "",
        groups: peer.groups,
        extra: {
          "authentication.kubernetes.io/credential-id": [`X509SHA256=${peer.fingerprint.replaceAll(":", "").toLowerCase()}`],
        },
      });
      return undefined;
    }
    const token = bearerToken(request.headers.authorization);
    if (token === undefined) return undefined;
    const key = createHash("sha256").update(token).digest("base64");
    const user = tokens.get(key, {
      rememberMs: TOKEN_REMEMBERED_MS,
      load: async () => {
        const found = await reviewToken(token);
        return found === undefined ? undefined : makeUser(found);
      },
    });
    if (!(user instanceof Promise)) {
      exchange.user = user;
      return undefined;
    }
    return user.then((found) => {
      exchange.user = found;
    });
  };
}

/** What the front proxy says; undefined when it names no user. */
export function userOfHeaders(rawHeaders: readonly string[], trust: ClientTrust): User | undefined {
  const users: string[] = [];
  const uids: string[] = [];
  const groups: string[] = [];
  const extra: Record<string, string[]> = {};
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const raw = rawHeaders[index];
    const first = raw?.charCodeAt(0);
    // Every name that kube-apiserver uses starts with x; the configured ones may not.
    if (raw === undefined || first === undefined) continue;
    const name = raw.toLowerCase();
    const value = rawHeaders[index + 1] ?? "";
    if (trust.groupHeaders.includes(name)) groups.push(decodeUtf8(value));
    else if (trust.userHeaders.includes(name)) users.push(decodeUtf8(value));
    else if (trust.uidHeaders.includes(name)) uids.push(decodeUtf8(value));
    else addExtra(extra, { name, value, prefixes: trust.extraHeaderPrefixes });
  }
  const name = users.find((user) => user !== "");
  if (name === undefined) return undefined;
  return makeUser({ name, uid: uids.find((uid) => uid !== "") ?? "", groups, extra });
}

/** Everybody who was recognised is in system:authenticated, as at any API server. */
export function makeUser({ name, uid, groups, extra }: Omit<User, "key">): User {
  const isAnonymous = name === "system:anonymous" || groups.includes("system:unauthenticated");
  const all = isAnonymous || groups.includes(ALL_AUTHENTICATED) ? groups : [...groups, ALL_AUTHENTICATED];
  return { name, uid, groups: all, extra, key: JSON.stringify([name, uid, all, extra]) };
}

function addExtra(
  extra: Record<string, string[]>,
  { name, value, prefixes }: { readonly name: string; readonly value: string; readonly prefixes: readonly string[] },
): void {
  for (const prefix of prefixes) {
    if (!name.startsWith(prefix)) continue;
    const key = decodeKey(name.slice(prefix.length));
    (extra[key] ??= []).push(decodeUtf8(value));
    return;
  }
}

function decodeKey(escaped: string): string {
  if (!escaped.includes("%")) return escaped;
  try {
    return decodeURIComponent(escaped);
  } catch {
    // kube-apiserver keeps a key that it cannot decode.
    return escaped;
  }
}

/** Node gives one character for each byte of a header; kube-apiserver's bytes are UTF-8. */
function decodeUtf8(value: string): string {
  // eslint-disable-next-line no-control-regex -- ASCII is the common case and needs no conversion
  return /^[\x00-\x7f]*$/.test(value) ? value : Buffer.from(value, "latin1").toString("utf8");
}

function bearerToken(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.length > TOKEN_LENGTH_MAX) return undefined;
  const [scheme, token, ...more] = authorization.trim().split(/ +/);
  return scheme?.toLowerCase() === "bearer" && token !== undefined && token !== "" && more.length === 0 ? token : undefined;
}
