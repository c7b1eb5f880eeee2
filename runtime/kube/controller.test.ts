import { describe, expect, test } from "@jest/globals";
import { createMetrics } from "#std/metrics.ts";
import { silentLogger, type Logger } from "#std/log.ts";
import { createFakeClock, type FakeClock } from "#test/framework/fake-clock.ts";
import { ConfigMap } from "./builtin-kinds.ts";
import { after, createController, done, ownKey, source, type ControllerOptions, type Source } from "./controller.ts";
import { ApiError } from "./errors.ts";
import type { Change } from "./informer.ts";
import { runManager } from "./manager.ts";

interface Rig extends AsyncDisposable {
  readonly clock: FakeClock;
  readonly enqueue: (key: string) => void;
  readonly metrics: () => Promise<string>;
  readonly lines: string[];
}

const noSource: Source = { whenSynced: () => Promise.resolve(), start: () => () => undefined };

async function startController(options: Partial<ControllerOptions> & Pick<ControllerOptions, "reconcile">): Promise<Rig> {
  const clock = createFakeClock();
  const metrics = createMetrics();
  const lines: string[] = [];
  const line = (event: string, fields: object = {}): void => {
    lines.push(`${event} ${JSON.stringify(fields)}`);
  };
  const log: Logger = { ...silentLogger, warn: line, error: line, with: () => log };
  const controller = createController({ name: "test", sources: [noSource], clock, log, metrics, ...options });
  const stopping = new AbortController();
  const running = controller.run(stopping.signal);
  await clock.advance(0);
  return {
    clock,
    lines,
    enqueue: controller.enqueue,
    metrics: () => metrics.text(),
    [Symbol.asyncDispose]: async () => {
      stopping.abort(new Error("The test is over"));
      await running;
    },
  };
}

describe("a controller", () => {
  test("never reconciles a key twice at once, and again when it changed meanwhile", async () => {
    let running = 0;
    let most = 0;
    let runs = 0;
    const gates: (() => void)[] = [];
    await using rig = await startController({
      reconcile: async () => {
        running += 1;
        runs += 1;
        most = Math.max(most, running);
        await new Promise<void>((resolve) => gates.push(resolve));
        running -= 1;
        return done;
      },
    });
    rig.enqueue("a");
    await rig.clock.advance(1);
    rig.enqueue("a");
    rig.enqueue("a");
    await rig.clock.advance(1);
    expect(runs).toBe(1);
    gates.shift()?.();
    await rig.clock.advance(1);
    gates.shift()?.();
    await rig.clock.advance(1);
    expect([runs, most]).toEqual([2, 1]);
  });

  test("reconciles different keys at once, up to its concurrency", async () => {
    const started: string[] = [];
    const gate = Promise.withResolvers<undefined>();
    const rig = await startController({
      concurrency: 2,
      reconcile: async (key) => {
        started.push(key);
        await gate.promise;
        return done;
      },
    });
    for (const key of ["a", "b", "c"]) rig.enqueue(key);
    await rig.clock.advance(1);
    expect(started).toEqual(["a", "b"]);
    gate.resolve(undefined);
    await rig.clock.advance(1);
    expect(started).toEqual(["a", "b", "c"]);
    await rig[Symbol.asyncDispose]();
  });

  test("tries a failed key again after a back-off, and logs each failure once", async () => {
    const times: number[] = [];
    await using rig = await startController({
      reconcile: () => {
        times.push(rig.clock.monotonic());
        return times.length < 4 ? Promise.reject(new Error("not yet")) : Promise.resolve(done);
      },
    });
    rig.enqueue("a");
    await rig.clock.advance(10_000);
    expect(times).toEqual([0, 5, 15, 35]);
    expect(rig.lines).toHaveLength(3);
    expect(rig.lines[0]).toContain('"failures":1,"retryInMs":5');
    expect(await rig.metrics()).toContain('clusternet_reconcile_total{controller="test",result="failed"} 3');
    expect(await rig.metrics()).toContain('clusternet_reconcile_total{controller="test",result="done"} 1');
  });

  test("waits as long as the server asks, and says nothing loud of a Conflict", async () => {
    const times: number[] = [];
    const errors = [
      new ApiError({ reason: "TooManyRequests", code: 429, message: "slow down", retryAfterMs: 3_000 }),
      new ApiError({ reason: "Conflict", code: 409, message: "changed" }),
    ];
    await using rig = await startController({
      reconcile: () => {
        times.push(rig.clock.monotonic());
        const error = errors.shift();
        return error === undefined ? Promise.resolve(done) : Promise.reject(error);
      },
    });
    rig.enqueue("a");
    await rig.clock.advance(10_000);
    expect(times).toEqual([0, 3_000, 3_010]);
    expect(rig.lines).toHaveLength(1);
  });

  test("looks again when it was asked to", async () => {
    const times: number[] = [];
    await using rig = await startController({
      reconcile: () => {
        times.push(rig.clock.monotonic());
        return Promise.resolve(times.length < 3 ? after(30_000) : done);
      },
    });
    rig.enqueue("a");
    await rig.clock.advance(120_000);
    expect(times).toEqual([0, 30_000, 60_000]);
  });

  test("one key that hangs delays no other", async () => {
    const reconciled: string[] = [];
    const rig = await startController({
      reconcile: async (key, signal) => {
        if (key === "dead") await rig.clock.sleep(1_000_000, signal);
        reconciled.push(key);
        return done;
      },
    });
    for (const key of ["dead", "a", "b", "c"]) rig.enqueue(key);
    await rig.clock.advance(10);
    expect(reconciled).toEqual(["a", "b", "c"]);
    await rig[Symbol.asyncDispose]();
  });

  test("starts when its sources are synced, with everything that is there", async () => {
    const synced = Promise.withResolvers<undefined>();
    const reconciled: string[] = [];
    const object: ConfigMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "ns", name: "a" } };
    await using rig = await startController({
      sources: [
        source<ConfigMap>(
          {
            whenSynced: () => synced.promise,
            subscribe: (listener) => {
              listener({ type: "added", object });
              return () => undefined;
            },
          },
          ownKey,
        ),
      ],
      reconcile: (key) => {
        reconciled.push(key);
        return Promise.resolve(done);
      },
    });
    await rig.clock.advance(1);
    expect(reconciled).toEqual([]);
    synced.resolve(undefined);
    await rig.clock.advance(1);
    expect(reconciled).toEqual(["ns/a"]);
  });
});

test("a source tells an update to whom the object left and to whom it came", () => {
  const owned = (owner: string): ConfigMap => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "x" }, data: { owner } });
  const changes: Change<ConfigMap>[] = [
    { type: "added", object: owned("a") },
    { type: "updated", previous: owned("a"), object: owned("b") },
    { type: "deleted", previous: owned("b") },
  ];
  const keys: string[] = [];
  const informer = {
    whenSynced: () => Promise.resolve(),
    subscribe: (listener: (change: Change<ConfigMap>) => void) => {
      for (const change of changes) listener(change);
      return () => undefined;
    },
  };
  source<ConfigMap>(informer, ({ data }) => [data?.["owner"] ?? ""]).start((key) => keys.push(key));
  expect(keys).toEqual(["a", "a", "b", "b"]);
});

describe("a manager", () => {
  const untilAborted = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      signal.addEventListener("abort", () => {
        resolve();
      });
    });
  const shell = { clock: createFakeClock(), log: silentLogger };

  test("stops controllers before informers, and resolves when asked to stop", async () => {
    const stops: string[] = [];
    const part = (name: string) => ({
      name,
      type: ConfigMap,
      run: (signal: AbortSignal) => untilAborted(signal).then(() => void stops.push(name)),
    });
    const stopping = new AbortController();
    const running = runManager(
      { ...shell, informers: [part("informer")], controllers: [part("controller")], tasks: [part("task")] },
      stopping.signal,
    );
    stopping.abort(new Error("Enough"));
    await running;
    expect(stops.slice(0, 2).sort()).toEqual(["controller", "task"]);
    expect(stops).toHaveLength(3);
  });

  test("ends with the error of the part that failed, after the others have stopped", async () => {
    let hasStopped = false;
    const controllers = [
      { name: "good", run: (signal: AbortSignal) => untilAborted(signal).then(() => void (hasStopped = true)) },
      { name: "bad", run: () => Promise.reject(new Error("broken")) },
    ];
    await expect(runManager({ ...shell, informers: [], controllers }, new AbortController().signal)).rejects.toThrow("broken");
    expect(hasStopped).toBe(true);
  });

  test("does not go on without a part that ended by itself", async () => {
    const controllers = [{ name: "short", run: () => Promise.resolve() }];
    await expect(runManager({ ...shell, informers: [], controllers }, new AbortController().signal)).rejects.toThrow(
      "short ended by itself",
    );
  });

  test("does not go on with an informer that failed", async () => {
    const informers = [{ type: ConfigMap, run: () => Promise.reject(new Error("no cache")) }];
    const controllers = [{ name: "good", run: untilAborted }];
    await expect(runManager({ ...shell, informers, controllers }, new AbortController().signal)).rejects.toThrow("no cache");
  });
});
