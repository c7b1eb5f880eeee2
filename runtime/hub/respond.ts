// Writes answers: objects, tables and Status errors; and Status errors onto a socket whose client wanted another protocol.

import type { IncomingMessage, ServerResponse } from "node:http";
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { statusOf, type Status, type StatusReason } from "#api/status.ts";

export interface RequestErrorOptions {
  /** Capital letter, no full stop; names the hop that failed and what to do; never a credential. */
  readonly message: string;
  /** Only where the code is not the reason's usual one. */
  readonly code?: number;
  readonly retryAfterSeconds?: number;
  readonly cause?: unknown;
}

/** Thrown by filters and handlers: becomes the one Status that the client gets. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly status: Status;

  constructor(reason: StatusReason, { message, code, retryAfterSeconds, cause }: RequestErrorOptions) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = statusOf({
      reason,
      message,
      ...(code === undefined ? {} : { code }),
      ...(retryAfterSeconds === undefined ? {} : { details: { retryAfterSeconds } }),
    });
  }
}

export function respondJson(
  { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
  body: unknown,
  { code = 200, contentType = "application/json", headers = {} }: JsonOptions = {},
): void {
  const bytes = Buffer.from(`${JSON.stringify(body)}\n`);
  response.writeHead(code, {
    "content-type": contentType,
    "content-length": bytes.byteLength,
    "cache-control": NO_CACHE,
    ...headers,
  });
  response.end(request.method === "HEAD" ? undefined : bytes);
}

export interface JsonOptions {
  readonly code?: number;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function respondText(response: ServerResponse, body: string, code = 200): void {
  response.writeHead(code, {
    "content-type": "text/plain; charset=utf-8",
    "cache-control": NO_CACHE,
    "x-content-type-options": "nosniff",
  });
  response.end(body);
}

/** The answer cannot be a Status any more once its head has left: then the connection is cut, so that nobody takes it for complete. */
export function respondStatus(
  exchange: { readonly request: IncomingMessage; readonly response: ServerResponse },
  status: Status,
  requestId: string,
): void {
  const { request, response } = exchange;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  // What the client is still sending is not read: the connection cannot be used again.
  const isUnread = !request.complete && hasBody(request);
  respondJson(exchange, status, {
    code: status.code,
    headers: {
      "audit-id": requestId,
      // A connection whose certificate nobody vouched for stays so: a client that was given trust meanwhile needs a new one.
      ...(isUnread || status.code === 401 ? { connection: "close" } : {}),
      ...(status.code === 401 ? { "www-authenticate": "Bearer" } : {}),
      ...retryAfter(status),
    },
  });
}

/** The same for a request to switch protocols, which has a bare socket. */
export function respondStatusOnSocket(socket: Duplex, status: Status, requestId: string): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = `${JSON.stringify(status)}\n`;
  const headers = {
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    "cache-control": NO_CACHE,
    "audit-id": requestId,
    connection: "close",
    ...retryAfter(status),
  };
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${String(status.code)} ${STATUS_CODES[status.code] ?? ""}\r\n${head.join("")}\r\n${body}`);
}

export function hasBody(request: IncomingMessage): boolean {
  const length = request.headers["content-length"];
  return request.headers["transfer-encoding"] !== undefined || (length !== undefined && length !== "0");
}

const NO_CACHE = "no-cache, private";

function retryAfter(status: Status): Record<string, string> {
  const seconds = status.details?.retryAfterSeconds;
  return seconds === undefined ? {} : { "retry-after": String(seconds) };
}
