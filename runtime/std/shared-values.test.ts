import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "@jest/globals";
import { eventually } from "#test/framework/eventually.ts";
import { SharedValues } from "./shared-values.ts";

test("equal values become one, others stay themselves", () => {
  const shared = new SharedValues<readonly string[]>();
  const first = shared.share(["large", "text"]);
  expect(shared.share(["large", "text"])).toBe(first);
  const other = ["large", "other text"];
  expect(shared.share(other)).toBe(other);
  expect(shared.size).toBe(2);
});

test("what nobody holds any more is forgotten", async () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  const shared = new SharedValues<readonly string[]>();
  const held = shared.share(["held"]);
  for (let index = 0; index < 100; index += 1) shared.share([`passing ${String(index)}`]);
  expect(shared.size).toBe(101);
  await eventually("the others are gone", () => {
    collectGarbage();
    return Promise.resolve(shared.size === 1);
  });
  expect(shared.share(["held"])).toBe(held);
});
