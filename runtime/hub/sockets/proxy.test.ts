// The proxy's lifetime of one request: what ends early on one side ends on the other, and a broken answer never looks complete.
import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { realClock } from "#std/clock.ts";
import { silentLogger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";
import { StreamError } from "#tunnel/errors.ts";
import type { RequestHead } from "#tunnel/head.ts";
import type { Session } from "#tunnel/session.ts";
import type { RequestStream, ResponseHandler } from "#tunnel/stream.ts";
import { makeUser } from "#hub/authenticate.ts";
import { createHandlerChain } from "#hub/handler-chain.ts";
import { createRequestMetrics } from "#hub/request-metrics.ts";
import { createProxy } from "./proxy.ts";
import { createSessions } from "./sessions.ts";

/** A stream whose other end is the test. */
class FakeStream implements RequestStream {
  readonly id = 1;
  closed = false;
  resumed = 0;
  takes = true;
  readonly written: Buffer[] = [];
  readonly head: RequestHead;
  readonly handler: ResponseHandler;
  readonly bodyEnded: boolean;
  readonly ended = Promise.withResolvers<undefined>();
  readonly reset_ = Promise.withResolvers<string>();

  constructor(head: RequestHead, handler: ResponseHandler, bodyEnded: boolean) {
    this.head = head;
    this.handler = handler;
    this.bodyEnded = bodyEnded;
  }

  write(chunk: Uint8Array): boolean {
    this.written.push(Buffer.from(chunk));
    return this.takes;
  }

  end(): void {
    this.ended.resolve(undefined);
  }

  resume(): void {
    this.resumed += 1;
  }

  reset(reason: string): void {
    this.closed = true;
    this.reset_.resolve(reason);
  }
}

const path = "/apis/proxies.clusternet.io/v1alpha1/sockets/c1/proxy/direct";
let server: Server;
let port: number;
let opened: PromiseWithResolvers<FakeStream>;

beforeEach(async () => {
  opened = Promise.withResolvers<FakeStream>();
  const sessions = createSessions({ perClusterMax: 4, clock: realClock, metrics: createMetrics() });
  const session = {
    state: "open",
    request: (head: RequestHead, handler: ResponseHandler, options?: { end?: boolean }) => {
      const stream = new FakeStream(head, handler, options?.end === true);
      opened.resolve(stream);
      return stream;
    },
  };
  // Only what the proxy uses of a session.
  sessions.add("c1", session as unknown as Session);
  const proxy = createProxy({ sessions, describeAbsent: () => ({ type: "unknown" }), credentialExtras: false, clock: realClock });
  const chain = createHandlerChain({
    filters: [
      (exchange) => {
        exchange.user = makeUser({ name: "ana", uid: "", groups: ["a,b"], extra: {} });
        return undefined;
      },
      (exchange) => {
        if (exchange.info.type === "resource") proxy.handle(exchange, exchange.info);
        return undefined;
      },
    ],
    metrics: createRequestMetrics(createMetrics()),
    clock: realClock,
    log: silentLogger,
  });
  server = createServer((request, response) => {
    chain.handle(request, { type: "response", response });
  }).listen(0, "127.0.0.1");
  server.on("upgrade", (request: IncomingMessage, socket, head) => {
    chain.handle(request, { type: "upgrade", socket, head });
  });
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

function send(
  suffix: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): ReturnType<typeof httpRequest> {
  const outgoing = httpRequest({
    host: "127.0.0.1",
    port,
    path: path + suffix,
    agent: false,
    method: options.method ?? "GET",
    headers: options.headers,
  });
  outgoing.on("error", () => undefined);
  outgoing.end(options.body);
  return outgoing;
}

/** A connection that is cut before the head is an answer that is not complete. */
function answerOf(outgoing: ReturnType<typeof httpRequest>): Promise<{ status: number; body: string; isComplete: boolean }> {
  return new Promise((resolve) => {
    outgoing.once("error", () => {
      resolve({ status: 0, body: "", isComplete: false });
    });
    outgoing.once("response", (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => (body += text));
      response.on("error", () => undefined);
      response.once("close", () => {
        resolve({ status: response.statusCode ?? 0, body, isComplete: response.complete });
      });
    });
  });
}

describe("a proxied request", () => {
  test("opens a stream with the raw path, the caller, and no credential of the client", async () => {
    send("/api/a%2Fb//c/?x=%2F", { headers: { authorization: "Bearer secret", "impersonate-user": "root", accept: "x" } });
    const { head, bodyEnded } = await opened.promise;
    expect(head).toMatchObject({ kind: "request", target: "apiserver", method: "GET", path: "/api/a%2Fb//c/?x=%2F" });
    expect(head.identity).toEqual({ user: "ana", uid: "", groups: ["a,b", "system:authenticated"], extra: {} });
    expect(head.headers).toEqual(["accept", "x"]);
    expect(bodyEnded).toBe(true);
  });

  test("passes an answer on", async () => {
    const answer = answerOf(send("/"));
    const { handler } = await opened.promise;
    handler.onHead({ status: 201, headers: ["content-length", "5"] });
    handler.onData(Buffer.from("hello"));
    handler.onEnd();
    expect(await answer).toEqual({ status: 201, body: "hello", isComplete: true });
  });

  test("shows the head of an endless answer before its first byte", async () => {
    const outgoing = send("/?watch=true");
    const { handler } = await opened.promise;
    handler.onHead({ status: 200, headers: ["content-type", "application/json"] });
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
  });

  test.each([
    { it: "an answer of known length", headers: ["content-length", "10"] },
    { it: "an answer of unknown length", headers: [] },
  ])("that is broken off in $it ends as broken", async ({ headers }) => {
    const answer = answerOf(send("/"));
    const { handler } = await opened.promise;
    handler.onHead({ status: 200, headers });
    handler.onData(Buffer.from("hello"));
    setImmediate(() => {
      handler.onReset(new StreamError("tunnel-lost", "gone"));
    });
    expect(await answer).toMatchObject({ isComplete: false });
  });

  test("whose answer ends before its stated length ends as broken", async () => {
    const answer = answerOf(send("/"));
    const { handler } = await opened.promise;
    handler.onHead({ status: 200, headers: ["content-length", "10"] });
    handler.onData(Buffer.from("hello"));
    handler.onEnd();
    expect(await answer).toMatchObject({ isComplete: false });
  });

  test.each([
    ["refused", 403, /agent refuses the request: no/],
    ["unreachable", 503, /agent cannot reach the cluster's API server: no/],
    ["tunnel-lost", 503, /tunnel to its agent was lost/],
    ["overloaded", 429, /overloaded/],
    ["timeout", 504, /gave up waiting/],
  ] as const)("that is reset (%s) before its answer becomes a Status %i", async (reason, code, says) => {
    const answer = answerOf(send("/"));
    const { handler } = await opened.promise;
    handler.onReset(new StreamError(reason, "no"));
    const { status, body } = await answer;
    expect({ status, body }).toMatchObject({ status: code, body: expect.stringMatching(says) });
    expect(JSON.parse(body)).toMatchObject({ kind: "Status", code });
  });

  test("is cancelled in the child when its client goes away", async () => {
    const outgoing = send("/?watch=true");
    const stream = await opened.promise;
    stream.handler.onHead({ status: 200, headers: [] });
    await once(outgoing, "response");
    outgoing.destroy();
    expect(await stream.reset_.promise).toBe("cancelled");
  });

  test("never ends a body that its client did not finish", async () => {
    const outgoing = httpRequest({
      host: "127.0.0.1",
      port,
      path: `${path}/`,
      method: "POST",
      agent: false,
      headers: { "content-length": "10" },
    });
    outgoing.on("error", () => undefined);
    outgoing.write("hello");
    const stream = await opened.promise;
    let hasEnded = false;
    void stream.ended.promise.then(() => (hasEnded = true));
    outgoing.destroy();
    expect(await stream.reset_.promise).toBe("cancelled");
    expect(hasEnded).toBe(false);
  });

  test("stops reading from the tunnel while its client does not read, and goes on when it does", async () => {
    const outgoing = send("/?watch=true");
    const stream = await opened.promise;
    stream.handler.onHead({ status: 200, headers: [] });
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    const chunk = Buffer.alloc(256 * 1024);
    let chunks = 0;
    // Kernel buffers take some; then it must say no.
    while (stream.handler.onData(chunk) && chunks < 200) {
      chunks += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(chunks).toBeLessThan(200);
    expect(stream.resumed).toBe(0);
    response.resume();
    while (stream.resumed === 0) await new Promise((resolve) => setImmediate(resolve));
  });

  test("switches protocols with the very bytes that came with the request, and ends its directions apart", async () => {
    const outgoing = httpRequest({
      host: "127.0.0.1",
      port,
      path: `${path}/exec`,
      agent: false,
      headers: { connection: "Upgrade", upgrade: "SPDY/3.1" },
    });
    outgoing.end();
    const stream = await opened.promise;
    expect(stream.head).toMatchObject({ kind: "upgrade", headers: ["upgrade", "SPDY/3.1"] });
    stream.handler.onHead({ status: 101, headers: ["connection", "Upgrade", "upgrade", "SPDY/3.1"] });
    stream.handler.onData(Buffer.from("early"));
    const [, socket, head] = (await once(outgoing, "upgrade")) as [IncomingMessage, Socket, Buffer];
    let received = head.toString();
    socket.on("data", (chunk: Buffer) => (received += chunk.toString()));
    socket.end("from the client");
    await stream.ended.promise;
    expect(Buffer.concat(stream.written).toString()).toBe("from the client");
    stream.handler.onData(Buffer.from(", late"));
    stream.handler.onEnd();
    await once(socket, "close");
    expect(received).toBe("early, late");
  });
});
