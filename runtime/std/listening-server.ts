// A server that listens, and ends with all of its connections. Upgraded ones are among them, which Node itself forgets.

import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";
import type { Duplex } from "node:stream";

export interface ListeningServer extends AsyncDisposable {
  /** The one that was chosen, where 0 was asked for. */
  readonly port: number;
}

/** Rejects when the address cannot be had. */
export async function listenOn(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<ListeningServer> {
  const sockets = new Set<Duplex>();
  server.on("connection", (socket: Duplex) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.listen(port, host);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      });
      for (const socket of sockets) socket.destroy();
      return closed;
    },
  };
}
