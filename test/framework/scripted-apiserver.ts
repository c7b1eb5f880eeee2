// A plain HTTP server on loopback that answers like kube-apiserver exactly what a test scripts, faults included.

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { connect, type Connection } from "#kube/connection.ts";

export interface Exchange {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  /** Parsed JSON, or undefined. */
  readonly body: unknown;
  readonly remotePort: number | undefined;
  /** True for a watch. */
  readonly isWatch: boolean;
  readonly json: (
    body: unknown,
    options?: { readonly status?: number; readonly headers?: Readonly<Record<string, string>> },
  ) => void;
  text(body: string, options: { readonly status: number }): void;
  /** A metav1.Status. */
  fail(code: number, reason: string, options?: FailOptions): void;
  /** Begins a watch. */
  stream(): ScriptedStream;
  /** Never answers, and keeps the connection: half open. */
  hang(): void;
  /** Closes the connection without an answer. */
  drop(): void;
}

export interface FailOptions {
  readonly message?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly details?: object;
}

export interface ScriptedStream {
  readonly isClosed: boolean;
  event(type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR", object: unknown): void;
  /** Any bytes: half an event, half a character. */
  raw(bytes: string | Uint8Array): void;
  /** As when timeoutSeconds is over. */
  end(): void;
  /** As when a process dies. */
  drop(): void;
}

export interface ScriptedApiserver extends AsyncDisposable {
  readonly server: string;
  /** With these, newest last. */
  readonly exchanges: readonly Exchange[];
  /** Watches that are open now, newest last. */
  readonly streams: readonly ScriptedStream[];
  connect(options?: { readonly token?: string }): Connection;
  /** Closes every connection at once, as when the process dies; it goes on listening. */
  dropAll(): void;
}

export async function startScriptedApiserver(answer: (exchange: Exchange) => void): Promise<ScriptedApiserver> {
  const exchanges: Exchange[] = [];
  const streams: ScriptedStream[] = [];
  const sockets = new Set<Socket>();
  const onStream = (stream: ScriptedStream): void => {
    streams.push(stream);
  };
  const http = createServer((request, response) => {
    void readBody(request).then((body) => {
      const exchange = createExchange({ request, response, body, onStream });
      exchanges.push(exchange);
      answer(exchange);
    });
  });
  http.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const server = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const dropAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    server,
    exchanges,
    get streams() {
      return streams.filter(({ isClosed }) => !isClosed);
    },
    connect: ({ token } = {}) => connect({ server, ...(token === undefined ? {} : { token }) }),
    dropAll,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        http.close(() => {
          resolve();
        });
        dropAll();
      }),
  };
}

interface ExchangeOptions {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly body: unknown;
  readonly onStream: (stream: ScriptedStream) => void;
}

function createExchange({ request, response, body, onStream }: ExchangeOptions): Exchange {
  const url = new URL(request.url ?? "/", "http://scripted");
  const json: Exchange["json"] = (content, { status = 200, headers = {} } = {}) => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(content));
  };
  return {
    method: request.method ?? "GET",
    path: url.pathname,
    query: url.searchParams,
    headers: request.headers,
    body,
    remotePort: request.socket.remotePort,
    isWatch: ["1", "true"].includes(url.searchParams.get("watch") ?? ""),
    json,
    text: (text, { status }) => {
      response.writeHead(status, { "content-type": "text/plain" }).end(text);
    },
    fail: (code, reason, { message = reason, headers = {}, details } = {}) => {
      json({ kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message, details }, { status: code, headers });
    },
    stream: () => {
      const stream = createStream(response);
      onStream(stream);
      return stream;
    },
    hang: () => undefined,
    drop: () => {
      request.socket.destroy();
    },
  };
}

function createStream(response: ServerResponse): ScriptedStream {
  response.writeHead(200, { "content-type": "application/json" });
  response.flushHeaders();
  return {
    get isClosed() {
      return response.closed || response.writableEnded;
    },
    event: (type, object) => {
      response.write(`${JSON.stringify({ type, object })}\n`);
    },
    raw: (bytes) => {
      response.write(bytes);
    },
    end: () => {
      response.end();
    },
    drop: () => {
      response.destroy();
    },
  };
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString("utf8"));
}
