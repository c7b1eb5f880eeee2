// Watches end after a whole event, as a server would end them; everything else goes on to its own end.
import { describe, expect, test } from "@jest/globals";
import { StreamError } from "#tunnel/errors.ts";
import type { ResponseHead } from "#tunnel/head.ts";
import type { ResponseHandler } from "#tunnel/stream.ts";
import { createEndingWatches, type EndingWatches } from "./ending-watches.ts";

const json: ResponseHead = { status: 200, headers: ["Content-Type", "application/json"] };
const protobuf: ResponseHead = { status: 200, headers: ["content-type", "application/vnd.kubernetes.protobuf;stream=watch"] };

/** A watch whose client writes down what it gets; `settle` is what the hub does when the answer is over. */
function aWatch(watches: EndingWatches): { stream: ResponseHandler; seen: () => string; settle: () => void } {
  let seen = "";
  const inner: ResponseHandler = {
    onHead: ({ status }) => (seen += `${String(status)}:`),
    onData: (chunk) => {
      seen += chunk.toString();
      return false;
    },
    onEnd: () => (seen += "<end>"),
    onReset: ({ reason }) => (seen += `<${reason}>`),
    onDrain: () => (seen += "<drain>"),
  };
  const onSettled: (() => void)[] = [];
  const stream = watches.wrap(inner, onSettled);
  const settle = (): void => {
    for (const done of onSettled) done();
  };
  return { stream, settle, seen: () => seen };
}

function say(stream: ResponseHandler, ...texts: string[]): void {
  for (const text of texts) stream.onData(Buffer.from(text));
}

describe("when the hub leaves, a watch", () => {
  test("ends at once between two events", () => {
    const watches = createEndingWatches();
    const { stream, seen } = aWatch(watches);
    stream.onHead(json);
    say(stream, '{"a":1}\n{"b":', "2}\n");
    watches.endAll();
    say(stream, '{"c":3}\n');
    expect(seen()).toBe('200:{"a":1}\n{"b":2}\n<end>');
  });

  test("ends after the event that is under way, and nothing of the next one passes", () => {
    const watches = createEndingWatches();
    const { stream, seen } = aWatch(watches);
    stream.onHead(json);
    say(stream, '{"a":1}\n{"b"');
    watches.endAll();
    say(stream, ":", '2}\n{"c":');
    say(stream, "3}\n");
    expect(seen()).toBe('200:{"a":1}\n{"b":2}\n<end>');
  });

  test("ends before its first event, also when its head comes only then", () => {
    const watches = createEndingWatches();
    const [early, late] = [aWatch(watches), aWatch(watches)];
    early.stream.onHead(json);
    watches.endAll();
    late.stream.onHead(json);
    const latest = aWatch(watches);
    latest.stream.onHead(json);
    expect([early.seen(), late.seen(), latest.seen()]).toEqual(["200:<end>", "200:<end>", "200:<end>"]);
  });

  test("in another encoding than JSON ends after what was sent as a whole", () => {
    const watches = createEndingWatches();
    const { stream, seen } = aWatch(watches);
    stream.onHead(protobuf);
    say(stream, "frame");
    watches.endAll();
    say(stream, "next");
    expect(seen()).toBe("200:frame<end>");
  });

  test("that was refused, or has a length, is answered to its own end", () => {
    const watches = createEndingWatches();
    const [refused, sized] = [aWatch(watches), aWatch(watches)];
    refused.stream.onHead({ status: 410, headers: ["content-type", "application/json"] });
    sized.stream.onHead({ status: 200, headers: ["content-length", "9"] });
    watches.endAll();
    for (const { stream } of [refused, sized]) {
      say(stream, '{"a":1}\n', "x");
      stream.onEnd();
    }
    expect([refused.seen(), sized.seen()]).toEqual(['410:{"a":1}\nx<end>', '200:{"a":1}\nx<end>']);
  });

  test("ends once: what the child says afterwards changes nothing", () => {
    const watches = createEndingWatches();
    const { stream, seen } = aWatch(watches);
    stream.onHead(json);
    watches.endAll();
    watches.endAll();
    stream.onEnd();
    stream.onReset(new StreamError("tunnel-lost", "Lost"));
    expect(seen()).toBe("200:<end>");
  });

  test("that is over is forgotten", () => {
    const watches = createEndingWatches();
    const { stream, seen, settle } = aWatch(watches);
    stream.onHead(json);
    settle();
    watches.endAll();
    expect(seen()).toBe("200:");
  });
});

test("until then a watch passes as it is: bytes, back-pressure, its end and its failure", () => {
  const watches = createEndingWatches();
  const [ended, failed] = [aWatch(watches), aWatch(watches)];
  for (const { stream } of [ended, failed]) {
    stream.onHead(json);
    expect(stream.onData(Buffer.from("half"))).toBe(false);
    stream.onDrain?.();
  }
  ended.stream.onEnd();
  failed.stream.onReset(new StreamError("target-failed", "Broke off"));
  expect([ended.seen(), failed.seen()]).toEqual(["200:half<drain><end>", "200:half<drain><target-failed>"]);
});
