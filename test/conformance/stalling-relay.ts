// Stands in front of a server and lets each connection's answers through up to a limit: what comes after never arrives.
//
// How much of an answer the kernel's buffers take differs from machine to machine; what a relay does not read is in none of them.

import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export interface StallingRelay extends AsyncDisposable {
  /** `https://host:port`, at the server's own host, which its certificate names. */
  readonly url: string;
}

export async function startStallingRelay(server: string, { bytesMax }: { readonly bytesMax: number }): Promise<StallingRelay> {
  const { hostname: host, port } = new URL(server);
  const sockets = new Set<Socket>();
  const listener = createServer((client) => {
    const upstream = connect({ host, port: Number(port) });
    const pair = [client, upstream] as const;
    const endBoth = (): void => {
      for (const socket of pair) {
        sockets.delete(socket);
        socket.destroy();
      }
    };
    for (const socket of pair) {
      sockets.add(socket);
      socket.on("error", endBoth).on("close", endBoth);
    }
    client.pipe(upstream);
    let bytes = 0;
    upstream.on("data", (chunk: Buffer) => {
      client.write(chunk.subarray(0, bytesMax - bytes));
      bytes += chunk.length;
      if (bytes >= bytesMax) upstream.pause();
    });
  });
  listener.listen(0, host);
  await once(listener, "listening");
  const address = listener.address();
  if (address === null || typeof address === "string") throw new Error("The relay listens on no port");
  return {
    url: `https://${host}:${String(address.port)}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, "close");
    },
  };
}
