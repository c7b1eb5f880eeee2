import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { createFakeClock } from "#test/framework/fake-clock.ts";
import { createDelays } from "./delays.ts";
import { createWorkqueue } from "./workqueue.ts";

const { signal } = new AbortController();

/** What `take` gives now; undefined when it would wait. */
async function takeNow(queue: ReturnType<typeof createWorkqueue>): Promise<string | undefined> {
  const stopping = new AbortController();
  const taken = queue.take(stopping.signal);
  await new Promise((resolve) => setImmediate(resolve));
  stopping.abort();
  return taken;
}

describe("a work queue", () => {
  test("hands out each key once, in order, however often it was added", async () => {
    const queue = createWorkqueue({ clock: createFakeClock() });
    for (const key of ["a", "b", "a", "a"]) queue.add(key);
    expect([await queue.take(signal), await queue.take(signal), await takeNow(queue)]).toEqual(["a", "b", undefined]);
  });

  test("never hands out a key that is held, and hands it out again when it was added meanwhile", async () => {
    const queue = createWorkqueue({ clock: createFakeClock() });
    queue.add("a");
    await queue.take(signal);
    queue.add("a");
    queue.add("a");
    expect(await takeNow(queue)).toBeUndefined();
    queue.done("a");
    expect(await takeNow(queue)).toBe("a");
    queue.done("a");
    expect(await takeNow(queue)).toBeUndefined();
  });

  test("keeps a delayed key until it is due; of two times the earlier stands", async () => {
    const clock = createFakeClock();
    const queue = createWorkqueue({ clock });
    queue.addAfter("a", 1_000);
    queue.addAfter("a", 300);
    queue.addAfter("a", 2_000);
    await clock.advance(299);
    expect(await takeNow(queue)).toBeUndefined();
    await clock.advance(1);
    expect(await takeNow(queue)).toBe("a");
    queue.done("a");
    await clock.advance(10_000);
    expect(await takeNow(queue)).toBeUndefined();
  });

  test("wakes a taker that waits for a later key when an earlier one comes", async () => {
    const clock = createFakeClock();
    const queue = createWorkqueue({ clock });
    queue.addAfter("late", 60_000);
    const taken = queue.take(signal);
    await clock.advance(10);
    queue.addAfter("soon", 5);
    await clock.advance(5);
    expect(await taken).toBe("soon");
  });

  test("wakes one waiting taker for each key", async () => {
    const clock = createFakeClock();
    const queue = createWorkqueue({ clock });
    const taken = Promise.all([queue.take(signal), queue.take(signal)]);
    await clock.advance(1);
    queue.add("a");
    queue.add("b");
    expect(new Set(await taken)).toEqual(new Set(["a", "b"]));
  });

  test("backs off from 5 ms to 1,000 s, and from the start again after forget", () => {
    const queue = createWorkqueue({ clock: createFakeClock() });
    const delays = Array.from({ length: 20 }, () => queue.addFailed("a"));
    expect(delays.slice(0, 4)).toEqual([5, 10, 20, 40]);
    expect(delays.at(-1)).toBe(1_000_000);
    expect(queue.failures("a")).toBe(20);
    queue.forget("a");
    expect(queue.addFailed("a", { minimumMs: 7_000 })).toBe(7_000);
    expect(queue.addFailed("a")).toBe(10);
  });

  test("refuses more keys than its bound", () => {
    const queue = createWorkqueue({ clock: createFakeClock(), keysMax: 2 });
    queue.add("a");
    queue.add("b");
    expect(() => {
      queue.add("c");
    }).toThrow("Queue holds 2 keys");
    // One that is there already is no more.
    queue.add("a");
  });
});

test("delays come due in order, whatever order they were set in", () => {
  const entry = fc.tuple(fc.constantFrom("a", "b", "c", "d", "e", "f", "g", "h"), fc.nat(100));
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 60 }), fc.nat(100), (entries, now) => {
      const delays = createDelays();
      const earliest = new Map<string, number>();
      for (const [key, dueAt] of entries) {
        delays.set(key, dueAt);
        earliest.set(key, Math.min(dueAt, earliest.get(key) ?? Number.POSITIVE_INFINITY));
      }
      expect(delays.earliest()).toBe(earliest.size === 0 ? undefined : Math.min(...earliest.values()));
      const due = delays.takeDue(now);
      expect(new Set(due)).toEqual(new Set([...earliest].filter(([, dueAt]) => dueAt <= now).map(([key]) => key)));
      const times = due.map((key) => earliest.get(key) ?? 0);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      expect(delays.size).toBe(earliest.size - due.length);
    }),
  );
});
