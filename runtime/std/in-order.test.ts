// The best few of many, without the order of the rest.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { inOrder } from "./in-order.ts";

const ascending = (a: number, b: number): number => a - b;

test("what is taken is what a whole sort has first", () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.nat(20), (numbers, count) => {
      expect([...inOrder(numbers, ascending).take(count)]).toEqual(numbers.toSorted(ascending).slice(0, count));
    }),
  );
});

test("few of many need few comparisons, and the list stays as it was", () => {
  const numbers = Array.from({ length: 10_000 }, (_, index) => (index * 7_919) % 10_000);
  const before = [...numbers];
  let comparisons = 0;
  const counting = (a: number, b: number): number => {
    comparisons += 1;
    return a - b;
  };
  expect([...inOrder(numbers, counting).take(3)]).toEqual([0, 1, 2]);
  expect(comparisons).toBeLessThan(2.5 * numbers.length);
  expect(numbers).toEqual(before);
});
