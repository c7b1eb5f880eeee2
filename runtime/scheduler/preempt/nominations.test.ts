// Room that is on its way: who has to give how much, who may not take it meanwhile, and when that ends.

import { expect, test } from "@jest/globals";
import { Nominations, SETTLE_MS } from "./nominations.ts";
import type { Claim, Limit, Plan } from "./room.ts";

const OSLO = "oslo/oslo";
const [FEED, OTHER] = ["apps/v1/Deployment/web", "apps/v1/Deployment/batch"];
const request = { resources: { requests: { cpu: "1" } } };

function planOf(victim: string, { has, gives }: { readonly has: number; readonly gives: number }): Plan {
  const giver = { subscription: victim, priority: 0, cluster: OSLO, feed: OTHER, request, replicas: has };
  const claim: Claim = { cluster: OSLO, feed: FEED, request, base: 1, replicas: gives };
  return { type: "plan", claims: [claim], givings: [{ giver, replicas: gives }], isLimited: false };
}

const preemptor = (key: string, priority = 10): Parameters<Nominations["nominate"]>[0] => ({
  key,
  priority,
  text: `${key}!`,
  generation: 1,
});
const limit = (memory: Nominations, now = 0, priority = 0): Limit | undefined =>
  memory.limitsOf({ key: "low", priority }, now)?.of(OSLO, OTHER);
const held = (memory: Nominations, key: string, priority: number): number =>
  memory.heldAgainst({ key, priority }, OSLO, 1).reduce((sum, { replicas }) => sum + replicas, 0);
const progress = (
  memory: Nominations,
  key: string,
  { missing, has }: { readonly missing: number; readonly has: number },
): void => {
  memory.progress(key, { missing: new Map([[FEED, missing]]), shareOf: () => has });
};

test("who gives is told how many replicas may stay, however often it is decided", () => {
  const memory = new Nominations();
  memory.nominate(preemptor("a"), planOf("low", { has: 10, gives: 3 }), 0);
  memory.confirm("a");
  expect([limit(memory), limit(memory)]).toEqual(Array(2).fill({ max: 7, by: "a!" }));
  expect(memory.limitsOf({ key: "other", priority: 0 }, 0)).toBeUndefined();
  // Its priority was raised since.
  expect(limit(memory, 0, 10)).toBeUndefined();
});

test("before its decision is carried out nobody is told to give, but other plans count with it", () => {
  const memory = new Nominations();
  memory.nominate(preemptor("a"), planOf("low", { has: 10, gives: 3 }), 0);
  expect(limit(memory)).toBeUndefined();
  expect(memory.limitsOf({ key: "low", priority: 0 }, 0, "planned")?.of(OSLO, OTHER)).toEqual({ max: 7, by: "a!" });
  expect(held(memory, "low", 0)).toBe(3);
});

test("several take from one: what each takes adds up, and what one gives up comes back", () => {
  const memory = new Nominations();
  memory.nominate(preemptor("a"), planOf("low", { has: 10, gives: 3 }), 0);
  memory.confirm("a");
  memory.nominate(preemptor("b"), planOf("low", { has: 7, gives: 2 }), 1);
  memory.confirm("b");
  expect(limit(memory)).toEqual({ max: 5, by: "a!, b!" });
  memory.end("a", 2);
  expect(limit(memory)).toEqual({ max: 8, by: "b!" });
});

test("what was given to who is placed by now stays given while others still wait", () => {
  const memory = new Nominations();
  memory.nominate(preemptor("a"), planOf("low", { has: 10, gives: 3 }), 0);
  memory.confirm("a");
  memory.nominate(preemptor("b"), planOf("low", { has: 7, gives: 2 }), 1);
  memory.confirm("b");
  progress(memory, "a", { missing: 0, has: 4 });
  expect(limit(memory)).toEqual({ max: 5, by: "b!" });
});

test("the room is held against lower priorities, and equal ones that have not waited for longer; never against itself", () => {
  const memory = new Nominations();
  memory.nominate(preemptor("a"), planOf("low", { has: 10, gives: 3 }), 0);
  memory.confirm("a");
  memory.nominate(preemptor("b"), planOf("low", { has: 7, gives: 2 }), 1);
  memory.confirm("b");
  expect(held(memory, "low", 0)).toBe(5);
  expect(held(memory, "equal", 10)).toBe(5);
  expect(held(memory, "higher", 11)).toBe(0);
  expect([held(memory, "a", 10), held(memory, "b", 10)]).toEqual([0, 3]);
  expect(memory.heldAgainst({ key: "low", priority: 0 }, "rome/rome", 0)).toEqual([]);
});

test("what it has got is not held any more, nor what it found elsewhere", () => {
  const memory = new Nominations();
  memory.nominate(preemptor("a"), planOf("low", { has: 10, gives: 3 }), 0);
  memory.confirm("a");
  progress(memory, "a", { missing: 2, has: 2 });
  expect(held(memory, "low", 0)).toBe(2);
  progress(memory, "a", { missing: 1, has: 2 });
  expect(held(memory, "low", 0)).toBe(1);
  progress(memory, "a", { missing: 0, has: 2 });
  expect([memory.size, limit(memory), held(memory, "low", 0)]).toEqual([0, undefined, 0]);
});

test("too old: nobody gives any more, and its cluster is avoided for longer than that", () => {
  const memory = new Nominations();
  memory.nominate(preemptor("a"), planOf("low", { has: 10, gives: 3 }), 0);
  memory.confirm("a");
  const minute = 60_000;
  expect(limit(memory, 5 * minute - 1)).toBeDefined();
  expect(limit(memory, 5 * minute)).toBeUndefined();
  expect([...memory.avoidedBy("a", 5 * minute)]).toEqual([OSLO]);
  expect([...memory.avoidedBy("b", 5 * minute)]).toEqual([]);
  expect([...memory.avoidedBy("a", 36 * minute)]).toEqual([]);
});

test("who changed waits until what was given may have arrived; who is undone does not", () => {
  const memory = new Nominations();
  memory.nominate(preemptor("a"), planOf("low", { has: 10, gives: 3 }), 0);
  memory.confirm("a");
  memory.end("a", 100);
  expect([memory.isBarred("a", 100), memory.isBarred("a", 100 + SETTLE_MS)]).toEqual([true, false]);
  memory.nominate(preemptor("b"), planOf("low", { has: 10, gives: 3 }), 200);
  memory.confirm("b");
  memory.undo("b");
  expect([memory.isBarred("b", 200), limit(memory, 200)]).toEqual([false, undefined]);
});

test("no more than a thousand wait at a time", () => {
  const memory = new Nominations();
  for (let index = 0; index < 1_000; index += 1)
    memory.nominate(preemptor(`p${String(index)}`), planOf("low", { has: 1, gives: 1 }), 0);
  expect([memory.isFull(0), memory.isFull(5 * 60_000), memory.size]).toEqual([true, false, 0]);
});
