import { afterEach, describe, expect, test } from "@jest/globals";
import { realClock } from "#std/clock.ts";
import { silentLogger } from "#std/log.ts";
import { eventually } from "#test/framework/eventually.ts";
import {
  startScriptedApiserver,
  type Exchange,
  type ScriptedApiserver,
  type ScriptedStream,
} from "#test/framework/scripted-apiserver.ts";
import { ConfigMap } from "./builtin-kinds.ts";
import { createClient } from "./client.ts";
import { createInformer, type Change, type Informer, type InformerOptions } from "./informer.ts";

const stack: AsyncDisposable[] = [];

afterEach(async () => {
  for (const each of stack.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

interface Item {
  readonly name: string;
  readonly version: number;
  readonly uid?: string;
  readonly data?: Readonly<Record<string, string>>;
}

const configMap = ({ name, version, uid = `uid-of-${name}`, data = {} }: Item): ConfigMap =>
  ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { namespace: "ns", name, uid, resourceVersion: String(version), managedFields: [{ manager: "x" }] },
    data,
  }) as ConfigMap;

const list = (version: number, items: readonly Item[]): object => ({
  metadata: { resourceVersion: String(version) },
  items: items.map(configMap),
});

interface Rig {
  readonly server: ScriptedApiserver;
  readonly informer: Informer<ConfigMap>;
  readonly changes: string[];
  readonly watches: () => readonly Exchange[];
  readonly lists: () => readonly Exchange[];
  readonly stream: () => Promise<ScriptedStream>;
}

type Script = (exchange: Exchange, counts: { readonly lists: number; readonly watches: number }) => void;

async function startInformer(script: Script, options: Partial<InformerOptions<ConfigMap>> = {}): Promise<Rig> {
  const counts = { lists: 0, watches: 0 };
  const server = await startScriptedApiserver((exchange) => {
    if (exchange.isWatch) counts.watches += 1;
    else counts.lists += 1;
    script(exchange, counts);
  });
  const client = createClient(server.connect(), { component: "test" });
  const stopping = new AbortController();
  const informer = createInformer(client, ConfigMap, {
    clock: realClock,
    log: silentLogger,
    watch: { backoff: { firstMs: 5, maxMs: 20 } },
    ...options,
  });
  const changes: string[] = [];
  informer.subscribe((change) => changes.push(describeChange(change)));
  const running = informer.run(stopping.signal);
  stack.push(server, client.connection, {
    [Symbol.asyncDispose]: async () => {
      stopping.abort(new Error("The test is over"));
      await running;
    },
  });
  const stream = (): Promise<ScriptedStream> => eventually("a watch is open", () => server.streams.at(-1));
  const ofKind = (isWatch: boolean) => () => server.exchanges.filter((exchange) => exchange.isWatch === isWatch);
  return { server, informer, changes, watches: ofKind(true), lists: ofKind(false), stream };
}

function describeChange(change: Change<ConfigMap>): string {
  const { name, resourceVersion } = (change.type === "deleted" ? change.previous : change.object).metadata;
  return `${change.type} ${name}@${String(resourceVersion)}`;
}

/** Answers lists with these and leaves watches open. */
const steady =
  (items: readonly Item[]): Script =>
  (exchange) => {
    if (exchange.isWatch) exchange.stream();
    else exchange.json(list(10, items));
  };

const seen = (rig: Rig, ...wanted: string[]): Promise<unknown> =>
  eventually(
    `changes are ${wanted.join(", ")}`,
    () => {
      expect(rig.changes).toEqual(wanted);
      return true;
    },
    { timeoutMs: 20_000, intervalMs: 5 },
  );

describe("an informer in quiet times", () => {
  test("caches what is listed, then follows every change", async () => {
    const rig = await startInformer(
      steady([
        { name: "a", version: 1 },
        { name: "b", version: 2 },
      ]),
    );
    const stream = await rig.stream();
    expect(rig.informer.synced).toBe(true);
    stream.event("MODIFIED", configMap({ name: "a", version: 11, data: { x: "1" } }));
    stream.event("ADDED", configMap({ name: "c", version: 12 }));
    stream.event("DELETED", configMap({ name: "b", version: 13 }));
    await seen(rig, "added a@1", "added b@2", "updated a@11", "added c@12", "deleted b@2");
    expect(rig.informer.list().map(({ metadata }) => metadata.name)).toEqual(["a", "c"]);
    expect(rig.informer.get("ns/a")?.data).toEqual({ x: "1" });
    expect(rig.watches()[0]?.query.get("resourceVersion")).toBe("10");
    expect(rig.watches()[0]?.query.get("allowWatchBookmarks")).toBe("true");
    const seconds = Number(rig.watches()[0]?.query.get("timeoutSeconds"));
    expect(seconds).toBeGreaterThanOrEqual(300);
  });

  test("keeps no managedFields", async () => {
    const rig = await startInformer(steady([{ name: "a", version: 1 }]));
    (await rig.stream()).event("ADDED", configMap({ name: "b", version: 11 }));
    await seen(rig, "added a@1", "added b@11");
    expect(JSON.stringify(rig.informer.list())).not.toContain("managedFields");
  });

  test("keeps fields that no type of ours knows", async () => {
    const rig = await startInformer(steady([]));
    (await rig.stream()).event("ADDED", { ...configMap({ name: "a", version: 11 }), future: { field: [1] } });
    await seen(rig, "added a@11");
    expect(rig.informer.get("ns/a")).toMatchObject({ future: { field: [1] } });
  });

  test("finds by index, also after the indexed value has changed", async () => {
    const rig = await startInformer(steady([{ name: "a", version: 1, data: { team: "red" } }]), {
      indexes: { team: ({ data }) => (data?.["team"] === undefined ? [] : [data["team"]]) },
    });
    const stream = await rig.stream();
    const names = (team: string): string[] => rig.informer.byIndex("team", team).map(({ metadata }) => metadata.name);
    expect(names("red")).toEqual(["a"]);
    stream.event("ADDED", configMap({ name: "b", version: 11, data: { team: "red" } }));
    stream.event("MODIFIED", configMap({ name: "a", version: 12, data: { team: "blue" } }));
    await seen(rig, "added a@1", "added b@11", "updated a@12");
    expect([names("red"), names("blue"), names("green")]).toEqual([["b"], ["a"], []]);
    stream.event("DELETED", configMap({ name: "a", version: 13 }));
    await eventually("a is gone", () => names("blue").length === 0);
    expect(() => rig.informer.byIndex("colour", "red")).toThrow("no index colour");
  });

  test("tells a late listener everything that is there, and nobody after it has left", async () => {
    const rig = await startInformer(steady([{ name: "a", version: 1 }]));
    const stream = await rig.stream();
    const late: string[] = [];
    const leave = rig.informer.subscribe((change) => late.push(describeChange(change)));
    expect(late).toEqual(["added a@1"]);
    leave();
    stream.event("ADDED", configMap({ name: "b", version: 11 }));
    await seen(rig, "added a@1", "added b@11");
    expect(late).toEqual(["added a@1"]);
  });

  test("goes on when a listener throws", async () => {
    const rig = await startInformer(steady([]));
    const stream = await rig.stream();
    rig.informer.subscribe(() => {
      throw new Error("listener's bug");
    });
    const after: string[] = [];
    rig.informer.subscribe((change) => after.push(describeChange(change)));
    stream.event("ADDED", configMap({ name: "a", version: 11 }));
    stream.event("ADDED", configMap({ name: "b", version: 12 }));
    await seen(rig, "added a@11", "added b@12");
    expect(after).toEqual(["added a@11", "added b@12"]);
  });

  test("ends when its signal aborts, and its requests with it", async () => {
    const rig = await startInformer(steady([]));
    await rig.stream();
    await stack.pop()?.[Symbol.asyncDispose]();
    await eventually("the watch is closed", () => rig.server.streams.length === 0);
  });
});

describe("an informer survives", () => {
  test("a server that is not there yet", async () => {
    const rig = await startInformer((exchange, { lists }) => {
      if (!exchange.isWatch && lists <= 2) exchange.drop();
      else steady([{ name: "a", version: 1 }])(exchange, { lists, watches: 0 });
    });
    await seen(rig, "added a@1");
  });

  test("500s and 503s", async () => {
    const rig = await startInformer((exchange, { lists, watches }) => {
      if (!exchange.isWatch && lists === 1) exchange.fail(500, "InternalError");
      else if (!exchange.isWatch) exchange.json(list(10, [{ name: "a", version: 1 }]));
      else if (watches === 1) exchange.fail(503, "ServiceUnavailable");
      else exchange.stream().event("ADDED", configMap({ name: "b", version: 11 }));
    });
    await seen(rig, "added a@1", "added b@11");
    expect(rig.lists()).toHaveLength(2);
  });

  test("429, and waits as long as Retry-After says", async () => {
    const times: number[] = [];
    const rig = await startInformer((exchange, { lists }) => {
      if (!exchange.isWatch) times.push(performance.now());
      if (!exchange.isWatch && lists === 1) exchange.fail(429, "TooManyRequests", { headers: { "retry-after": "1" } });
      else steady([{ name: "a", version: 1 }])(exchange, { lists, watches: 0 });
    });
    await seen(rig, "added a@1");
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(990);
  });

  test("a dropped connection: it goes on from the last event, without listing again", async () => {
    const rig = await startInformer(steady([{ name: "a", version: 1 }]));
    const first = await rig.stream();
    first.event("MODIFIED", configMap({ name: "a", version: 17 }));
    await seen(rig, "added a@1", "updated a@17");
    first.drop();
    await eventually("it watches again", () => rig.watches().length === 2);
    expect(rig.watches()[1]?.query.get("resourceVersion")).toBe("17");
    (await rig.stream()).event("ADDED", configMap({ name: "b", version: 18 }));
    await seen(rig, "added a@1", "updated a@17", "added b@18");
    expect(rig.lists()).toHaveLength(1);
  });

  test("the end of timeoutSeconds, as if nothing had happened", async () => {
    const rig = await startInformer(steady([]));
    const first = await rig.stream();
    first.event("ADDED", configMap({ name: "a", version: 11 }));
    await seen(rig, "added a@11");
    first.end();
    await eventually("it watches again", () => rig.watches().length === 2);
    expect(rig.lists()).toHaveLength(1);
  });

  test("a server that hangs up at once, without calling it in a loop", async () => {
    const startedAt = performance.now();
    const rig = await startInformer(
      (exchange) => {
        if (exchange.isWatch) exchange.stream().end();
        else exchange.json(list(10, []));
      },
      { watch: { backoff: { firstMs: 50, maxMs: 10_000 } } },
    );
    await eventually("it watches again and again", () => rig.watches().length >= 4);
    const watches = rig.watches().length;
    // 50 + 100 + 200 ms and so on, each halved at most.
    expect(watches).toBeLessThanOrEqual(2 + Math.log2((performance.now() - startedAt) / 25 + 1));
  });

  test("410 at the start of a watch: it lists again, and computes what has gone", async () => {
    const rig = await startInformer((exchange, { lists, watches }) => {
      if (!exchange.isWatch)
        exchange.json(
          lists === 1
            ? list(10, [
                { name: "a", version: 1 },
                { name: "b", version: 2 },
              ])
            : list(50, [
                { name: "b", version: 2 },
                { name: "c", version: 40 },
              ]),
        );
      else if (watches === 1) exchange.fail(410, "Expired");
      else exchange.stream();
    });
    await seen(rig, "added a@1", "added b@2", "deleted a@1", "added c@40");
    await rig.stream();
    expect(rig.watches()[1]?.query.get("resourceVersion")).toBe("50");
  });

  test("410 in the middle of a watch", async () => {
    const rig = await startInformer((exchange, { lists }) => {
      if (exchange.isWatch) exchange.stream();
      else exchange.json(lists === 1 ? list(10, [{ name: "a", version: 1 }]) : list(50, [{ name: "a", version: 45 }]));
    });
    const stream = await rig.stream();
    stream.event("ERROR", { kind: "Status", code: 410, reason: "Expired", message: "too old resource version" });
    await seen(rig, "added a@1", "updated a@45");
  });

  test("a server that was restored from a backup and does not know our version yet", async () => {
    const rig = await startInformer((exchange, { lists, watches }) => {
      if (!exchange.isWatch)
        exchange.json(lists === 1 ? list(1000, [{ name: "a", version: 900 }]) : list(20, [{ name: "a", version: 15 }]));
      else if (watches === 1) {
        exchange.fail(504, "Timeout", {
          message: "Too large resource version: 1000, current: 20",
          details: { causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }] },
        });
      } else exchange.stream();
    });
    await seen(rig, "added a@900", "updated a@15");
  });

  test("a stream of bookmarks only: it resumes at the last bookmark", async () => {
    const rig = await startInformer(steady([{ name: "a", version: 1 }]));
    const stream = await rig.stream();
    stream.event("BOOKMARK", { kind: "ConfigMap", apiVersion: "v1", metadata: { resourceVersion: "77" } });
    stream.event("BOOKMARK", { kind: "ConfigMap", apiVersion: "v1", metadata: { resourceVersion: "88" } });
    // Nothing shows that it has read them.
    await realClock.sleep(500, new AbortController().signal);
    stream.drop();
    await eventually("it watches again", () => rig.watches().length === 2);
    expect(rig.watches()[1]?.query.get("resourceVersion")).toBe("88");
    expect(rig.changes).toEqual(["added a@1"]);
  });

  test("a half-open connection: silence is noticed, and events that were missed come after all", async () => {
    const rig = await startInformer(steady([]), { watch: { silenceMsMax: 150, backoff: { firstMs: 5, maxMs: 20 } } });
    // Says nothing, and closes nothing.
    await rig.stream();
    await eventually("it watches again", () => rig.watches().length >= 2);
    (await rig.stream()).event("ADDED", configMap({ name: "a", version: 11 }));
    await eventually("the event has come", () => rig.informer.get("ns/a"));
    expect(rig.lists()).toHaveLength(1);
  });

  test("an event that was cut off: it is told once, by the next watch", async () => {
    const rig = await startInformer(steady([]));
    const first = await rig.stream();
    first.event("ADDED", configMap({ name: "a", version: 11 }));
    const line = JSON.stringify({ type: "ADDED", object: configMap({ name: "b", version: 12 }) });
    first.raw(line.slice(0, 40));
    first.end();
    await eventually("it watches again", () => rig.watches().length === 2);
    expect(rig.watches()[1]?.query.get("resourceVersion")).toBe("11");
    (await rig.stream()).event("ADDED", configMap({ name: "b", version: 12 }));
    await seen(rig, "added a@11", "added b@12");
  });

  test("events in pieces, cut within a character of several bytes", async () => {
    const rig = await startInformer(steady([]));
    const stream = await rig.stream();
    const text = JSON.stringify({ type: "ADDED", object: configMap({ name: "a", version: 11, data: { word: "Grüße 🌍" } }) });
    const bytes = Buffer.from(`${text}\n`);
    const middle = bytes.indexOf(Buffer.from("🌍")) + 2;
    stream.raw(bytes.subarray(0, middle));
    await realClock.sleep(30, new AbortController().signal);
    stream.raw(bytes.subarray(middle));
    await seen(rig, "added a@11");
    expect(rig.informer.get("ns/a")?.data).toEqual({ word: "Grüße 🌍" });
  });

  test("a line that is not JSON", async () => {
    const rig = await startInformer(steady([]));
    (await rig.stream()).raw("<html>\n");
    await eventually("it watches again", () => rig.watches().length === 2);
    (await rig.stream()).event("ADDED", configMap({ name: "a", version: 11 }));
    await seen(rig, "added a@11");
  });

  test("events told twice", async () => {
    const rig = await startInformer(steady([{ name: "a", version: 1 }]));
    const stream = await rig.stream();
    stream.event("ADDED", configMap({ name: "a", version: 1 }));
    stream.event("DELETED", configMap({ name: "unknown", version: 12 }));
    stream.event("ADDED", configMap({ name: "b", version: 13 }));
    stream.event("ADDED", configMap({ name: "b", version: 13 }));
    stream.event("ADDED", configMap({ name: "c", version: 14 }));
    await seen(rig, "added a@1", "added b@13", "added c@14");
  });

  test("an object that was deleted and made again while nobody looked: two objects, not one that changed", async () => {
    const rig = await startInformer((exchange, { lists, watches }) => {
      const uid = lists === 1 ? "first" : "second";
      if (!exchange.isWatch) exchange.json(list(lists * 10, [{ name: "a", version: lists, uid }]));
      else if (watches === 1) exchange.fail(410, "Gone");
      else exchange.stream();
    });
    await seen(rig, "added a@1", "deleted a@1", "added a@2");
  });

  test("an expired token: it is read again, and nothing is lost", async () => {
    let token = "old";
    const tokens: (string | undefined)[] = [];
    const counts = { lists: 0 };
    const server = await startScriptedApiserver((exchange) => {
      tokens.push(exchange.headers.authorization);
      if (exchange.headers.authorization === "Bearer old") {
        token = "new";
        exchange.fail(401, "Unauthorized");
        return;
      }
      counts.lists += 1;
      if (exchange.isWatch) exchange.stream();
      else exchange.json(list(10, [{ name: "a", version: 1 }]));
    });
    const { connect } = await import("./connection.ts");
    const connection = connect({ server: server.server, token: () => Promise.resolve(token) });
    const informer = createInformer(createClient(connection, { component: "test" }), ConfigMap, {
      clock: realClock,
      log: silentLogger,
    });
    const stopping = new AbortController();
    const running = informer.run(stopping.signal);
    await informer.whenSynced(AbortSignal.timeout(5_000));
    expect(tokens.slice(0, 2)).toEqual(["Bearer old", "Bearer new"]);
    stopping.abort(new Error("The test is over"));
    await running;
    await connection[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
});
