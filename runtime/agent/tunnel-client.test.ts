// How an agent keeps one tunnel alive: what it dials with, when it dials again, what it says about failures, and how it ends.
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { createLogger } from "#std/log.ts";
import { createMetrics, type Metrics } from "#std/metrics.ts";
import { createFakeClock, type FakeClock } from "#test/framework/fake-clock.ts";
import { eventually } from "#test/framework/eventually.ts";
import { createSession, type Session } from "#tunnel/session.ts";
import type { ResponseHandler } from "#tunnel/stream.ts";
import { acceptWebSocket } from "#tunnel/websocket-transport.ts";
import { runTunnelClient, type ParentAddress, type TunnelStatus } from "./tunnel-client.ts";

const SECRET = "a-secret-token";
const soon = { intervalMs: 5, timeoutMs: 20_000 } as const;
const never = new AbortController().signal;

/** What the parent does with the next dials; the last one stays. */
type Answer = "accept" | "silent" | { readonly status: number; readonly body: string };

let clock: FakeClock;
let server: Server;
let url: string;
let answers: Answer[];
let dials: IncomingMessage[];
/** Hub ends of the tunnels, newest last. */
let hubs: Session[];
let statuses: TunnelStatus[];
let lines: Record<string, unknown>[];
let metrics: Metrics;
let stop: AbortController;
let running: Promise<void>;
const sockets = new Set<Duplex>();

beforeEach(async () => {
  clock = createFakeClock();
  [answers, dials, hubs, statuses, lines] = [["accept"], [], [], [], []];
  metrics = createMetrics();
  stop = new AbortController();
  running = Promise.resolve();
  server = createServer();
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    dials.push(request);
    const answer = (answers.length > 1 ? answers.shift() : answers[0]) ?? "accept";
    if (answer === "accept" || answer === "silent") void attach(request, socket, { head, answer });
    else
      socket.end(`HTTP/1.1 ${String(answer.status)} No\r\ncontent-length: ${String(answer.body.length)}\r\n\r\n${answer.body}`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
});

afterEach(async () => {
  stop.abort(new Error("The test is over"));
  await running;
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  server.close();
});

async function attach(
  request: IncomingMessage,
  socket: Duplex,
  { head, answer }: { readonly head: Buffer; readonly answer: "accept" | "silent" },
): Promise<void> {
  const transport = await acceptWebSocket(request, socket, head);
  if (answer === "silent") return;
  const session = createSession(transport, { role: "hub", clock });
  void session.run(stop.signal);
  await session.ready;
  hubs.push(session);
}

function start(parent: Partial<ParentAddress> = {}): void {
  const destination = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) };
  running = runTunnelClient(
    {
      clusterId: "c1",
      parent: { server: url, token: () => SECRET, caPem: () => undefined, ...parent },
      targets: {
        apiserver: (stream) => {
          stream.respond({ status: 200, headers: [] });
          stream.end(Buffer.from("ok"));
          return { onData: () => true, onEnd: () => undefined, onReset: () => undefined };
        },
      },
      clock,
      log: createLogger({ component: "agent", level: "debug", destination }),
      metrics,
      onStatus: (status) => statuses.push(status),
    },
    stop.signal,
  );
}

const isConnected = (times: number) => (): boolean =>
  statuses.filter(({ state }) => state === "connected").length === times && hubs.length === times;
const isWaiting = (): boolean => statuses.at(-1)?.state === "connecting" && clock.sleeping > 0;
const events = (event: string): Record<string, unknown>[] => lines.filter((line) => line["event"] === event);

async function counted(name: string): Promise<Record<string, number>> {
  const found = (await metrics.text()).matchAll(new RegExp(`^clusternet_agent_tunnel_${name}\\{[^=]+="(.+)"\\} (\\d+)$`, "gm"));
  return Object.fromEntries([...found].map(([, label = "", count]) => [label, Number(count)]));
}

/** Moves time step by step, so that what one step starts can be awaited, until the next dial; returns how long that took. */
async function msUntilNextDial(): Promise<number> {
  const before = dials.length;
  const startedAt = clock.monotonic();
  while (dials.length === before) {
    await clock.advance(10);
    // A dial is real I/O.
    if (clock.sleeping === 0) await eventually("it has dialled", () => dials.length > before, soon);
  }
  return clock.monotonic() - startedAt;
}

function ask(hub: Session): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let body = "";
  const handler: ResponseHandler = {
    onHead: () => undefined,
    onData: (chunk) => {
      body += chunk.toString();
      return true;
    },
    onEnd: () => {
      resolve(body);
    },
    onReset: ({ reason, message }) => {
      resolve(`${reason}: ${message}`);
    },
  };
  const identity = { user: "ana", uid: "", groups: [], extra: {} };
  const head = { kind: "request", target: "apiserver", method: "GET", path: "/", headers: [], identity } as const;
  hub.request(head, handler, { end: true });
  return promise;
}

describe("a tunnel", () => {
  test("is dialled at the cluster's own path with the token, and serves the targets", async () => {
    start({ server: `${url}/k8s//` });
    expect(statuses).toEqual([{ state: "connecting", since: clock.now(), lastError: undefined }]);
    await eventually("it is connected", isConnected(1), soon);
    expect(dials[0]?.url).toBe("/k8s/apis/proxies.clusternet.io/v1alpha1/sockets/c1/attach");
    expect(dials[0]?.headers).toMatchObject({ authorization: `Bearer ${SECRET}`, "sec-websocket-protocol": "clusternet.v1" });
    expect(await ask(hubs[0]!)).toBe("ok");
    expect(await metrics.text()).toMatch(/^clusternet_agent_tunnel_connected 1$/m);
    expect(await counted("dials_total")).toEqual({ connected: 1 });
  });

  test("ends with the signal: the hub is told, and nobody dials again", async () => {
    start();
    await eventually("it is connected", isConnected(1), soon);
    stop.abort(new Error("Stopped"));
    await running;
    expect(events("tunnel.ended")).toMatchObject([{ reason: "aborted", message: "Stopped" }]);
    expect([hubs[0]?.state, dials.length]).toEqual(["closed", 1]);
  });

  test("ends with the signal while it waits to dial again", async () => {
    answers = [{ status: 503, body: "" }];
    start();
    await eventually("it waits", isWaiting, soon);
    stop.abort(new Error("Stopped"));
    await running;
    expect([dials.length, clock.sleeping]).toEqual([1, 0]);
  });

  test("ends with the signal while it dials, and does not call that a failure", async () => {
    answers = ["silent"];
    start();
    await eventually("it has dialled", () => dials.length === 1, soon);
    stop.abort(new Error("Stopped"));
    await running;
    expect(events("tunnel.dial-failed")).toEqual([]);
  });
});

describe("a dial", () => {
  test("brings the token and the authority of that moment", async () => {
    answers = [{ status: 503, body: "" }, "accept"];
    let token = "first";
    let reads = 0;
    start({
      token: () => Promise.resolve(token),
      caPem: () => {
        reads += 1;
        return Promise.resolve(undefined);
      },
    });
    await eventually("it waits", isWaiting, soon);
    token = "renewed";
    await msUntilNextDial();
    expect(dials.map(({ headers }) => headers.authorization)).toEqual(["Bearer first", "Bearer renewed"]);
    expect(reads).toBe(2);
  });

  const failures: [string, Answer, RegExp][] = [
    ["an unknown token", { status: 401, body: "" }, /does not accept this agent's token: .* answered 401/],
    ["a missing right", { status: 403, body: '{"message":"no attach"}' }, /does not allow this agent to attach: 403 no attach/],
    ["a parent without a hub", { status: 404, body: "404 page not found" }, /has no hub to attach to: .* answered 404/],
    ["a hub that is away", { status: 503, body: '{"message":"away"}' }, /has no hub to attach to: 503 away/],
    ["another answer", { status: 500, body: '{"message":7}' }, /answered 500/],
    ["another answer with a message", { status: 429, body: '{"message":"full"}' }, /^429 full$/],
  ];
  test.each(failures)("that meets %s says so, and never with the token", async (_what, answer, says) => {
    answers = [answer];
    start();
    await eventually("it waits", isWaiting, soon);
    expect(statuses.at(-1)).toMatchObject({ state: "connecting", lastError: expect.stringMatching(says) });
    expect(events("tunnel.dial-failed")).toMatchObject([{ attempt: 0, error: expect.stringMatching(says) }]);
    expect(await counted("dials_total")).toEqual({ failed: 1 });
    expect(await metrics.text()).toMatch(/^clusternet_agent_tunnel_connected 0$/m);
    expect(JSON.stringify([lines, statuses])).not.toContain(SECRET);
  });

  test("without a token or a readable authority is a failed dial, not the end", async () => {
    let problem: string | undefined = "No token";
    start({ token: () => (problem === undefined ? SECRET : Promise.reject(new Error(problem))) });
    await eventually("it waits", isWaiting, soon);
    expect(statuses.at(-1)).toMatchObject({ lastError: "No token" });
    problem = undefined;
    await msUntilNextDial();
    await eventually("it is connected", isConnected(1), soon);
  });

  test("that nobody answers is said to be unreachable", async () => {
    start({ server: "http://127.0.0.1:1" });
    await eventually("it waits", isWaiting, soon);
    expect(statuses.at(-1)).toMatchObject({ lastError: expect.stringMatching(/^Cannot reach ws:.*ECONNREFUSED/) });
  });

  test("whose other end says no HELLO is given up", async () => {
    answers = ["silent", "accept"];
    start();
    await eventually("it has dialled", () => dials.length === 1, soon);
    await eventually("it waits for the HELLO", () => clock.sleeping > 0, soon);
    while (statuses.at(-1)?.state === "connecting" && events("tunnel.dial-failed").length === 0) await clock.advance(1_000);
    expect(events("tunnel.dial-failed")).toMatchObject([{ error: expect.stringMatching(/No HELLO/) }]);
    await msUntilNextDial();
    await eventually("it is connected", isConnected(1), soon);
  });
});

describe("the wait before the next dial", () => {
  test("doubles with every failure, up to half a minute, and is never the same for all", async () => {
    answers = [{ status: 503, body: "" }];
    start();
    for (const ceilingMs of [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      await eventually("it waits", isWaiting, soon);
      const waitedMs = await msUntilNextDial();
      expect(waitedMs).toBeGreaterThanOrEqual(ceilingMs / 2);
      expect(waitedMs).toBeLessThanOrEqual(ceilingMs + 10);
      const failed = dials.length;
      await eventually("it has failed again", () => events("tunnel.dial-failed").length === failed, soon);
    }
  });

  test("begins anew after a tunnel that lived for half a minute, and not after a short one", async () => {
    answers = [{ status: 503, body: "" }, { status: 503, body: "" }, "accept"];
    start();
    for (let index = 0; index < 2; index += 1) {
      await eventually("it waits", isWaiting, soon);
      await msUntilNextDial();
      await eventually("it was answered", () => events("tunnel.dial-failed").length + hubs.length === index + 2, soon);
    }
    await eventually("it is connected", isConnected(1), soon);
    hubs[0]?.close("Short");
    await eventually("it waits", isWaiting, soon);
    expect(await msUntilNextDial()).toBeGreaterThanOrEqual(1_000);

    await eventually("it is connected", isConnected(2), soon);
    await clock.advance(31_000);
    hubs[1]?.close("Long");
    await eventually("it waits", isWaiting, soon);
    expect(await msUntilNextDial()).toBeLessThanOrEqual(760);
  });
});

describe("a tunnel that the hub ends", () => {
  test("is reported with the hub's words", async () => {
    start();
    await eventually("it is connected", isConnected(1), soon);
    hubs[0]?.close("There are newer tunnels");
    await eventually("it waits", isWaiting, soon);
    expect(statuses.at(-1)).toMatchObject({ state: "connecting", lastError: expect.stringContaining("There are newer tunnels") });
    expect(events("tunnel.ended")).toMatchObject([{ reason: "lost" }]);
    expect(await counted("ends_total")).toEqual({ lost: 1 });
  });

  test.each([1, 2, 3])("by GOAWAY is replaced without back-off, however often (%d)", async (times) => {
    start();
    for (let count = 1; count <= times; count += 1) {
      await eventually("it is connected", isConnected(count), soon);
      void hubs[count - 1]?.drain("Going", never);
      await eventually("it has ended", () => events("tunnel.ended").length === count, soon);
      expect(events("tunnel.ended").at(-1)).toMatchObject({ reason: "drained" });
      expect(await msUntilNextDial()).toBeLessThanOrEqual(250 + 500 + 10);
      expect(statuses.at(-1 - (statuses.at(-1)?.state === "connected" ? 1 : 0))).toMatchObject({
        lastError: "the hub is going away",
      });
    }
    await eventually("it is connected again", isConnected(times + 1), soon);
  });
});
