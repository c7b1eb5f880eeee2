import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { subscriptionOf } from "#test/framework/scheduler-story.ts";
import { RebalanceTurns } from "./turns.ts";

const HOUR_MS = 3_600_000;
const NOON = Date.parse("2030-01-01T12:00:00Z");

function named(name: string, rebalance: object = { policy: "Show" }): Subscription {
  const subscription = subscriptionOf({ subscription: { rebalance } });
  return { ...subscription, metadata: { ...subscription.metadata, name, uid: `uid-of-${name}` } };
}

describe("looking", () => {
  test("comes once in every interval, and the first time after a start within one", () => {
    const turns = new RebalanceTurns(5);
    const web = named("web");
    let looks = 0;
    for (let minute = 0; minute < 5 * 60; minute += 7) {
      const now = NOON + minute * 60_000;
      const { isDue, nextLookAt } = turns.of(web, now);
      if (isDue) looks += 1;
      expect(nextLookAt).toBeGreaterThan(now);
      expect(nextLookAt - now).toBeLessThanOrEqual(HOUR_MS);
      turns.decided(web, { now, phase: undefined });
    }
    expect(looks).toBeGreaterThanOrEqual(4);
    expect(looks).toBeLessThanOrEqual(5);
  });

  test("is spread over the interval: in no tenth of an hour do more than a fifth of many look", () => {
    const turns = new RebalanceTurns(5);
    const tenths = Array.from({ length: 10 }, () => 0);
    for (let index = 0; index < 1_000; index += 1) {
      const tenth = Math.floor(((turns.of(named(`s${String(index)}`), NOON).nextLookAt - NOON) * 10) / (HOUR_MS + 1));
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    expect(Math.max(...tenths)).toBeLessThan(200);
    expect(Math.min(...tenths)).toBeGreaterThan(20);
  });

  test("does not happen without a policy", () => {
    const turns = new RebalanceTurns(5);
    const web = named("web", {});
    turns.decided(web, { now: NOON, phase: undefined });
    expect(turns.of(web, NOON + 10 * HOUR_MS)).toMatchObject({ isDue: false, nextLookAt: Infinity, mayStart: true });
  });
});

test("never more begin than may at the same time, whoever ends and whatever is deleted", () => {
  const step = fc.record({
    name: fc.constantFrom("a", "b", "c", "d"),
    ends: fc.constantFrom("Done", "Stopped", "deleted", "stays"),
  });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 3 }), fc.array(step, { maxLength: 30 }), (max, steps) => {
      const turns = new RebalanceTurns(max);
      const moving = new Set<string>();
      for (const { name, ends } of steps) {
        const subscription = named(name);
        if (turns.of(subscription, NOON).mayStart) {
          turns.decided(subscription, { now: NOON, phase: "CarryingOut" });
          moving.add(name);
        }
        expect(moving.size).toBeLessThanOrEqual(max);
        if (ends === "deleted") turns.onChange({ type: "deleted", previous: subscription });
        else if (ends !== "stays") turns.decided(subscription, { now: NOON, phase: ends });
        if (ends !== "stays") moving.delete(name);
        expect(turns.moving).toBe(moving.size);
      }
    }),
  );
});
