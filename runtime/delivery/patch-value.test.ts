// The text of an override: what is read, and what is refused before it can do harm.

import { describe, expect, test } from "@jest/globals";
import { parsePatchValue } from "./patch-value.ts";

const json = (text: string): string => {
  const parsed = parsePatchValue(text);
  return "value" in parsed ? JSON.stringify(parsed.value) : JSON.stringify(parsed);
};

describe("parsePatchValue", () => {
  test.each([
    ["a: 1\nb: [x, y]", '{"a":1,"b":["x","y"]}'],
    ['{"a": {"b": null}}', '{"a":{"b":null}}'],
    ["int64: 9223372036854775807\nuint64: 18446744073709551615", '{"int64":9223372036854775807,"uint64":18446744073709551615}'],
    ["cpu: 500m\nmemory: 1Gi\ncount: 3\nhalf: 0.5", '{"cpu":"500m","memory":"1Gi","count":3,"half":0.5}'],
    ["base: &b {x: 1}\ncopy: *b", '{"base":{"x":1},"copy":{"x":1}}'],
    ["  \n\t", '{"ok":true,"blank":true}'],
  ])("reads %j", (text, expected) => {
    expect(json(text)).toBe(expected);
  });

  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c]`;
  test.each([
    ["text that is neither", "{a: 1", /neither YAML nor JSON/],
    ["the same key twice", "a: 1\na: 2", /unique/],
    ["two documents", "a: 1\n---\nb: 2", /multiple documents/],
    ["an alias bomb", bomb, /alias/],
    ["an alias to itself", "a: &a {b: *a}", /cannot be read|nested deeper/],
    ["a prototype", "__proto__: {polluted: true}", /__proto__ is not allowed/],
    ["deep nesting", `${"{a: ".repeat(100)}1${"}".repeat(100)}`, /nested deeper/],
    ["infinity", "a: .inf", /JSON cannot hold/],
    ["binary", "a: !!binary aGVsbG8=", /JSON cannot hold/],
    ["too much", `a: ${"x".repeat(300_000)}`, /characters long/],
  ])("refuses %s", (_what, text, reason) => {
    expect(parsePatchValue(text)).toEqual({ ok: false, reason: expect.stringMatching(reason) as unknown });
  });
});
