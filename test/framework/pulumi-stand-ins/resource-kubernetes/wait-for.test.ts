import { describe, expect, test } from "@jest/globals";
import type { JsonObject } from "./property-values.ts";
import { describeUnmet, parseWaitFor } from "./wait-for.ts";

const object = (status: JsonObject, generation = 2): JsonObject => ({ metadata: { generation }, status });
const ready = (status: string, observedGeneration = 2): JsonObject => ({
  conditions: [{ type: "Ready", status, observedGeneration }],
});

const cases: readonly { it: string; waitFor: string; object: JsonObject; holds: boolean }[] = [
  { it: "a value that is there", waitFor: "jsonpath={.status.phase}=Done", object: object({ phase: "Done" }), holds: true },
  { it: "another value", waitFor: "jsonpath={.status.phase}=Done", object: object({ phase: "Doing" }), holds: false },
  { it: "a path that exists", waitFor: "jsonpath={.status.phase}", object: object({ phase: "" }), holds: true },
  { it: "a path that does not exist", waitFor: "jsonpath={.status.phase}", object: object({}), holds: false },
  { it: "a number", waitFor: "jsonpath={.status.replicas}=3", object: object({ replicas: 3 }), holds: true },
  {
    it: "a filter with a comparison",
    waitFor: `jsonpath={.status.conditions[?@.type=="Ready"].status}=True`,
    object: object(ready("True")),
    holds: true,
  },
  { it: "a condition", waitFor: "condition=Ready", object: object(ready("True")), holds: true },
  { it: "a condition that must be False", waitFor: "condition=Ready=False", object: object(ready("False")), holds: true },
  { it: "a condition about an older generation", waitFor: "condition=Ready", object: object(ready("True", 1)), holds: false },
  {
    it: "all of an array",
    waitFor: '["condition=Ready","jsonpath={.status.phase}=Done"]',
    object: object({ ...ready("True"), phase: "Doing" }),
    holds: false,
  },
];

describe("pulumi.com/waitFor", () => {
  test.each(cases)("$it: $holds", ({ waitFor, object: subject, holds }) => {
    expect(describeUnmet(parseWaitFor(waitFor), subject).length === 0).toBe(holds);
  });

  test.each(["[]", "Ready", "jsonpath=.status.phase", "jsonpath={.status.phase}="])("%s is refused", (waitFor) => {
    expect(() => parseWaitFor(waitFor)).toThrow();
  });
});
