// What opens a stream and what answers it, as values and as bytes. Pure.

import { ProtocolError } from "./frame.ts";

/** Who asks, as the parent authenticated them. Separate values, never joined: a group may contain a comma. */
export interface Identity {
  readonly user: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

export interface RequestHead {
  /**
   * "request": HTTP semantics; the response's end ends the stream.
   * "upgrade": after a 101 both directions are raw bytes that end independently (half-close).
   * "dial": raw bytes to host:port in `path`; refused unless the accepting end allows it.
   */
  readonly kind: StreamKind;
  /** Who shall answer: "apiserver", "predictor". */
  readonly target: string;
  readonly method: string;
  /** Raw path and query, exactly as the client sent them. */
  readonly path: string;
  /** Flat: name, value, name, value. No hop-by-hop headers, no identity headers. */
  readonly headers: readonly string[];
  readonly identity: Identity;
  /** A user's own credential for the child; an Authorization header's value. */
  readonly credential?: string;
  /** One id across parent, hub and agent, for logs. */
  readonly requestId?: string;
}

export interface ResponseHead {
  readonly status: number;
  /** Flat: name, value, name, value. */
  readonly headers: readonly string[];
}

export type StreamKind = "request" | "upgrade" | "dial";

/** JSON arrays: the engine's own JSON is faster than anything written by hand, and member names would only repeat. */
export function encodeRequestHead(head: RequestHead): string {
  const { kind, target, method, path, headers, identity, credential = "", requestId = "" } = head;
  const { user, uid, groups, extra } = identity;
  return JSON.stringify([kind, target, method, path, headers, user, uid, groups, extra, credential, requestId]);
}

export function decodeRequestHead(payload: Buffer): RequestHead {
  const [kind, target, method, path, headers, user, uid, groups, extra, credential, requestId] = parseArray(payload);
  const isValid =
    isKind(kind) &&
    isText(target) &&
    isText(method) &&
    isText(path) &&
    isFlatHeaders(headers) &&
    isText(user) &&
    isText(uid) &&
    isTexts(groups) &&
    isExtra(extra) &&
    isText(credential) &&
    isText(requestId);
  if (!isValid) throw new ProtocolError("Request head has the wrong shape");
  return {
    kind,
    target,
    method,
    path,
    headers,
    identity: { user, uid, groups, extra },
    ...(credential === "" ? undefined : { credential }),
    ...(requestId === "" ? undefined : { requestId }),
  };
}

export function encodeResponseHead({ status, headers }: ResponseHead): string {
  return JSON.stringify([status, headers]);
}

export function decodeResponseHead(payload: Buffer): ResponseHead {
  const [status, headers] = parseArray(payload);
  if (!isStatus(status) || !isFlatHeaders(headers)) throw new ProtocolError("Response head has the wrong shape");
  return { status, headers };
}

function parseArray(payload: Buffer): readonly unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(payload.toString("utf8"));
  } catch (error) {
    throw new ProtocolError("Head is not JSON", { cause: error });
  }
  if (!Array.isArray(value)) throw new ProtocolError("Head is not an array");
  return value;
}

function isKind(value: unknown): value is StreamKind {
  return value === "request" || value === "upgrade" || value === "dial";
}

function isStatus(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 100 && Number(value) <= 999;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isText);
}

function isFlatHeaders(value: unknown): value is string[] {
  return isTexts(value) && value.length % 2 === 0;
}

function isExtra(value: unknown): value is Record<string, string[]> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && Object.values(value).every(isTexts);
}
