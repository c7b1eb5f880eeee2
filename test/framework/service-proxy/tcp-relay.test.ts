// A relay joins two TCP connections so that neither side can tell: bytes, half-close, resets, and who is asked next.
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { buffer, text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { freePort } from "#test/framework/address-slot.ts";
import { startTcpRelay, type TcpRelay } from "#test/framework/service-proxy/tcp-relay.ts";

const host = "127.0.0.1";
let stack: AsyncDisposableStack;

beforeEach(() => {
  stack = new AsyncDisposableStack();
});
afterEach(() => stack.disposeAsync());

async function backend(handle: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    // The relay resets what is left when a test ends.
    socket.on("error", () => undefined);
    handle(socket);
  });
  server.listen(0, host);
  await once(server, "listening");
  stack.defer(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function relayTo(...ports: number[]): Promise<{ relay: TcpRelay; dial: () => Socket }> {
  const port = await freePort(host, 0);
  const relay = stack.use(
    await startTcpRelay(
      { host, port },
      ports.map((backendPort) => ({ host, port: backendPort })),
    ),
  );
  return { relay, dial: () => connect({ host, port, allowHalfOpen: true }) };
}

describe("startTcpRelay", () => {
  test("carries megabytes both ways, and an answer that starts after the client has finished", async () => {
    const content = Buffer.alloc(5_000_000, "0123456789");
    const { dial } = await relayTo(await backend((socket) => void buffer(socket).then((got) => socket.end(got))));
    const client = dial();
    client.end(content);
    expect((await buffer(client)).equals(content)).toBe(true);
  });

  test("passes a reset on in both directions", async () => {
    const reset = await relayTo(await backend((socket) => socket.once("data", () => socket.resetAndDestroy())));
    const client = reset.dial();
    client.write("x");
    await expect(once(client, "end")).rejects.toThrow(/ECONNRESET/);

    const seen = Promise.withResolvers<unknown>();
    const other = await relayTo(
      await backend((socket) => socket.on("error", seen.resolve).once("data", () => socket.write("y"))),
    );
    const resetting = other.dial();
    resetting.write("x");
    await once(resetting, "data");
    resetting.resetAndDestroy();
    expect(String(await seen.promise)).toMatch(/ECONNRESET/);
  });

  test("resets the client when nobody listens behind it", async () => {
    const { dial } = await relayTo(await freePort(host, 0));
    await expect(once(dial(), "end")).rejects.toThrow(/ECONNRESET/);
  });

  test("takes backends in turn, and new ones for new connections", async () => {
    const named = (name: string): Promise<number> => backend((socket) => socket.end(name));
    const [a, b, c] = [await named("a"), await named("b"), await named("c")];
    const { relay, dial } = await relayTo(a, b);
    const heard = [await text(dial()), await text(dial()), await text(dial())];
    expect(heard).toEqual(["a", "b", "a"]);
    relay.setBackends([{ host, port: c }]);
    expect(await text(dial())).toBe("c");
  });
});
