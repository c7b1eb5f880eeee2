// RFC 6902, compared with fast-json-patch; and what that library cannot do.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import jsonPatch from "fast-json-patch";
import { parseExactJson } from "#std/exact-json.ts";
import { cloneJson } from "./json.ts";
import { applyJsonPatch, PatchError, type JsonPatchOperation } from "./json-patch.ts";

const key = fc.constantFrom("a", "b", "c", "0", "x/y", "~");
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom(null, true, 0, 1, "text"),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(key, tie("value"), { maxKeys: 3 }),
  ),
}));
const document = fc.dictionary(key, value, { minKeys: 1, maxKeys: 4 });

describe("applyJsonPatch", () => {
  test("turns any document into any other, by the patch that another implementation computes", () => {
    fc.assert(
      fc.property(document, document, (before, after) => {
        const operations = jsonPatch.compare(before, after) as JsonPatchOperation[];
        expect(applyJsonPatch(before, operations)).toEqual(after);
      }),
    );
  });

  test("does what fast-json-patch does, and refuses what it refuses", () => {
    const pointer = fc
      .array(fc.constantFrom("a", "b", "c", "0", "1", "-"), { minLength: 1, maxLength: 3 })
      .map((parts) => `/${parts.join("/")}`);
    const operation = fc.oneof(
      fc.record({ op: fc.constantFrom("add", "replace", "test"), path: pointer, value }),
      fc.record({ op: fc.constant("remove"), path: pointer }),
      fc.record({ op: fc.constant("copy"), path: pointer, from: pointer }),
    ) as fc.Arbitrary<JsonPatchOperation>;
    fc.assert(
      fc.property(document, fc.array(operation, { maxLength: 3 }), (before, operations) => {
        let theirs: unknown;
        try {
          theirs = jsonPatch.applyPatch(cloneJson(before), cloneJson(operations) as jsonPatch.Operation[], true).newDocument;
        } catch {
          return;
        }
        // "-" only means something where something is added; that library is more lenient.
        if (operations.some(({ op, path, from }) => `${op === "add" || op === "copy" ? "" : path}${from ?? ""}`.includes("-")))
          return;
        let ours: unknown;
        try {
          ours = applyJsonPatch(before, operations);
        } catch (error) {
          expect(error).toBeInstanceOf(PatchError);
          return;
        }
        expect(ours).toEqual(theirs);
      }),
    );
  });

  test("leaves the document as it was", () => {
    const before = { a: { b: [1, 2] } };
    applyJsonPatch(before, [{ op: "remove", path: "/a/b/0" }]);
    expect(before).toEqual({ a: { b: [1, 2] } });
  });

  const refused: readonly {
    readonly it: string;
    readonly operations: JsonPatchOperation[];
    readonly path: string;
    readonly message: RegExp;
  }[] = [
    {
      it: "a missing path",
      operations: [{ op: "replace", path: "/spec/x", value: 1 }],
      path: "/spec/x",
      message: /does not exist/,
    },
    { it: "a missing parent", operations: [{ op: "add", path: "/no/such", value: 1 }], path: "/no", message: /does not exist/ },
    {
      it: "a position behind the end",
      operations: [{ op: "add", path: "/list/5", value: 1 }],
      path: "/list/5",
      message: /2 items/,
    },
    {
      it: "a word as a position",
      operations: [{ op: "remove", path: "/list/first" }],
      path: "/list/first",
      message: /not a position/,
    },
    { it: "a leading zero", operations: [{ op: "remove", path: "/list/01" }], path: "/list/01", message: /not a position/ },
    {
      it: "a failed test",
      operations: [{ op: "test", path: "/spec/replicas", value: 3 }],
      path: "/spec/replicas",
      message: /^test failed: the value is another$/,
    },
    { it: "a pointer without a slash", operations: [{ op: "remove", path: "spec" }], path: "spec", message: /JSON pointer/ },
    {
      it: "the prototype",
      operations: [{ op: "add", path: "/__proto__/polluted", value: true }],
      path: "/__proto__/polluted",
      message: /not allowed/,
    },
    {
      it: "a move into itself",
      operations: [{ op: "move", from: "/spec", path: "/spec/inner" }],
      path: "/spec/inner",
      message: /into itself/,
    },
    { it: "removing everything", operations: [{ op: "remove", path: "" }], path: "", message: /whole object/ },
  ];
  test.each(refused)("refuses $it, and says where", ({ operations, path, message }) => {
    const object = { spec: { replicas: 1 }, list: [1, 2] };
    const attempt = (): unknown => applyJsonPatch(object, operations);
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(expect.objectContaining({ path }));
  });

  test("reaches no prototype through constructor either", () => {
    expect(() => applyJsonPatch({}, [{ op: "add", path: "/constructor/prototype/polluted", value: 1 }])).toThrow(
      /does not exist/,
    );
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  test("int64 survive every operation, copies included", () => {
    const before = parseExactJson('{"big":9223372036854775807,"list":[1]}');
    const after = applyJsonPatch(before, [
      { op: "copy", from: "/big", path: "/copied" },
      { op: "move", from: "/big", path: "/moved" },
      { op: "add", path: "/list/-", value: parseExactJson("-9223372036854775808") },
      { op: "test", path: "/moved", value: parseExactJson("9223372036854775807") },
    ]);
    expect(JSON.stringify(after)).toBe(
      '{"list":[1,-9223372036854775808],"copied":9223372036854775807,"moved":9223372036854775807}',
    );
  });

  test("a patch that would blow up is stopped", () => {
    const doubling = Array.from({ length: 64 }, (_, index): JsonPatchOperation => ({
      op: "copy",
      from: "",
      path: `/x${String(index)}`,
    }));
    expect(() => applyJsonPatch({ a: 1 }, doubling)).toThrow(/copies more than/);
    const many = Array.from({ length: 10_001 }, (): JsonPatchOperation => ({ op: "test", path: "/a", value: 1 }));
    expect(() => applyJsonPatch({ a: 1 }, many)).toThrow(/more than 10000/);
  });
});
