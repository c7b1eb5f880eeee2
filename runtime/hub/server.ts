// HTTPS listener and upgrades. HTTP/1.1 only: kube-aggregator then gives each request a connection of its own.

import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import { constants } from "node:crypto";
import type { Duplex } from "node:stream";
import type { CertificateWithKey } from "#std/certificates.ts";
import { listenOn, type ListeningServer } from "#std/listening-server.ts";
import type { HandlerChain } from "./handler-chain.ts";

export interface HubServerOptions {
  readonly host: string;
  readonly port: number;
  readonly chain: HandlerChain;
  readonly certificate: CertificateWithKey;
  /** Authorities whose client certificates are verified. */
  readonly clientCaPems: readonly string[];
}

/** Its disposal cuts every connection: requests that should end well have ended before (shut-down.ts). */
export interface HubServer extends ListeningServer {
  /** For new connections; those that are open keep theirs. */
  setCertificates(certificate: CertificateWithKey, clientCaPems: readonly string[]): void;
}

/** Impersonation extras and client certificates travel in headers. */
const REQUEST_HEAD_BYTES_MAX = 64 * 1024;
/** Longer than the 90 s after which Go closes an idle connection: a request never meets a closing one. */
const IDLE_CONNECTION_MS = 120_000;
const REQUEST_HEAD_TIME_MAX_MS = 60_000;

export async function startHubServer(options: HubServerOptions): Promise<HubServer> {
  const { host, port, chain, certificate, clientCaPems } = options;
  const server = createServer(
    {
      ...contextOf(certificate, clientCaPems),
      requestCert: true,
      // Who has no certificate, or an unknown one, may have a token: authenticate.ts decides.
      rejectUnauthorized: false,
      ALPNProtocols: ["http/1.1"],
      minVersion: "TLSv1.2",
      // A resumed session would bring its client certificate past a changed authority.
      secureOptions: constants.SSL_OP_NO_TICKET,
      allowHalfOpen: true,
      noDelay: true,
      maxHeaderSize: REQUEST_HEAD_BYTES_MAX,
      keepAliveTimeout: IDLE_CONNECTION_MS,
      headersTimeout: REQUEST_HEAD_TIME_MAX_MS,
      // A body may take as long as its stream; in-flight limits and the tunnel's credit bound what it holds.
      requestTimeout: 0,
    },
    (request, response) => {
      chain.handle(request, { type: "response", response });
    },
  );
  server.timeout = 0;
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // Whoever serves it learns of its end from "close".
    socket.on("error", () => undefined);
    chain.handle(request, { type: "upgrade", socket, head });
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    refuseUnreadable(error, socket);
  });
  server.on("tlsClientError", () => undefined);
  const listening = await listenOn(server, { host, port });
  return {
    ...listening,
    setCertificates: (next, caPems) => {
      server.setSecureContext(contextOf(next, caPems));
      // Clients that come back on a connection of their own are verified against the new authorities.
      server.closeIdleConnections();
    },
  };
}

function contextOf(
  { certificatePem, privateKeyPem }: CertificateWithKey,
  clientCaPems: readonly string[],
): {
  cert: string;
  key: string;
  ca: string[];
} {
  return { cert: certificatePem, key: privateKeyPem, ca: [...clientCaPems] };
}

function refuseUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const isTooLarge = error.code === "HPE_HEADER_OVERFLOW";
  const message = isTooLarge
    ? `The request's headers exceed ${String(REQUEST_HEAD_BYTES_MAX)} bytes`
    : "The request is not HTTP/1.1";
  const code = isTooLarge ? 431 : 400;
  const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason: "BadRequest", code };
  const body = `${JSON.stringify(status)}\n`;
  const head = `HTTP/1.1 ${String(code)} ${isTooLarge ? "Request Header Fields Too Large" : "Bad Request"}`;
  socket.end(
    `${head}\r\ncontent-type: application/json\r\ncontent-length: ${String(Buffer.byteLength(body))}\r\nconnection: close\r\n\r\n${body}`,
  );
}
