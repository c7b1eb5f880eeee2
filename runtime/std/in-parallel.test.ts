import { expect, test } from "@jest/globals";
import { setImmediate as turn } from "node:timers/promises";
import { inParallel } from "./in-parallel.ts";

const { signal } = new AbortController();

test("works on so many at a time, and keeps the order of the results", async () => {
  let [running, most] = [0, 0];
  const work = async (item: number): Promise<number> => {
    running += 1;
    most = Math.max(most, running);
    for (let turns = 0; turns < 5 - item; turns += 1) await turn();
    running -= 1;
    return item * 10;
  };
  expect(await inParallel([1, 2, 3, 4, 5], { atATime: 2, work }, signal)).toEqual([10, 20, 30, 40, 50]);
  expect(most).toBe(2);
  expect(await inParallel([], { atATime: 2, work }, signal)).toEqual([]);
});

test("a failure ends it after what has begun; nothing more is started", async () => {
  const done: number[] = [];
  const work = async (item: number): Promise<void> => {
    await turn();
    if (item === 1) throw new Error("one");
    await turn();
    done.push(item);
  };
  await expect(inParallel([1, 2, 3, 4], { atATime: 2, work }, signal)).rejects.toThrow("one");
  expect(done).toEqual([2]);
});

test("an aborted signal starts nothing", async () => {
  const aborted = AbortSignal.abort(new Error("enough"));
  const started: number[] = [];
  const work = (item: number): Promise<number> => Promise.resolve(started.push(item));
  await expect(inParallel([1, 2], { atATime: 1, work }, aborted)).rejects.toThrow("enough");
  expect(started).toEqual([]);
});
