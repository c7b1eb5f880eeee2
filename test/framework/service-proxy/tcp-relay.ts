// Listens on one address and joins each connection to one of several backends, byte for byte: half-close and resets included.

import { once } from "node:events";
import { connect, createServer, type ServerOpts, type Socket } from "node:net";
import type { Backend } from "#test/framework/service-proxy/service-table.ts";

export interface TcpRelay extends AsyncDisposable {
  /** Counts for new connections; existing ones stay where they are, as with a real service proxy. */
  setBackends(backends: readonly Backend[]): void;
}

/** One side that stops reading stalls the other after this much, and not before. */
const BUFFER_BYTES = 256 * 1024;

export async function startTcpRelay(
  { host, port }: { readonly host: string; readonly port: number },
  initial: readonly Backend[],
): Promise<TcpRelay> {
  let backends = initial;
  let next = 0;
  const sockets = new Set<Socket>();
  const options: ServerOpts = { allowHalfOpen: true, noDelay: true, pauseOnConnect: true, highWaterMark: BUFFER_BYTES };
  const server = createServer(options, (client) => {
    const backend = backends[next % backends.length];
    next += 1;
    if (backend === undefined) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ ...backend, allowHalfOpen: true, noDelay: true });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    }
    join(client, upstream);
    join(upstream, client);
    upstream.once("connect", () => client.resume());
  });
  server.listen({ host, port, exclusive: true, backlog: 1024 });
  await once(server, "listening");
  server.unref();
  return {
    setBackends: (changed) => {
      backends = changed;
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        for (const socket of sockets) socket.resetAndDestroy();
      }),
  };
}

/** By hand instead of `pipe`: that one leaves the other side open when a socket breaks. */
function join(from: Socket, to: Socket): void {
  from.on("data", (chunk) => {
    if (!to.write(chunk)) from.pause();
  });
  to.on("drain", () => from.resume());
  from.on("end", () => to.end());
  // A reset on one side is a reset on the other; "close" follows.
  from.on("error", () => to.resetAndDestroy());
  from.on("close", (hadError) => {
    if (hadError || !from.readableEnded) to.resetAndDestroy();
  });
}
