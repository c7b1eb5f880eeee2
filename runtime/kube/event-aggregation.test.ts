import { expect, test } from "@jest/globals";
import type { ConfigMap } from "./builtin-kinds.ts";
import { createEventAggregator, type EventNote } from "./event-aggregation.ts";

const object = (name = "a"): ConfigMap => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace: "ns", name, uid: `uid-of-${name}` },
});
const note = (message: string): EventNote => ({ type: "Warning", reason: "Failed", message });

test("the same note again is the same Event with a higher count", () => {
  const aggregator = createEventAggregator();
  const first = aggregator.add(object(), note("x"), 1_000);
  aggregator.named(first?.id ?? "", "a.1");
  expect(aggregator.add(object(), note("x"), 2_000)).toMatchObject({
    id: first?.id,
    name: "a.1",
    count: 2,
    firstAt: 1_000,
    lastAt: 2_000,
  });
  expect(aggregator.add(object("b"), note("x"), 2_000)).toMatchObject({ name: undefined, count: 1 });
});

test("many notes that differ in their message only share one Event", () => {
  const aggregator = createEventAggregator();
  const ids = Array.from({ length: 20 }, (_, index) => aggregator.add(object(), note(`try ${index}`), index)?.id);
  expect(new Set(ids).size).toBe(11);
  expect(aggregator.add(object(), note("try 20"), 20)?.message).toBe("(combined from similar events): try 20");
});

test("one object sends 25 at once, then one every five minutes; others are not held up by it", () => {
  const aggregator = createEventAggregator();
  const sent = Array.from({ length: 40 }, () => aggregator.add(object(), note("x"), 0)).filter((event) => event !== undefined);
  expect(sent).toHaveLength(25);
  expect(aggregator.add(object("b"), note("x"), 0)).toBeDefined();
  expect(aggregator.add(object(), note("x"), 299_000)).toBeUndefined();
  expect(aggregator.add(object(), note("x"), 301_000)).toBeDefined();
});

test("a message is cut to what the API takes", () => {
  const message = createEventAggregator().add(object(), note("x".repeat(5_000)), 0)?.message;
  expect(message).toHaveLength(1_024);
  expect(message?.endsWith("...")).toBe(true);
});
