// A Base that is too large for one Description: every object is in exactly one part, parts keep their limits, and objects stay put.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { RenderedObject } from "./render.ts";
import { gainsMoved, splitObjects, type Part } from "./split.ts";

const limits = { bytesMax: 100, objectsMax: 6 };
const object = (key: string, size: number, kind = "ConfigMap"): RenderedObject => ({ key, kind, text: key[0]!.repeat(size) });
const split = (objects: readonly RenderedObject[], previous: readonly Part[] = []): readonly Part[] =>
  splitObjects({ objects, previous, limits });
const told = (parts: readonly Part[]): readonly string[] =>
  parts.map(({ number, objects }) => `${String(number)}: ${objects.map(({ key }) => key).join(" ")}`);
const keysOf = ({ objects }: Part): readonly string[] => objects.map(({ key }) => key);

describe("splitObjects", () => {
  test("keeps in one part, in the order of the feeds, what fits into one", () => {
    expect(told(split([object("b", 40), object("n", 10, "Namespace"), object("a", 50)]))).toEqual(["0: b n a"]);
  });

  test("opens a further part for what does not fit, and what others stand on goes first", () => {
    const objects = [object("a", 60), object("b", 60), object("n", 30, "Namespace"), object("c", 5)];
    expect(told(split(objects))).toEqual(["0: a n c", "1: b"]);
  });

  test("counts objects too: the status needs room for each", () => {
    const objects = Array.from("abcdefgh", (key) => object(key, 1));
    expect(told(split(objects))).toEqual(["0: a b c d e f", "1: g h"]);
  });

  test("moves only the object that grew, and nothing back at the first free byte", () => {
    const before = split([object("a", 50), object("b", 40), object("c", 30)]);
    expect(told(before)).toEqual(["0: a b", "1: c"]);
    const grown = split([object("a", 70), object("b", 40), object("c", 30)], before);
    expect(told(grown)).toEqual(["0: b", "1: a c"]);
    const same = [object("a", 60), object("b", 40), object("c", 30)];
    expect(told(split(same, grown))).toEqual(["0: b", "1: a c"]);
  });

  test("dissolves the last part when the others have ample room", () => {
    const before = split([object("a", 50), object("b", 40), object("c", 30)]);
    expect(told(split([object("a", 10), object("b", 20), object("c", 30)], before))).toEqual(["0: a b c"]);
  });

  test("does not take the number of a part that is going away", () => {
    const objects = [object("a", 60), object("b", 60)];
    expect(told(splitObjects({ objects, previous: [], taken: new Set([1]), limits }))).toEqual(["0: a", "2: b"]);
  });

  test("goes on with a move that was interrupted", () => {
    const previous = [
      { number: 0, objects: [object("a", 50), object("b", 40)] },
      { number: 1, objects: [object("a", 70)] },
    ];
    expect(told(split([object("a", 70), object("b", 40)], previous))).toEqual(["0: b", "1: a"]);
  });
});

const kinds = fc.constantFrom("Namespace", "ConfigMap", "Deployment");
const someObjects = fc.uniqueArray(
  fc.record({ key: fc.constantFrom(...Array.from("abcdefghijklmnop")), size: fc.integer({ min: 1, max: 100 }), kind: kinds }),
  {
    selector: ({ key }) => key,
    maxLength: 16,
  },
);
const rendered = (some: readonly { key: string; size: number; kind: string }[]): readonly RenderedObject[] =>
  some.map(({ key, size, kind }) => object(key, size, kind));

describe("whatever changes, one time after the other", () => {
  const history = fc.array(someObjects, { minLength: 1, maxLength: 6 });
  const everyStep = (
    check: (step: { objects: readonly RenderedObject[]; before: readonly Part[]; after: readonly Part[] }) => void,
  ): void => {
    fc.assert(
      fc.property(history, (steps) => {
        let before: readonly Part[] = [];
        for (const objects of steps.map(rendered)) {
          const after = split(objects, before);
          check({ objects, before, after });
          before = after;
        }
      }),
      { numRuns: 500 },
    );
  };

  test("every object is in exactly one part, and no part is over a limit", () => {
    everyStep(({ objects, after }) => {
      expect(after.flatMap(keysOf).toSorted()).toEqual(objects.map(({ key }) => key).toSorted());
      for (const part of after) {
        expect(part.objects.reduce((sum, { text }) => sum + text.length, 0)).toBeLessThanOrEqual(limits.bytesMax);
        expect(part.objects.length).toBeLessThanOrEqual(limits.objectsMax);
      }
      expect(after[0]?.number).toBe(0);
    });
  });

  test("an object that did not change stays where it is, unless its part is dissolved", () => {
    everyStep(({ objects, before, after }) => {
      for (const part of before) {
        const stays = after.find(({ number }) => number === part.number);
        const same = part.objects.filter(({ key, text }) => objects.some((each) => each.key === key && each.text === text));
        if (stays !== undefined) expect(keysOf(stays)).toEqual(expect.arrayContaining(same.map(({ key }) => key)));
      }
    });
  });

  test("rendered again from the same, it is the same", () => {
    everyStep(({ objects, before, after }) => {
      const isMoving = before.some(({ number }) => number > 0) && after.some((part) => gainsMoved(part, before));
      // What had to move may leave its part emptier than one that is kept.
      if (!isMoving) expect(told(split(objects, after))).toEqual(told(after));
      expect(told(split(objects, before))).toEqual(told(after));
    });
  });

  test("written in order, each object is described by some part at every moment", () => {
    everyStep(({ before, after, objects }) => {
      const there = new Map(before.map((part) => [part.number, keysOf(part)]));
      const described = (): ReadonlySet<string> => new Set([...there.values()].flat());
      const staying = objects.map(({ key }) => key).filter((key) => described().has(key));
      const gaining = after.filter((part) => gainsMoved(part, before));
      for (const part of [...gaining, ...after.filter((each) => !gaining.includes(each))]) {
        there.set(part.number, keysOf(part));
        for (const key of staying) expect(described().has(key)).toBe(true);
      }
      for (const number of there.keys()) if (!after.some((part) => part.number === number)) there.delete(number);
      for (const key of staying) expect(described().has(key)).toBe(true);
    });
  });
});
