import { afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { once } from "node:events";
import { createServer as createPlainServer } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import WebSocket from "ws";
import {
  type CertificateAuthority,
  type CertificateWithKey,
  createCertificateAuthority,
  issueCertificate,
} from "#std/certificates.ts";
import { realClock } from "#std/clock.ts";
import { createStreamDuplex } from "./duplex.ts";
import type { SessionEnd } from "./errors.ts";
import { encodeFrame, FrameType } from "./frame.ts";
import { MESSAGE_BYTES_MAX } from "./limits.ts";
import { createSession, type Session } from "./session.ts";
import { acceptWebSocket, dialWebSocket, TUNNEL_SUBPROTOCOL } from "./websocket-transport.ts";

let authority: CertificateAuthority;
let certificate: CertificateWithKey;
const cleanUp = new Set<() => void>();
const never = new AbortController().signal;

beforeAll(async () => {
  authority = await createCertificateAuthority({ commonName: "test", validDays: 1 });
  certificate = await issueCertificate(authority, {
    commonName: "hub",
    ipAddresses: ["127.0.0.1"],
    usages: ["server"],
    validDays: 1,
  });
});
afterEach(() => {
  for (const stop of cleanUp) stop();
  cleanUp.clear();
});

describe("over TLS", () => {
  test("a session opens, answers, and carries a raw stream with half-close as a Duplex", async () => {
    const hub = await startHub();
    const agent = await dialWebSocket(
      { url: hub.url, caPem: authority.certificatePem, headers: { authorization: "Bearer t" } },
      never,
    );
    const serving = createSession(agent, {
      role: "agent",
      clock: realClock,
      accept: (stream) => {
        stream.respond({ status: 101, headers: [] });
        const { duplex, handler, attach } = createStreamDuplex();
        attach(stream);
        duplex.pipe(duplex);
        return handler;
      },
    });
    const agentEnd = serving.run(never);
    const { session } = await hub.accepted;
    await session.ready;
    const { duplex, handler, attach } = createStreamDuplex();
    attach(
      session.request(
        { kind: "upgrade", target: "apiserver", method: "GET", path: "/exec", headers: [], identity: nobody },
        { ...link(handler), onHead: (head) => expect(head.status).toBe(101) },
      ),
    );
    const sent = Buffer.alloc(3_000_000, "abcdefg");
    duplex.end(sent);
    const chunks: Buffer[] = [];
    for await (const chunk of duplex as AsyncIterable<Buffer>) chunks.push(chunk);
    expect(Buffer.concat(chunks).equals(sent)).toBe(true);
    session.close("Enough");
    expect((await agentEnd).message).toContain("Enough");
  });

  test("a server that the authority did not sign is refused", async () => {
    const hub = await startHub();
    const other = await createCertificateAuthority({ commonName: "other", validDays: 1 });
    await expect(dialWebSocket({ url: hub.url, caPem: other.certificatePem }, never)).rejects.toMatchObject({
      reason: "unreachable",
    });
    await expect(dialWebSocket({ url: hub.url }, never)).rejects.toMatchObject({ reason: "unreachable" });
  });

  test("a server under another name is refused", async () => {
    const hub = await startHub();
    const dialled = dialWebSocket({ url: hub.url, caPem: authority.certificatePem, serverName: "other.example" }, never);
    await expect(dialled).rejects.toMatchObject({ reason: "unreachable" });
  });

  test("an HTTP answer instead of an upgrade comes with its status and body", async () => {
    const hub = await startHub({ answer: "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nnope!" });
    const dialled = dialWebSocket({ url: hub.url, caPem: authority.certificatePem }, never);
    await expect(dialled).rejects.toMatchObject({ reason: "refused", status: 403, body: "nope!" });
  });

  test("an abort stops a dial that hangs", async () => {
    const hub = await startHub({ answer: "" });
    const stop = new AbortController();
    const dialled = dialWebSocket({ url: hub.url, caPem: authority.certificatePem }, stop.signal);
    setTimeout(() => stop.abort(), 50);
    await expect(dialled).rejects.toMatchObject({ reason: "aborted" });
  });
});

describe("a broken client", () => {
  test("that does not offer the subprotocol is answered 400", async () => {
    const hub = await startHub();
    const client = new WebSocket(hub.url, { ca: authority.certificatePem });
    const [, response] = (await once(client, "unexpected-response")) as [unknown, { statusCode: number }];
    expect(response.statusCode).toBe(400);
    client.on("error", () => undefined);
    client.terminate();
  });

  test.each([
    { it: "sends text", message: "hello", says: "text message" },
    { it: "sends a message above the limit", message: Buffer.alloc(MESSAGE_BYTES_MAX + 1), says: "Max payload size" },
    { it: "sends noise", message: Buffer.from("noise"), says: "frame" },
  ])("that $it ends its session, not the process", async ({ message, says }) => {
    const hub = await startHub();
    const client = new WebSocket(hub.url, [TUNNEL_SUBPROTOCOL], { ca: authority.certificatePem });
    client.on("error", () => undefined);
    await once(client, "open");
    client.send(message);
    const { ended } = await hub.accepted;
    const end = await ended;
    expect(`${end.reason} ${end.message}`).toContain(says);
  });

  test("that disappears ends its session", async () => {
    const hub = await startHub();
    const client = new WebSocket(hub.url, [TUNNEL_SUBPROTOCOL], { ca: authority.certificatePem });
    await once(client, "open");
    client.terminate();
    expect((await (await hub.accepted).ended).reason).toBe("lost");
  });
});

test("without TLS frames are masked with a real key, because there may be intermediaries", async () => {
  const server = createPlainServer();
  const seen = Promise.withResolvers<Buffer>();
  server.on("upgrade", (request, socket, head) => {
    socket.on("data", (chunk: Buffer) => {
      // A copy: the receiver unmasks in place.
      if (chunk[0] === 0x82) seen.resolve(Buffer.from(chunk));
    });
    void acceptWebSocket(request, socket, head).then((transport) => {
      transport.start({ onMessage: () => undefined, onPing: () => undefined, onPong: () => undefined, onClose: () => undefined });
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanUp.add(() => server.closeAllConnections());
  cleanUp.add(() => server.close());
  const transport = await dialWebSocket({ url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/` }, never);
  const payload = Buffer.alloc(64, "secret");
  transport.send(encodeFrame({ type: FrameType.data, streamId: 1, end: false, payload }), () => undefined);
  expect((await seen.promise).includes("secret")).toBe(false);
  transport.terminate();
});

const nobody = { user: "", uid: "", groups: [], extra: {} };

function link(handler: ReturnType<typeof createStreamDuplex>["handler"]): ReturnType<typeof createStreamDuplex>["handler"] {
  return {
    onData: (chunk) => handler.onData(chunk),
    onEnd: () => handler.onEnd(),
    onReset: (error) => handler.onReset(error),
    onDrain: () => handler.onDrain?.(),
  };
}

interface Hub {
  readonly url: string;
  readonly accepted: Promise<{ readonly session: Session; readonly ended: Promise<SessionEnd> }>;
}

async function startHub({ answer }: { answer?: string } = {}): Promise<Hub> {
  const server: Server = createServer({ cert: certificate.certificatePem, key: certificate.privateKeyPem });
  const accepted = Promise.withResolvers<Awaited<Hub["accepted"]>>();
  accepted.promise.catch(() => undefined);
  server.on("upgrade", (request, socket, head) => {
    cleanUp.add(() => socket.destroy());
    socket.on("error", () => undefined);
    if (answer !== undefined) socket.write(answer);
    else {
      acceptWebSocket(request, socket, head).then((transport) => {
        const session = createSession(transport, { role: "hub", clock: realClock });
        accepted.resolve({ session, ended: session.run(never) });
        cleanUp.add(() => session.close("Test is over"));
      }, accepted.reject);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanUp.add(() => server.close());
  return { url: `wss://127.0.0.1:${(server.address() as AddressInfo).port}/attach`, accepted: accepted.promise };
}
