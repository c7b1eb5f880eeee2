import { expect, test } from "@jest/globals";
import { Condition } from "#api/meta.ts";
import { isConditionTrue, setCondition, type NewCondition } from "./conditions.ts";

const earlier = "2026-01-01T00:00:00Z";
const now = Date.parse("2026-02-02T02:02:02.789Z");
const ready = (overrides: Partial<Condition> = {}): Condition => ({
  type: "Ready",
  status: "True",
  reason: "Fine",
  message: "All is well",
  lastTransitionTime: earlier,
  ...overrides,
});
const other = ready({ type: "Other" });
const wanted = (overrides: Partial<NewCondition> = {}): NewCondition => ({
  type: "Ready",
  status: "True",
  reason: "Fine",
  message: "All is well",
  ...overrides,
});

test("a condition that says the same leaves the very array as it is", () => {
  const conditions = [other, ready()];
  expect(setCondition(conditions, wanted(), now)).toBe(conditions);
});

test("another message keeps the time of the transition", () => {
  const result = setCondition([ready(), other], wanted({ message: "Still well" }), now);
  expect(result).toEqual([ready({ message: "Still well" }), other]);
});

test("another status moves the time of the transition, in whole seconds", () => {
  const result = setCondition([ready()], wanted({ status: "False" }), now);
  expect(result).toEqual([ready({ status: "False", lastTransitionTime: "2026-02-02T02:02:02Z" })]);
});

test("another observedGeneration is a change", () => {
  expect(setCondition([ready()], wanted({ observedGeneration: 2 }), now)).toEqual([ready({ observedGeneration: 2 })]);
});

test("a new condition comes last, also where there was none", () => {
  const added = ready({ lastTransitionTime: "2026-02-02T02:02:02Z" });
  expect(setCondition([other], wanted(), now)).toEqual([other, added]);
  expect(setCondition(undefined, wanted(), now)).toEqual([added]);
});

test("a condition is true only when it is there and says True", () => {
  expect([
    isConditionTrue([ready()], "Ready"),
    isConditionTrue([ready({ status: "Unknown" })], "Ready"),
    isConditionTrue(undefined, "Ready"),
  ]).toEqual([true, false, false]);
});

test("a message that the API would refuse is cut between characters, and the same one is no change", () => {
  const message = `${"a".repeat(32_766)}🦊 and more`;
  const [set] = setCondition([], wanted({ message }), now);
  expect(Condition.safeParse(set).success).toBe(true);
  expect(set?.message).toMatch(/a�…$/);
  const conditions = [set!];
  expect(setCondition(conditions, wanted({ message }), now)).toBe(conditions);
});
