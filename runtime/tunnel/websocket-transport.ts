// Transport over a WebSocket (ws): the agent dials, the hub accepts.

import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import WebSocket, { WebSocketServer, type RawData } from "ws";
import { abortReason } from "#std/abort.ts";
import { CLOSE_TIME_MAX_MS, DIAL_TIME_MAX_MS, MESSAGE_BYTES_MAX } from "./limits.ts";
import type { Transport, TransportEvents } from "./transport.ts";

/** Sec-WebSocket-Protocol of this tunnel. */
export const TUNNEL_SUBPROTOCOL = "clusternet.v1";

export interface DialOptions {
  /** ws: or wss: */
  readonly url: string;
  /** Sent with the upgrade request, e.g. authorization. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Certificate authorities that may have signed the server; absent: those of Node. The server is always verified. */
  readonly caPem?: string;
  /** Overrides the name the server's certificate is checked against. */
  readonly serverName?: string;
  readonly clientCertificate?: { readonly certificatePem: string; readonly privateKeyPem: string };
  readonly timeLimitMs?: number;
}

export class DialError extends Error {
  override readonly name = "DialError";
  /** `refused`: the server answered with an HTTP status instead of a WebSocket. */
  readonly reason: "refused" | "unreachable" | "wrong-protocol" | "aborted";
  readonly status: number | undefined;
  /** The start of the answer's body, e.g. a Status object. */
  readonly body: string | undefined;

  constructor(
    reason: DialError["reason"],
    message: string,
    options: ErrorOptions & { readonly status?: number | undefined; readonly body?: string } = {},
  ) {
    super(message, options);
    this.reason = reason;
    this.status = options.status;
    this.body = options.body;
  }
}

const ANSWER_BYTES_MAX = 4_096;
/** Of a WebSocket close frame: 125 bytes less the code. */
const CLOSE_REASON_BYTES_MAX = 123;

const COMMON_OPTIONS = {
  // Costs six times the CPU and a quarter of a MiB per connection, and mixes secrets with what an attacker may choose.
  perMessageDeflate: false,
  maxPayload: MESSAGE_BYTES_MAX,
  skipUTF8Validation: true,
  closeTimeout: CLOSE_TIME_MAX_MS,
} as const;

/** Dials the hub. Rejects with DialError. */
export function dialWebSocket(options: DialOptions, signal: AbortSignal): Promise<Transport> {
  const { url, headers = {}, caPem, serverName, clientCertificate, timeLimitMs = DIAL_TIME_MAX_MS } = options;
  const { promise, resolve, reject } = Promise.withResolvers<Transport>();
  const socket = new WebSocket(url, [TUNNEL_SUBPROTOCOL], {
    ...COMMON_OPTIONS,
    headers,
    handshakeTimeout: timeLimitMs,
    followRedirects: false,
    rejectUnauthorized: true,
    // A mask protects plain-text intermediaries from chosen bytes; under TLS there are none, and a zero key costs nothing to apply.
    ...(url.startsWith("wss:") ? { generateMask: zeroMask } : {}),
    ...(caPem === undefined ? {} : { ca: caPem }),
    ...(serverName === undefined ? {} : { servername: serverName }),
    ...(clientCertificate === undefined ? {} : { cert: clientCertificate.certificatePem, key: clientCertificate.privateKeyPem }),
  });
  const abort = (): void => {
    reject(new DialError("aborted", "Dialing was stopped", { cause: abortReason(signal) }));
    socket.terminate();
  };
  // Stays for the socket's life: an error without a listener would end the process.
  socket.on("error", (error) => {
    reject(
      new DialError(
        socket.protocol === "" && /subprotocol/i.test(error.message) ? "wrong-protocol" : "unreachable",
        `Cannot reach ${url}`,
        { cause: error },
      ),
    );
  });
  socket.once("unexpected-response", (request, response) => {
    readStart(response).then((body) => {
      reject(new DialError("refused", `${url} answered ${response.statusCode ?? 0}`, { status: response.statusCode, body }));
      request.destroy();
    }, reject);
  });
  socket.once("open", () => {
    // Nothing may be lost between now and the session's start.
    socket.pause();
    resolve(new WebSocketTransport(socket));
  });
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  return promise.finally(() => {
    signal.removeEventListener("abort", abort);
  });
}

/**
 * Accepts an upgrade request whose sender is already authenticated and authorized. Rejects with DialError, having answered 400, when it
 * does not offer our subprotocol.
 */
export function acceptWebSocket(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<Transport> {
  const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
  if (!offered.includes(TUNNEL_SUBPROTOCOL)) {
    socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    return Promise.reject(
      new DialError("wrong-protocol", `The agent must offer the WebSocket subprotocol ${TUNNEL_SUBPROTOCOL}`),
    );
  }
  const { promise, resolve, reject } = Promise.withResolvers<Transport>();
  const fail = (): void => {
    reject(new DialError("unreachable", "The agent's connection closed during the upgrade"));
  };
  socket.once("close", fail);
  acceptor.handleUpgrade(request, socket, head, (accepted) => {
    socket.off("close", fail);
    accepted.pause();
    resolve(new WebSocketTransport(accepted));
  });
  return promise;
}

const acceptor = new WebSocketServer({
  ...COMMON_OPTIONS,
  noServer: true,
  clientTracking: false,
  handleProtocols: () => TUNNEL_SUBPROTOCOL,
});

class WebSocketTransport implements Transport {
  readonly #socket: WebSocket;
  #closeDetail = "";

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("error", (error) => {
      this.#closeDetail = error.message;
    });
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  start(events: TransportEvents): void {
    const socket = this.#socket;
    socket.on("message", (data: RawData, isBinary: boolean) => {
      if (isBinary && Buffer.isBuffer(data)) events.onMessage(data);
      else {
        this.#closeDetail = "A text message";
        socket.close(1003, "Binary messages only");
      }
    });
    socket.on("pong", () => {
      events.onPong();
    });
    socket.on("ping", () => {
      events.onPing();
    });
    socket.on("close", (code, reason) => {
      events.onClose(
        [`WebSocket closed with ${String(code)}`, reason.toString("utf8"), this.#closeDetail].filter(Boolean).join(", "),
      );
    });
    if (socket.readyState === WebSocket.CLOSED) events.onClose("WebSocket closed before the session started");
    socket.resume();
  }

  send(message: Uint8Array, onSent: () => void): void {
    this.#socket.send(message, onSent);
  }

  ping(): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
  }

  close(reason: string): void {
    this.#socket.close(1000, shorten(reason));
    this.#socket.resume();
  }

  terminate(): void {
    this.#socket.terminate();
  }
}

function zeroMask(): void {
  // ws hands in a zeroed key and takes it back as it is.
}

/** Cuts at a character, so that the bytes stay UTF-8. */
function shorten(reason: string): string {
  let text = reason.slice(0, CLOSE_REASON_BYTES_MAX);
  while (Buffer.byteLength(text) > CLOSE_REASON_BYTES_MAX) text = text.slice(0, -1);
  return text;
}

async function readStart(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= ANSWER_BYTES_MAX) break;
  }
  return Buffer.concat(chunks).toString("utf8", 0, ANSWER_BYTES_MAX);
}
