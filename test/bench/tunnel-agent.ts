// The agent's end of the tunnel bench, a process of its own: answers through the tunnel, and directly for comparison.

import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { realClock } from "#std/clock.ts";
import { createSession } from "#tunnel/session.ts";
import type { IncomingStream, StreamHandler } from "#tunnel/stream.ts";
import { dialWebSocket } from "#tunnel/websocket-transport.ts";

export interface AgentConfig {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly caPem: string;
}

/** Where this process answers without a tunnel; sent to the parent process first. */
export interface AgentPorts {
  readonly https: number;
  readonly tls: number;
}

const CHUNK = Buffer.alloc(32 * 1024, "b");
const SMALL_BODY = Buffer.from(JSON.stringify({ kind: "ConfigMap", data: { text: "x".repeat(960) } }));
const SMALL_HEADERS = [
  ...["content-type", "application/json", "content-length", String(SMALL_BODY.length), "cache-control", "no-cache, private"],
  ...["audit-id", "9c1d8c1e-8f0d-4b61-9d43-8b5d1f5c0a11", "date", "Sat, 21 Nov 2026 10:00:00 GMT", "x-flow", "f"],
];

const config = JSON.parse(process.argv[2] ?? "{}") as AgentConfig;
const tls = { cert: config.certificatePem, key: config.privateKeyPem };

const https = createHttpsServer({ ...tls, keepAliveTimeout: 60_000 }, (_request, response) => {
  response.writeHead(200, SMALL_HEADERS);
  response.end(SMALL_BODY);
});
const raw = createTlsServer(tls, (socket) => {
  socket.setNoDelay(true);
  const fill = (): void => {
    while (!socket.destroyed && socket.write(CHUNK)) continue;
  };
  socket.on("drain", fill);
  socket.on("error", () => undefined);
  fill();
});

https.listen(0, "127.0.0.1");
raw.listen(0, "127.0.0.1", () => {
  const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port;
  process.send?.({ https: portOf(https), tls: portOf(raw) } satisfies AgentPorts);
});

process.on("message", ({ url }: { readonly url: string }) => {
  void serveTunnel(url);
});
process.on("disconnect", () => {
  process.exit();
});

async function serveTunnel(url: string): Promise<void> {
  const signal = new AbortController().signal;
  const transport = await dialWebSocket({ url, caPem: config.caPem }, signal);
  await createSession(transport, { role: "agent", clock: realClock, accept }).run(signal);
}

function accept(stream: IncomingStream): StreamHandler {
  stream.respond({ status: 200, headers: SMALL_HEADERS });
  if (stream.head.path !== "/bulk") {
    stream.end(SMALL_BODY);
    return { onData: () => true, onEnd: () => undefined, onReset: () => undefined };
  }
  const fill = (): void => {
    while (!stream.closed && stream.write(CHUNK)) continue;
  };
  fill();
  return { onData: () => true, onEnd: () => undefined, onReset: () => undefined, onDrain: fill };
}
