// The scheduling queue: who is next, who waits, and that nobody is lost.

import { beforeEach, describe, expect, test } from "@jest/globals";
import { SchedulingQueue } from "#scheduler/queue.ts";
import { realClock } from "#std/clock.ts";

let queue: SchedulingQueue;
let now: number;
const { signal } = new AbortController();
const take = (): Promise<string | undefined> => queue.take(AbortSignal.any([signal, AbortSignal.timeout(20)]));

beforeEach(() => {
  now = 0;
  queue = new SchedulingQueue({ ...realClock, monotonic: () => now });
});

describe("SchedulingQueue", () => {
  test("hands out the highest priority first, then who came first, each once (QUE-2)", async () => {
    for (const [key, priority] of [
      ["low", -1],
      ["a", 0],
      ["high", 5],
      ["b", 0],
      ["a", 0],
    ] as const)
      queue.add(key, priority);
    expect([await take(), await take(), await take(), await take(), await take()]).toEqual(["high", "a", "b", "low", undefined]);
  });

  test("goes by the priority of now, not of when a key came (QUE-2)", async () => {
    for (const [key, priority] of [
      ["a", 1],
      ["b", 0],
      ["b", 7],
      ["c", 9],
      ["c", 0],
    ] as const)
      queue.add(key, priority);
    expect([await take(), await take(), await take(), await take()]).toEqual(["b", "a", "c", undefined]);
  });

  test("what is added while it is in hand comes back when the hand lets go (QUE-1)", async () => {
    queue.add("a", 0);
    expect(await take()).toBe("a");
    queue.add("a", 0);
    expect(await take()).toBeUndefined();
    queue.done("a");
    expect(await take()).toBe("a");
  });

  test("a failed one waits for its back-off, a change brings it back at once", async () => {
    queue.add("a", 0);
    await take();
    queue.retry("a", 0);
    expect(queue.sizes).toEqual({ active: 0, backoff: 1, unschedulable: 0 });
    expect(await take()).toBeUndefined();
    now += 50;
    expect(await take()).toBe("a");
    queue.retry("a", 0);
    queue.add("a", 0);
    expect(await take()).toBe("a");
  });

  test("an unschedulable one is looked at again even if nothing changes (QUE-3)", async () => {
    queue.add("a", 0);
    await take();
    queue.park("a", 0);
    expect(queue.sizes.unschedulable).toBe(1);
    expect(await take()).toBeUndefined();
    now += 5 * 60_000;
    expect(await take()).toBe("a");
  });

  test("a removed one is forgotten wherever it is", async () => {
    queue.add("active", 0);
    queue.remove("active");
    queue.add("held", 0);
    await take();
    queue.add("held", 0);
    queue.remove("held");
    queue.done("held");
    expect(await take()).toBeUndefined();
  });

  test("a waiting taker is woken, every one of several", async () => {
    const takers = [queue.take(signal), queue.take(signal)];
    await Promise.resolve();
    queue.add("a", 0);
    queue.add("b", 0);
    expect((await Promise.all(takers)).toSorted()).toEqual(["a", "b"]);
  });

  test("what has a time comes back then, and sooner when something changes; a far time is looked at on the way (QUE-3)", async () => {
    queue.add("a", 0);
    await take();
    queue.later("a", { priority: 0, delayMs: 30_000 });
    now += 29_000;
    expect(await take()).toBeUndefined();
    now += 1_000;
    expect(await take()).toBe("a");
    queue.later("a", { priority: 0, delayMs: 30_000 });
    queue.add("a", 0);
    expect(await take()).toBe("a");
    queue.later("a", { priority: 0, delayMs: 24 * 3_600_000 });
    now += 3_600_000;
    expect(await take()).toBe("a");
  });
});
