import { afterEach, describe, expect, test } from "@jest/globals";
import { randomBytes } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { createFakeClock, type FakeClock } from "#test/framework/fake-clock.ts";
import { createMemoryLink, type MemoryLink, type MemoryLinkOptions } from "#test/framework/memory-transport.ts";
import { realClock } from "#std/clock.ts";
import type { ResetReason, SessionEnd, StreamError } from "./errors.ts";
import { ByteBudget } from "./flow-control.ts";
import { encodeFrame, FrameType } from "./frame.ts";
import { encodeHello } from "./handshake.ts";
import type { RequestHead, ResponseHead } from "./head.ts";
import { CREDIT_ALONE_BYTES, DEFAULT_LIMITS, SILENCE_MAX_MS, TUNNEL_BYTES_MAX } from "./limits.ts";
import { createSession, type Session } from "./session.ts";
import type { SessionOptions } from "./session-options.ts";
import type { IncomingStream, RequestStream, ResponseHandler, StreamHandler } from "./stream.ts";

const MIB = 1024 * 1024;

describe("requests", () => {
  test("a request reaches the peer with its head, and the answer comes back", async () => {
    const heads: RequestHead[] = [];
    const tunnel = await openTunnel({
      accept: (stream) => {
        heads.push(stream.head);
        stream.respond({ status: 200, headers: ["content-type", "text/plain"] });
        stream.end(Buffer.from("hello"));
        return sink();
      },
    });
    const head = aRequest({ credential: "Bearer abc", requestId: "r-1", headers: ["accept", "a, b", "x", "ü"] });
    const answer = await ask(tunnel.hub, head);
    expect(heads).toEqual([head]);
    expect(answer).toMatchObject({ head: { status: 200, headers: ["content-type", "text/plain"] }, body: Buffer.from("hello") });
    await settled();
    expect([tunnel.hub.stats.openStreams, tunnel.agent.stats.openStreams]).toEqual([0, 0]);
  });

  test("identity values are never joined: a group may contain a comma", async () => {
    const tunnel = await openTunnel({ accept: echoHead });
    const identity = { user: "a,b", uid: "u", groups: ["g1,g2", "", "g3"], extra: { "x/y": ["1,2", "3"], __proto__: ["p"] } };
    const answer = await ask(tunnel.hub, aRequest({ identity }));
    expect(JSON.parse(answer.body.toString())).toEqual(JSON.parse(JSON.stringify(identity)));
  });

  test("both ends may open streams at the same time", async () => {
    const tunnel = await openTunnel({ accept: echo, hub: { accept: echo } });
    const bodies = [randomBytes(100_000), randomBytes(100_000)];
    const [down, up] = await Promise.all([
      ask(tunnel.hub, aRequest(), { body: bodies[0]! }),
      ask(tunnel.agent, aRequest(), { body: bodies[1]! }),
    ]);
    expect(down.body.equals(bodies[0]!)).toBe(true);
    expect(up.body.equals(bodies[1]!)).toBe(true);
  });

  test("an answer that ends before the request's body cancels the rest of the body", async () => {
    const peer = recorder();
    const tunnel = await openTunnel({
      accept: (stream) => {
        stream.respond({ status: 413, headers: [] }, { end: true });
        return peer.handler;
      },
    });
    const mine = recorder();
    const stream = tunnel.hub.request(aRequest(), mine.handler);
    stream.write(Buffer.alloc(10));
    await settled();
    expect(mine.events).toEqual(["head 413", "end"]);
    expect(stream.closed).toBe(true);
    expect(peer.events).toEqual(["data 10", "reset cancelled"]);
    expect(tunnel.agent.stats.openStreams).toBe(0);
  });

  test("a head above the limit is refused here, before anything is sent", async () => {
    const tunnel = await openTunnel({ accept: echo });
    const path = `/${"x".repeat(DEFAULT_LIMITS.headBytesMax)}`;
    expect(() => tunnel.hub.request(aRequest({ path }), recorder().handler)).toThrow(/exceeds/);
    expect(tunnel.hub.stats.openStreams).toBe(0);
  });

  test("a head of the largest size passes", async () => {
    const tunnel = await openTunnel({ accept: echo });
    const path = `/${"x".repeat(DEFAULT_LIMITS.headBytesMax - 300)}`;
    expect((await ask(tunnel.hub, aRequest({ path }))).head?.status).toBe(200);
  });

  test("more streams than the limit are refused here", async () => {
    const tunnel = await openTunnel({ accept: () => sink(), agent: { limits: { streamsMax: 3 } } });
    for (let index = 0; index < 3; index += 1) tunnel.hub.request(aRequest(), recorder().handler);
    expect(() => tunnel.hub.request(aRequest(), recorder().handler)).toThrow("3 streams are open");
  });
});

describe("many streams", () => {
  test("100 concurrent streams with random sizes and pauses deliver every byte once, in order", async () => {
    const tunnel = await openTunnel({ accept: echoWithPauses });
    const bodies = Array.from({ length: 100 }, (_, index) => randomBytes(((index * 7919) % 97) * 6_000 + index));
    const answers = await Promise.all(bodies.map((body) => ask(tunnel.hub, aRequest(), { body, pauses: true })));
    answers.forEach((answer, index) => expect(answer.body.equals(bodies[index]!)).toBe(true));
    await settled();
    expect([tunnel.hub.stats, tunnel.agent.stats].map(({ openStreams, bytesWaiting }) => [openStreams, bytesWaiting])).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  test("a reader that stops stalls only its own stream, and holds no more than its window", async () => {
    const tunnel = await openTunnel({ accept: answerWithBytes(2 * MIB) });
    const stalled = tunnel.hub.request(aRequest(), { ...sink(), onHead: () => undefined, onData: () => false }, { end: true });
    await settled();
    const others = await Promise.all(Array.from({ length: 10 }, () => ask(tunnel.hub, aRequest())));
    expect(others.map((answer) => answer.body.length)).toEqual(others.map(() => 2 * MIB));
    expect(tunnel.hub.stats.bytesWaiting).toBeLessThanOrEqual(DEFAULT_LIMITS.creditInitialBytes);
    stalled.reset("cancelled");
    await settled();
    expect(tunnel.agent.stats).toMatchObject({ openStreams: 0, bytesWaiting: 0 });
  });

  test("a stalled reader that resumes gets everything", async () => {
    const tunnel = await openTunnel({ accept: answerWithBytes(2 * MIB) });
    let received = 0;
    const state = { isEnded: false };
    const stream = tunnel.hub.request(
      aRequest(),
      {
        onHead: () => undefined,
        onData: (chunk) => ((received += chunk.length), false),
        onEnd: () => (state.isEnded = true),
        onReset: fail,
      },
      { end: true },
    );
    while (!state.isEnded) {
      await turn();
      stream.resume();
    }
    expect(received).toBe(2 * MIB);
  });

  test("what waits stays within the tunnel's budget: the stream that holds most is reset", async () => {
    const processBudget = new ByteBudget(1 * MIB);
    const tunnel = await openTunnel({ accept: answerWithBytes(MIB), hub: { processBudget } });
    const streams = Array.from({ length: 8 }, () => {
      const record = recorder({ isStalled: true });
      return { record, stream: tunnel.hub.request(aRequest(), record.handler, { end: true }) };
    });
    await settled();
    expect(processBudget.waitingBytes).toBeLessThanOrEqual(1 * MIB);
    expect(streams.filter(({ record }) => record.events.includes("reset overloaded")).length).toBeGreaterThan(0);
    tunnel.hub.close("done");
    expect(processBudget.waitingBytes).toBe(0);
    expect(processBudget.grownBytes).toBe(0);
  });

  test("a writer that ignores back-pressure loses its stream, not the process's memory", async () => {
    const tunnel = await openTunnel({ accept: () => ({ ...sink(), onData: () => false }) });
    const mine = recorder();
    const stream = tunnel.hub.request(aRequest(), mine.handler);
    const chunk = Buffer.alloc(MIB);
    for (let index = 0; index < 64 && !stream.closed; index += 1) stream.write(chunk);
    expect(mine.events).toEqual(["reset overloaded"]);
    expect(tunnel.hub.stats.bytesWaiting).toBe(0);
    expect(TUNNEL_BYTES_MAX / MIB).toBeLessThan(64);
  });

  test("with 40 ms of round-trip time one stream reaches 80 MB/s, in the link's own time", async () => {
    const clock = createFakeClock();
    const tunnel = await openTunnel({ accept: answerWithBytes(400 * MIB), link: { delayMs: 20, clock }, clock });
    let bytes = 0;
    const count = (chunk: Buffer): boolean => (bytes += chunk.length) > 0;
    tunnel.hub.request(aRequest(), { ...sink(), onHead: () => undefined, onData: count }, { end: true });
    await advance(clock, 1_000);
    const grown = bytes;
    await advance(clock, 500);
    const megabytesPerSecond = (bytes - grown) / 1_000_000 / 0.5;
    expect(megabytesPerSecond).toBeGreaterThan(80);
    expect(tunnel.hub.stats.windowsGrownBytes).toBeGreaterThan(0);
    tunnel.hub.close("Enough");
    expect(tunnel.hub.stats.windowsGrownBytes).toBe(0);
  }, 30_000);

  test("a stream that has the tunnel for itself borrows room, and another one's request takes it back", async () => {
    const TRICKLE_BYTES = 128 * 1024;
    const clock = createFakeClock();
    const accepted: IncomingStream[] = [];
    const keep = (stream: IncomingStream): StreamHandler => {
      stream.respond({ status: 200, headers: [] });
      accepted.push(stream);
      return sink();
    };
    const tunnel = await openTunnel({ accept: keep, link: { delayMs: 1, clock }, clock });
    const open = (): RequestStream => tunnel.hub.request(aRequest(), { ...sink(), onHead: () => undefined }, { end: true });
    // Slow enough that no measured round trip asks for a larger window.
    const trickle = async (times: number): Promise<void> => {
      for (let sent = 0; sent < times; sent += 1) {
        accepted[0]!.write(Buffer.alloc(TRICKLE_BYTES));
        await advance(clock, 20);
      }
    };
    open();
    await advance(clock, 20);
    await trickle(2);
    expect(tunnel.hub.stats.windowsGrownBytes).toBe(0);
    await trickle(3);
    expect(tunnel.hub.stats.windowsGrownBytes).toBe(CREDIT_ALONE_BYTES - DEFAULT_LIMITS.creditInitialBytes);
    // What is read is not granted again until the loan is back.
    for (let request = 0; request < CREDIT_ALONE_BYTES / TRICKLE_BYTES; request += 1) {
      open();
      await trickle(1);
    }
    expect(tunnel.hub.stats.windowsGrownBytes).toBe(0);
    tunnel.hub.close("Enough");
  });
});

describe("raw streams", () => {
  test("each direction of an upgraded stream ends on its own", async () => {
    const peer = recorder();
    let answering: IncomingStream | undefined;
    const tunnel = await openTunnel({
      accept: (stream) => {
        answering = stream;
        stream.respond({ status: 101, headers: ["upgrade", "SPDY/3.1"] });
        return peer.handler;
      },
    });
    const mine = recorder();
    const stream = tunnel.hub.request(aRequest({ kind: "upgrade" }), mine.handler);
    stream.end(Buffer.from("last words"));
    await settled();
    expect(peer.events).toEqual(["data 10", "end"]);
    answering!.write(Buffer.from("still talking"));
    await settled();
    expect(mine.events).toEqual(["head 101", "data 13"]);
    answering!.end();
    await settled();
    expect(mine.events).toEqual(["head 101", "data 13", "end"]);
    expect([tunnel.hub.stats.openStreams, tunnel.agent.stats.openStreams]).toEqual([0, 0]);
  });

  test("the end of the answering direction leaves the asking one open", async () => {
    const peer = recorder();
    const tunnel = await openTunnel({
      accept: (stream) => {
        stream.respond({ status: 101, headers: [] });
        stream.end();
        return peer.handler;
      },
    });
    const mine = recorder();
    const stream = tunnel.hub.request(aRequest({ kind: "upgrade" }), mine.handler);
    await settled();
    expect(mine.events).toEqual(["head 101", "end"]);
    stream.write(Buffer.alloc(7));
    stream.end();
    await settled();
    expect(peer.events).toEqual(["data 7", "end"]);
  });

  test("a stream to a host and port is refused until it is allowed", async () => {
    const head = aRequest({ kind: "dial", path: "127.0.0.1:22" });
    const closed = await openTunnel({ accept: echo });
    expect((await ask(closed.hub, head)).error).toMatchObject({ reason: "refused", remote: true });
    const open = await openTunnel({ accept: echo, agent: { allowDial: true } });
    expect((await ask(open.hub, head)).head?.status).toBe(200);
  });

  test("an end that accepts nothing refuses every stream", async () => {
    const tunnel = await openTunnel({ accept: echo });
    expect((await ask(tunnel.agent, aRequest())).error).toMatchObject({ reason: "refused" });
  });
});

describe("cancellation", () => {
  test("a reset by the opener reaches the accepting end, with its reason", async () => {
    const peer = recorder();
    const tunnel = await openTunnel({ accept: () => peer.handler });
    const mine = recorder();
    const stream = tunnel.hub.request(aRequest(), mine.handler);
    await settled();
    stream.reset("timeout", "took too long");
    await settled();
    expect(peer.events).toEqual(["reset timeout"]);
    expect(peer.errors[0]).toMatchObject({ message: "took too long", remote: true });
    expect(mine.events).toEqual([]);
    expect(tunnel.agent.stats.openStreams).toBe(0);
  });

  test.each<Exclude<ResetReason, "tunnel-lost">>(["unreachable", "target-failed", "refused", "internal"])(
    "a reset by the accepting end reaches the opener: %s",
    async (reason) => {
      const tunnel = await openTunnel({
        accept: (stream) => {
          stream.reset(reason, "because");
          return sink();
        },
      });
      expect((await ask(tunnel.hub, aRequest())).error).toMatchObject({ reason, message: "because", remote: true });
    },
  );

  test("a reset in the middle of a body stops the data at both ends", async () => {
    const tunnel = await openTunnel({ accept: answerWithBytes(5 * MIB) });
    const mine = recorder();
    const stream = tunnel.hub.request(aRequest(), {
      ...mine.handler,
      onData: (chunk) => {
        mine.handler.onData(chunk);
        stream.reset("cancelled");
        return true;
      },
    });
    await settled();
    expect(mine.events.length).toBe(2);
    expect([tunnel.hub.stats.openStreams, tunnel.agent.stats.openStreams]).toEqual([0, 0]);
    expect((await ask(tunnel.hub, aRequest())).body.length).toBe(5 * MIB);
  });

  test("a handler that throws costs its stream, not the tunnel", async () => {
    const tunnel = await openTunnel({ accept: echo });
    tunnel.hub.request(aRequest(), { ...sink(), onHead: () => fail() }, { end: true });
    await settled();
    expect(tunnel.hub.state).toBe("open");
    expect(tunnel.hub.stats.openStreams).toBe(0);
    const broken = await openTunnel({ accept: () => fail() });
    expect((await ask(broken.hub, aRequest())).error).toMatchObject({ reason: "internal" });
  });
});

describe("the end of a session", () => {
  test("GOAWAY lets open streams finish, refuses new ones, then both ends close", async () => {
    let answering: IncomingStream | undefined;
    const tunnel = await openTunnel({
      accept: (stream) => {
        answering = stream;
        return sink();
      },
    });
    const open = ask(tunnel.hub, aRequest());
    await settled();
    const drained = tunnel.agent.drain("Rolling out", new AbortController().signal);
    await settled();
    expect([tunnel.hub.state, tunnel.agent.state]).toEqual(["draining", "draining"]);
    expect(() => tunnel.hub.request(aRequest(), recorder().handler)).toThrow("The session is draining");
    answering!.respond({ status: 200, headers: [] });
    answering!.end(Buffer.alloc(MIB));
    expect((await open).body.length).toBe(MIB);
    await drained;
    expect([(await tunnel.ended.agent).reason, tunnel.agent.state]).toEqual(["drained", "closed"]);
    expect(["drained", "lost"]).toContain((await tunnel.ended.hub).reason);
  });

  test("a stream opened while GOAWAY was under way fails with draining: it is safe to try elsewhere", async () => {
    const accepted: RequestHead[] = [];
    const tunnel = await openTunnel({
      accept: (stream) => {
        accepted.push(stream.head);
        return sink();
      },
    });
    void tunnel.agent.drain("Rolling out", new AbortController().signal);
    const answer = await ask(tunnel.hub, aRequest());
    expect(answer.error).toMatchObject({ reason: "draining" });
    expect(accepted).toEqual([]);
    await tunnel.ended.hub;
  });

  test("an abort ends a drain that waits", async () => {
    const tunnel = await openTunnel({ accept: () => sink() });
    const waiting = ask(tunnel.hub, aRequest());
    await settled();
    const limit = new AbortController();
    const drained = tunnel.agent.drain("Rolling out", limit.signal);
    limit.abort();
    await drained;
    expect((await waiting).error).toMatchObject({ reason: "tunnel-lost" });
  });

  test("a cut fails every open stream at both ends, once", async () => {
    const peer = recorder();
    const tunnel = await openTunnel({
      accept: (stream) => {
        stream.respond({ status: 200, headers: [] });
        stream.write(Buffer.alloc(1000));
        return peer.handler;
      },
    });
    const mine = recorder();
    const stream = tunnel.hub.request(aRequest(), mine.handler);
    await settled();
    tunnel.link.cut();
    expect(mine.events).toEqual(["head 200", "data 1000", "reset tunnel-lost"]);
    expect(peer.events).toEqual(["reset tunnel-lost"]);
    expect(stream.write(Buffer.alloc(1))).toBe(false);
    stream.end();
    stream.reset("cancelled");
    expect((await tunnel.ended.hub).reason).toBe("lost");
    expect(tunnel.hub.stats).toMatchObject({ openStreams: 0, bytesWaiting: 0 });
    expect(() => tunnel.hub.request(aRequest(), recorder().handler)).toThrow("The session is closed");
  });

  test("a peer that falls silent is dead after a named time", async () => {
    const clock = createFakeClock();
    const tunnel = await openTunnel({ accept: echo, clock, link: { clock, delayMs: 1 } });
    await clock.advance(10 * SILENCE_MAX_MS);
    expect(tunnel.hub.state).toBe("open");
    tunnel.link.stalled = true;
    await clock.advance(2 * SILENCE_MAX_MS);
    expect((await tunnel.ended.hub).reason).toBe("silent");
    expect(["silent", "lost"]).toContain((await tunnel.ended.agent).reason);
  });

  test("an abort of the run's signal ends the session and tells the peer", async () => {
    const tunnel = await openTunnel({ accept: echo });
    tunnel.stop.abort(new Error("Shutting down"));
    expect(await tunnel.ended.hub).toEqual({ reason: "aborted", message: "Shutting down" });
    expect((await tunnel.ended.agent).message).toContain("Shutting down");
  });

  test("measures the round trip", async () => {
    const clock = createFakeClock();
    const tunnel = await openTunnel({ accept: echo, clock, link: { clock, delayMs: 20 } });
    await clock.advance(60);
    expect(tunnel.hub.stats.roundTripMs).toBe(40);
  });
});

describe("a broken peer", () => {
  const hello = encodeFrame({
    type: FrameType.hello,
    streamId: 0,
    end: false,
    payload: encodeHello({ versions: [1], features: [], limits: DEFAULT_LIMITS }),
  });
  // eslint-disable-next-line max-params -- reads like the frame it makes
  const frame = (type: FrameType, streamId: number, payload: Buffer | string = "", end = false): Buffer =>
    encodeFrame({ type, streamId, end, payload: Buffer.from(payload) });
  const openPayload = '["request","apiserver","GET","/",[],"u","",[],{},"",""]';

  const cases: readonly { it: string; sends: readonly Buffer[]; says: string }[] = [
    { it: "sends a frame before HELLO", sends: [frame(FrameType.data, 1, "x")], says: "before HELLO" },
    { it: "sends an unreadable HELLO", sends: [frame(FrameType.hello, 0, "{}")], says: "Unreadable HELLO" },
    { it: "sends HELLO twice", sends: [hello, hello], says: "Unexpected HELLO" },
    { it: "sends an empty message", sends: [hello, Buffer.alloc(0)], says: "Empty message" },
    { it: "sends an unknown frame type", sends: [hello, Buffer.from([0x0f, 0, 0])], says: "Unknown frame type 15" },
    { it: "sends unknown flags", sends: [hello, Buffer.from([0x44, 2, 0])], says: "Unknown flags" },
    { it: "cuts a frame off", sends: [hello, Buffer.from([4, 2, 9, 1])], says: "Frame of 9 bytes" },
    {
      it: "uses an id twice",
      sends: [hello, frame(FrameType.open, 2, openPayload), frame(FrameType.open, 2, openPayload)],
      says: "used again",
    },
    {
      it: "goes back in ids",
      sends: [hello, frame(FrameType.open, 4, openPayload), frame(FrameType.open, 2, openPayload)],
      says: "used again",
    },
    { it: "opens with the other end's id", sends: [hello, frame(FrameType.open, 3, openPayload)], says: "not the peer's" },
    { it: "opens stream 0", sends: [hello, frame(FrameType.open, 0, openPayload)], says: "not the peer's" },
    { it: "sends data for a stream never opened", sends: [hello, frame(FrameType.data, 7, "x")], says: "never opened" },
    { it: "sends a head that is not JSON", sends: [hello, frame(FrameType.open, 2, "{")], says: "not JSON" },
    { it: "sends a head of the wrong shape", sends: [hello, frame(FrameType.open, 2, '["request"]')], says: "wrong shape" },
    {
      it: "sends a head above the limit",
      sends: [hello, frame(FrameType.open, 2, Buffer.alloc(DEFAULT_LIMITS.headBytesMax + 1, 32))],
      says: "Head of",
    },
    {
      it: "sends more than its credit",
      sends: [
        hello,
        frame(FrameType.open, 2, openPayload),
        // The reader is stalled, so nothing is granted again.
        ...Array.from({ length: 9 }, () => frame(FrameType.data, 2, Buffer.alloc(DEFAULT_LIMITS.framePayloadBytesMax))),
      ],
      says: "more than its credit",
    },
    {
      it: "sends a data frame above the limit",
      sends: [
        hello,
        frame(FrameType.open, 2, openPayload),
        frame(FrameType.data, 2, Buffer.alloc(DEFAULT_LIMITS.framePayloadBytesMax + 1)),
      ],
      says: "exceeds",
    },
    {
      it: "sends data after the end",
      sends: [hello, frame(FrameType.open, 2, openPayload, true), frame(FrameType.data, 2, "x")],
      says: "after the end",
    },
    {
      it: "sends empty data",
      sends: [hello, frame(FrameType.open, 2, openPayload), frame(FrameType.data, 2)],
      says: "Empty data",
    },
    {
      it: "answers its own stream",
      sends: [hello, frame(FrameType.open, 2, openPayload), frame(FrameType.head, 2, "[200,[]]")],
      says: "Unexpected head",
    },
    {
      it: "grants more credit than there is",
      sends: [
        hello,
        frame(FrameType.open, 2, openPayload),
        frame(FrameType.credit, 2, Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f])),
      ],
      says: "Credit of",
    },
    {
      it: "sends a text where a number belongs",
      sends: [hello, frame(FrameType.open, 2, openPayload), frame(FrameType.credit, 2, "zzz")],
      says: "Bytes after a number",
    },
    { it: "sends GOAWAY on a stream", sends: [hello, frame(FrameType.goaway, 2, Buffer.from([0]))], says: "Unexpected GOAWAY" },
  ];

  test.each(cases)("that $it ends the session with a reason", async ({ sends, says }) => {
    const link = createMemoryLink();
    const hub = createSession(link.hub, { role: "hub", clock: realClock, accept: () => ({ ...sink(), onData: () => false }) });
    const ended = hub.run(new AbortController().signal);
    link.agent.start({ onMessage: () => undefined, onPing: () => undefined, onPong: () => undefined, onClose: () => undefined });
    for (const message of sends) link.agent.send(message, () => undefined);
    const end = await ended;
    expect(end).toMatchObject({ reason: "protocol" });
    expect(end.message).toContain(says);
    expect(link.closeReasons.hub).toContain(says);
  });

  test("that speaks no common version is told so", async () => {
    const link = createMemoryLink();
    const hub = createSession(link.hub, { role: "hub", clock: realClock });
    const ended = hub.run(new AbortController().signal);
    link.agent.start({ onMessage: () => undefined, onPing: () => undefined, onPong: () => undefined, onClose: () => undefined });
    const payload = encodeHello({ versions: [7], features: [], limits: DEFAULT_LIMITS });
    link.agent.send(encodeFrame({ type: FrameType.hello, streamId: 0, end: false, payload }), () => undefined);
    expect(await ended).toEqual({ reason: "incompatible", message: "No common version: 1 here, 7 there" });
    await expect(hub.ready).rejects.toThrow("No common version");
  });

  test("that never says HELLO is given up", async () => {
    const clock = createFakeClock();
    const link = createMemoryLink();
    const ended = createSession(link.hub, { role: "hub", clock }).run(new AbortController().signal);
    await clock.advance(20_000);
    expect((await ended).reason).toBe("hello-timeout");
  });

  test("that answers a stream which is already gone is ignored: the frames crossed", async () => {
    const tunnel = await openTunnel({ accept: answerWithBytes(1000) });
    const stream = tunnel.hub.request(aRequest(), recorder().handler, { end: true });
    stream.reset("cancelled");
    await settled();
    expect((await ask(tunnel.hub, aRequest())).body.length).toBe(1000);
  });
});

// The tunnel under test, and what the tests say to it.

interface Tunnel {
  readonly hub: Session;
  readonly agent: Session;
  readonly link: MemoryLink;
  readonly stop: AbortController;
  readonly ended: { readonly hub: Promise<SessionEnd>; readonly agent: Promise<SessionEnd> };
}

interface TunnelSetup {
  readonly accept: NonNullable<SessionOptions["accept"]>;
  readonly hub?: Partial<SessionOptions>;
  readonly agent?: Partial<SessionOptions>;
  readonly link?: MemoryLinkOptions;
  readonly clock?: FakeClock;
}

const tunnels: Tunnel[] = [];
afterEach(() => {
  for (const tunnel of tunnels.splice(0)) tunnel.link.cut();
});

async function openTunnel({ accept, hub = {}, agent = {}, link: linkOptions = {}, clock }: TunnelSetup): Promise<Tunnel> {
  const link = createMemoryLink(linkOptions);
  const stop = new AbortController();
  const sessions = {
    hub: createSession(link.hub, { role: "hub", clock: clock ?? realClock, ...hub }),
    agent: createSession(link.agent, { role: "agent", clock: clock ?? realClock, accept, ...agent }),
  };
  const ended = { hub: sessions.hub.run(stop.signal), agent: sessions.agent.run(new AbortController().signal) };
  const ready = Promise.all([sessions.hub.ready, sessions.agent.ready]);
  while (clock !== undefined && (await Promise.race([ready, turn()])) === undefined) await clock.advance(1);
  await ready;
  const tunnel = { ...sessions, link, stop, ended };
  tunnels.push(tunnel);
  return tunnel;
}

function aRequest(changes: Partial<RequestHead> = {}): RequestHead {
  const identity = { user: "jane", uid: "", groups: ["dev"], extra: {} };
  return { kind: "request", target: "apiserver", method: "GET", path: "/api", headers: [], identity, ...changes };
}

interface Answer {
  readonly head: ResponseHead | undefined;
  readonly body: Buffer;
  readonly error: StreamError | undefined;
}

function ask(
  session: Session,
  head: RequestHead,
  { body, pauses = false }: { body?: Buffer; pauses?: boolean } = {},
): Promise<Answer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let responseHead: ResponseHead | undefined;
    const done = (error?: StreamError): void => resolve({ head: responseHead, body: Buffer.concat(chunks), error });
    const handler: ResponseHandler = {
      onHead: (received) => (responseHead = received),
      onData: (chunk) => {
        chunks.push(chunk);
        if (!pauses || chunks.length % 5 !== 0) return true;
        setTimeout(() => stream.resume(), chunks.length % 4);
        return false;
      },
      onEnd: () => done(),
      onReset: done,
      onDrain: () => send(),
    };
    const stream: RequestStream = session.request(head, handler, { end: body === undefined });
    let offset = 0;
    const send = (): void => {
      if (body === undefined) return;
      while (offset < body.length) {
        const chunk = body.subarray(offset, offset + 1 + ((offset * 31) % 50_000));
        offset += chunk.length;
        if (!stream.write(chunk)) return;
      }
      stream.end();
    };
    send();
  });
}

function sink(): StreamHandler {
  return { onData: () => true, onEnd: () => undefined, onReset: () => undefined };
}

function echo(stream: IncomingStream): StreamHandler {
  stream.respond({ status: 200, headers: [] });
  let isPaused = false;
  return {
    onData: (chunk) => {
      isPaused = !stream.write(chunk);
      return !isPaused;
    },
    onEnd: () => stream.end(),
    onReset: () => undefined,
    onDrain: () => stream.resume(),
  };
}

function echoWithPauses(stream: IncomingStream): StreamHandler {
  const handler = echo(stream);
  let count = 0;
  return {
    ...handler,
    onData: (chunk) => {
      count += 1;
      const more = handler.onData(chunk);
      if (count % 7 !== 0) return more;
      if (more) setTimeout(() => stream.resume(), count % 3);
      return false;
    },
  };
}

function echoHead(stream: IncomingStream): StreamHandler {
  stream.respond({ status: 200, headers: [] });
  stream.end(Buffer.from(JSON.stringify(stream.head.identity)));
  return sink();
}

function answerWithBytes(total: number): (stream: IncomingStream) => StreamHandler {
  return (stream) => {
    stream.respond({ status: 200, headers: [] });
    const left = { bytes: total };
    const send = (): void => {
      while (left.bytes > 0 && !stream.closed) {
        const chunk = Buffer.alloc(Math.min(left.bytes, 64 * 1024));
        left.bytes -= chunk.length;
        if (!stream.write(chunk)) return;
      }
      stream.end();
    };
    send();
    return { ...sink(), onDrain: send };
  };
}

function recorder({ isStalled = false }: { isStalled?: boolean } = {}): {
  events: string[];
  errors: StreamError[];
  handler: ResponseHandler;
} {
  const events: string[] = [];
  const errors: StreamError[] = [];
  return {
    events,
    errors,
    handler: {
      onHead: (head) => events.push(`head ${head.status}`),
      onData: (chunk) => events.push(`data ${chunk.length}`) > 0 && !isStalled,
      onEnd: () => events.push("end"),
      onReset: (error) => {
        errors.push(error);
        events.push(`reset ${error.reason}`);
      },
    },
  };
}

function fail(): never {
  throw new Error("Should not have been called");
}

/** Moves time in small steps, with turns for what each of them lets happen. */
async function advance(clock: FakeClock, durationMs: number): Promise<void> {
  for (let step = 0; step < durationMs; step += 5) {
    await clock.advance(5);
    for (let round = 0; round < 6; round += 1) await turn();
  }
}

/** Enough turns for everything in flight in memory to arrive. */
async function settled(): Promise<void> {
  for (let round = 0; round < 200; round += 1) await turn();
}
