// What a stream from the hub becomes in the child: as whom it is asked, with which headers, and how every end reaches the other side.
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { text as readAll } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { silentLogger } from "#std/log.ts";
import { createMetrics, type Metrics } from "#std/metrics.ts";
import { eventually } from "#test/framework/eventually.ts";
import { FakeStream } from "#test/framework/fake-stream.ts";
import { StreamError } from "#tunnel/errors.ts";
import type { StreamHandler } from "#tunnel/stream.ts";
import { createApiserverTarget, createTargets, type ApiserverTarget, type ApiserverTargetOptions } from "./targets.ts";

let server: Server;
let childUrl: string;
let metrics: Metrics;
let target: ApiserverTarget;
let requests: IncomingMessage[];
let respond: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  requests = [];
  respond = (_request, response) => response.end("ok");
  server = createServer((request, response) => {
    requests.push(request);
    respond(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  childUrl = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  useTarget({});
});

afterEach(async () => {
  await target[Symbol.asyncDispose]();
  server.closeAllConnections();
  server.close();
});

function useTarget(options: Partial<ApiserverTargetOptions>): void {
  metrics = createMetrics();
  target = createApiserverTarget({
    childConnection: { server: childUrl, caPem: undefined },
    proxyToken: () => "proxy-token",
    policy: { parentSystemNamespace: "clusternet-system", allowPush: false },
    log: silentLogger,
    metrics,
    ...options,
  });
}

async function outcomes(): Promise<Record<string, number>> {
  const lines = (await metrics.text()).matchAll(/^clusternet_agent_proxied_requests_total\{outcome="(.+)"\} (\d+)$/gm);
  return Object.fromEntries([...lines].map(([, outcome = "", count]) => [outcome, Number(count)]));
}

const isOver = (stream: FakeStream) => (): boolean => stream.isEnded || stream.resetWith !== undefined;

async function ask(stream: FakeStream): Promise<FakeStream> {
  target.accept(stream);
  await eventually("the stream is over", isOver(stream), { intervalMs: 5 });
  return stream;
}

const controllerManager = {
  user: "system:serviceaccount:clusternet-system:clusternet-controller-manager",
  uid: "",
  groups: [],
  extra: {},
};

describe("createTargets", () => {
  test.each(["nothing", "constructor", "__proto__"])("refuses the target %s", (name) => {
    const stream = new FakeStream({ target: name });
    const handler = createTargets({
      apiserver: () => {
        throw new Error("Not asked for");
      },
    })(stream);
    expect(stream.resetWith).toBe(`refused: This agent has no target ${JSON.stringify(name)}`);
    expect(handler.onData(Buffer.from("x"))).toBe(true);
  });

  test("hands a stream to the target that it names", () => {
    const handler: StreamHandler = { onData: () => true, onEnd: () => undefined, onReset: () => undefined };
    expect(createTargets({ apiserver: () => handler })(new FakeStream())).toBe(handler);
  });
});

describe("refused, without a byte to the child, is", () => {
  const cases = [
    { it: "a connection to a host and port", head: { kind: "dial" }, says: /Connections to a host and port/ },
    {
      it: "the parent's own machinery",
      head: { identity: { user: "system:admin", uid: "", groups: [], extra: {} } },
      says: /system:admin/,
    },
    { it: "an empty credential", head: { credential: "" }, says: /empty or malformed/ },
    { it: "Push that the child did not allow", head: { identity: controllerManager }, says: /--allow-push/ },
  ] as const;
  test.each(cases)("$it", async ({ head, says }) => {
    const stream = await ask(new FakeStream(head));
    expect(stream.resetWith).toMatch(/^refused: /);
    expect(stream.resetWith).toMatch(says);
    expect([requests.length, await outcomes()]).toEqual([0, { refused: 1 }]);
  });

  test("Push to an agent without a deployer", async () => {
    useTarget({ policy: { parentSystemNamespace: "clusternet-system", allowPush: true } });
    const stream = await ask(new FakeStream({ identity: controllerManager }));
    expect(stream.resetWith).toBe("refused: this agent has no deployer account");
  });
});

describe("the child is asked", () => {
  test("as the caller, by the proxy account", async () => {
    await ask(new FakeStream());
    expect(requests[0]?.headers).toMatchObject({
      authorization: "Bearer proxy-token",
      "impersonate-user": "ana",
      "impersonate-group": "dev",
    });
  });

  test("with the caller's own credential, and then as nobody else", async () => {
    await ask(new FakeStream({ credential: "Bearer of-the-child" }));
    expect(requests[0]?.headers.authorization).toBe("Bearer of-the-child");
    expect(Object.keys(requests[0]?.headers ?? {}).filter((name) => name.startsWith("impersonate-"))).toEqual([]);
  });

  test("as the deployer, for a Push that is allowed", async () => {
    const policy = { parentSystemNamespace: "clusternet-system", allowPush: true };
    useTarget({ policy, deployerToken: () => Promise.resolve("deployer-token") });
    await ask(new FakeStream({ identity: controllerManager }));
    expect(requests[0]?.headers.authorization).toBe("Bearer deployer-token");
    expect(requests[0]?.headers).not.toHaveProperty("impersonate-user");
  });

  test("with the token of that moment: a renewed one is used for the next request", async () => {
    let token = "first";
    useTarget({ proxyToken: () => token });
    await ask(new FakeStream());
    token = "renewed";
    await ask(new FakeStream());
    expect(requests.map(({ headers }) => headers.authorization)).toEqual(["Bearer first", "Bearer renewed"]);
  });

  test("without any credential or identity that came in a header, and with every other header as it was", async () => {
    const foreign = ["Authorization", "Cookie", "Proxy-Authorization", "Impersonate-User", "X-Remote-Group", "Audit-ID", "Host"];
    const kept = ["Accept", "a", "X-Own", "1", "x-own", "2"];
    const headers = [...foreign.flatMap((name) => [name, "forged"]), ...kept];
    await ask(new FakeStream({ headers, requestId: "r-1" }));
    const raw = requests[0]?.rawHeaders ?? [];
    expect(raw).not.toContain("forged");
    expect(raw.filter((_, index) => raw[index - (index % 2)]?.toLowerCase() === "x-own")).toEqual(["X-Own", "1", "x-own", "2"]);
    expect(requests[0]?.headers).toMatchObject({ "audit-id": "r-1", accept: "a", host: new URL(childUrl).host });
  });

  test("below the path that its server has, with the caller's path byte for byte", async () => {
    useTarget({ childConnection: { server: `${childUrl}/k8s/c-1//`, caPem: undefined } });
    await ask(new FakeStream({ path: "/api//a%2Fb?x=%20&x=+" }));
    expect(requests[0]?.url).toBe("/k8s/c-1/api//a%2Fb?x=%20&x=+");
  });
});

describe("a token that is not at hand", () => {
  test("and cannot be had is said to be the reason", async () => {
    useTarget({ proxyToken: () => Promise.reject(new Error("Forbidden")) });
    const stream = await ask(new FakeStream());
    expect(stream.resetWith).toBe("unreachable: The agent has no token for the child's API server: Forbidden");
    expect([requests.length, await outcomes()]).toEqual([0, { unreachable: 1 }]);
  });

  test.each([
    ["comes", true],
    ["fails", false],
  ])("and %s after the caller went is not used", async (_what, comes) => {
    const token = Promise.withResolvers<string>();
    useTarget({ proxyToken: () => token.promise });
    const handler = target.accept(new FakeStream());
    handler.onReset(new StreamError("cancelled", "Gone"));
    if (comes) token.resolve("late");
    else token.reject(new Error("late"));
    await new Promise(setImmediate);
    expect([requests.length, await outcomes()]).toEqual([0, { cancelled: 1 }]);
  });
});

describe("an answer", () => {
  test("passes with its status and headers, but those of one connection", async () => {
    respond = (_request, response) => {
      response.writeHead(201, {
        "Content-Type": "a/b",
        "X-Two": ["1", "2"],
        Connection: "keep-alive",
        "Keep-Alive": "timeout=5",
      });
      response.write("one,");
      response.end("two");
    };
    const stream = await ask(new FakeStream());
    const { date: _date, ...headers } = Object.fromEntries(pairs(stream.answer?.headers ?? []));
    expect({ status: stream.answer?.status, headers, body: stream.body }).toEqual({
      status: 201,
      headers: { "content-type": "a/b", "x-two": "1,2" },
      body: "one,two",
    });
    expect(await outcomes()).toEqual({ answered: 1 });
  });

  test.each([
    ["HEAD", 200, { "content-length": "9" }],
    ["GET", 204, {}],
    ["GET", 304, {}],
    ["GET", 200, { "content-length": "0" }],
  ])("to %s with status %d and %j ends with its head", async (method, status, headers) => {
    respond = (_request, response) => response.writeHead(status, headers).end();
    const stream = await ask(new FakeStream({ method }));
    expect([stream.answer?.status, stream.body, stream.resetWith]).toEqual([status, "", undefined]);
  });

  test("is the final one: what the child says for the time being stays on its connection", async () => {
    respond = (_request, response) => {
      response.writeEarlyHints({ link: "</a>; rel=preload" });
      response.end("ok");
    };
    const stream = await ask(new FakeStream());
    expect([stream.answers, stream.answer?.status]).toEqual([1, 200]);
  });

  test("waits for a hub that takes no more", async () => {
    const parts = 200;
    const part = "x".repeat(64 * 1024);
    respond = (_request, response) => {
      for (let index = 0; index < parts; index += 1) response.write(part);
      response.end();
    };
    const stream = new FakeStream();
    stream.takes = false;
    const handler = target.accept(stream);
    let before = 0;
    const isStill = (): boolean => stream.body.length > 0 && before === (before = stream.body.length);
    await eventually("nothing more arrives", isStill, { intervalMs: 50 });
    expect(stream.body.length).toBeLessThan(parts * part.length);
    stream.takes = true;
    handler.onDrain?.();
    await eventually("the rest arrives", isOver(stream), { intervalMs: 5 });
    expect(stream.body.length).toBe(parts * part.length);
  });

  test("that the child breaks off is reset, never ended", async () => {
    respond = (_request, response) => {
      response.writeHead(200, { "content-length": "10" });
      response.write("half", () => response.destroy());
    };
    const stream = await ask(new FakeStream());
    expect({ body: stream.body, isEnded: stream.isEnded }).toEqual({ body: "half", isEnded: false });
    expect(stream.resetWith).toMatch(/^target-failed: The child's API server broke off its answer/);
    expect(await outcomes()).toEqual({ "target-failed": 1 });
  });

  test("that cannot be had is unreachable", async () => {
    useTarget({ childConnection: { server: "http://127.0.0.1:1", caPem: undefined } });
    const stream = await ask(new FakeStream());
    expect(stream.resetWith).toMatch(/^unreachable: The child's API server cannot be reached: .*ECONNREFUSED/);
    expect(await outcomes()).toEqual({ unreachable: 1 });
  });

  test("that nobody waits for any more is not waited for here: the child sees the request go", async () => {
    const gone = Promise.withResolvers<undefined>();
    respond = (_request, response) => {
      response.once("close", () => {
        gone.resolve(undefined);
      });
    };
    const handler = target.accept(new FakeStream());
    await eventually("the child was asked", () => requests.length === 1, { intervalMs: 5 });
    handler.onReset(new StreamError("cancelled", "Gone"));
    await gone.promise;
    expect(await outcomes()).toEqual({ cancelled: 1 });
  });
});

describe("a connection that the child closes just when it is used again", () => {
  beforeEach(() => {
    respond = (request, response) => {
      if (requests.length === 2) request.socket.destroy();
      else response.end("ok");
    };
  });

  test("is not noticed by a GET: it is sent once more", async () => {
    await ask(new FakeStream());
    const second = await ask(new FakeStream());
    expect([second.body, second.resetWith, requests.length]).toEqual(["ok", undefined, 3]);
  });

  test("fails a POST: it may have been carried out", async () => {
    await ask(new FakeStream());
    const second = await ask(new FakeStream({ method: "POST" }));
    expect(second.resetWith).toMatch(/^unreachable: /);
    expect(requests.length).toBe(2);
  });
});

describe("a request's body", () => {
  test("arrives whole", async () => {
    respond = (request, response) => void readAll(request).then((body) => response.end(body));
    const stream = new FakeStream({ method: "POST", headers: ["content-length", "8"] }, false);
    const handler = target.accept(stream);
    handler.onData(Buffer.from("one,"));
    handler.onData(Buffer.from("two."));
    handler.onEnd();
    await eventually("it is answered", isOver(stream), { intervalMs: 5 });
    expect(stream.body).toBe("one,two.");
  });

  test("is asked for again once the child has taken what waited", async () => {
    let taken = 0;
    respond = (request, response) => {
      request.on("data", (chunk: Buffer) => (taken += chunk.byteLength)).on("end", () => response.end(String(taken)));
    };
    const stream = new FakeStream({ method: "POST" }, false);
    const handler = target.accept(stream);
    const chunk = Buffer.alloc(64 * 1024);
    let sent = chunk.byteLength;
    while (handler.onData(chunk)) sent += chunk.byteLength;
    const before = stream.resumed;
    await eventually("more is asked for", () => stream.resumed > before, { intervalMs: 5 });
    handler.onEnd();
    await eventually("it is answered", isOver(stream), { intervalMs: 5 });
    expect(stream.body).toBe(String(sent));
  });

  test("that the child does not take pauses the hub", () => {
    const handler = target.accept(new FakeStream({ method: "POST" }, false));
    const chunk = Buffer.alloc(64 * 1024);
    const answers = Array.from({ length: 8 }, () => handler.onData(chunk));
    expect([answers.at(0), answers.at(-1)]).toEqual([true, false]);
    handler.onReset(new StreamError("cancelled", "Gone"));
  });

  test("that breaks off breaks the request off", async () => {
    const broken = Promise.withResolvers<boolean>();
    respond = (request) => {
      request.resume();
      request.once("close", () => {
        broken.resolve(request.complete);
      });
    };
    const handler = target.accept(new FakeStream({ method: "POST" }, false));
    handler.onData(Buffer.from("half"));
    await eventually("the child was asked", () => requests.length === 1, { intervalMs: 5 });
    handler.onReset(new StreamError("tunnel-lost", "Lost"));
    expect(await broken.promise).toBe(false);
  });
});

describe("an upgrade", () => {
  const upgrade = { kind: "upgrade", headers: ["Upgrade", "SPDY/3.1", "Connection", "Upgrade"] } as const;
  let peer: Promise<Duplex>;

  beforeEach(() => {
    peer = new Promise((resolve) => {
      server.on("upgrade", (request: IncomingMessage, socket: Duplex) => {
        requests.push(request);
        socket.on("error", () => undefined);
        socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-A: b\r\n\r\nhello");
        resolve(socket);
      });
    });
  });

  test("carries raw bytes both ways, early ones too, and each direction ends on its own", async () => {
    server.prependListener("connection", (socket: Socket & { allowHalfOpen: boolean }) => (socket.allowHalfOpen = true));
    const stream = new FakeStream(upgrade, false);
    const handler = target.accept(stream);
    handler.onData(Buffer.from("early,"));
    const socket = await peer;
    await eventually("the switch is answered", () => stream.body === "hello", { intervalMs: 5 });
    const { status, headers } = stream.answer ?? { status: 0, headers: [] };
    expect([status, Object.fromEntries(pairs(headers))]).toEqual([
      101,
      { connection: "Upgrade", upgrade: "SPDY/3.1", "x-a": "b" },
    ]);
    handler.onData(Buffer.from("later"));
    handler.onEnd();
    expect(await readAll(socket)).toBe("early,later");
    expect(stream.isEnded).toBe(false);
    socket.end(" bye");
    await eventually("the child's direction ends", isOver(stream), { intervalMs: 5 });
    expect(stream.body).toBe("hello bye");
    expect(requests[0]?.headers).toMatchObject({ upgrade: "SPDY/3.1", authorization: "Bearer proxy-token" });
  });

  test("whose client has ended before the switch ends that direction after it", async () => {
    const stream = new FakeStream(upgrade, false);
    const handler = target.accept(stream);
    handler.onData(Buffer.from("all"));
    handler.onEnd();
    expect(await readAll(await peer)).toBe("all");
  });

  test("that the child refuses is answered like any request", async () => {
    server.removeAllListeners("upgrade");
    respond = (_request, response) => response.writeHead(403, { "content-length": "2" }).end("no");
    const stream = await ask(new FakeStream(upgrade, false));
    expect([stream.answer?.status, stream.body]).toEqual([403, "no"]);
  });

  test("that the hub gives up closes the child's connection", async () => {
    const stream = new FakeStream(upgrade, false);
    const handler = target.accept(stream);
    const socket = await peer;
    await eventually("the switch is answered", () => stream.answer !== undefined, { intervalMs: 5 });
    socket.resume();
    handler.onReset(new StreamError("cancelled", "Gone"));
    await eventually("the child sees it", () => socket.readableEnded || socket.destroyed, { intervalMs: 5 });
  });

  test("waits for a hub that takes no more", async () => {
    const stream = new FakeStream(upgrade, false);
    stream.takes = false;
    const handler = target.accept(stream);
    const socket = await peer;
    await eventually("the first bytes arrive", () => stream.body === "hello", { intervalMs: 5 });
    socket.write(" more");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(stream.body).toBe("hello");
    stream.takes = true;
    handler.onDrain?.();
    await eventually("the rest arrives", () => stream.body === "hello more", { intervalMs: 5 });
    handler.onReset(new StreamError("cancelled", "Gone"));
  });
});

/** Values of one name in order, joined. */
function pairs(flat: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (let index = 0; index + 1 < flat.length; index += 2) {
    const name = flat[index] ?? "";
    const before = found.get(name);
    found.set(name, before === undefined ? (flat[index + 1] ?? "") : `${before},${flat[index + 1] ?? ""}`);
  }
  return found;
}
