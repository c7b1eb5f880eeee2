// The rules of structural schemas, on small schemas and on all of ours.

import { describe, expect, test } from "@jest/globals";
import * as z from "zod";

import { kindSchema, withoutMarks } from "./crd.ts";
import { anyObject, bytes, int32, int64, quantity, timestamp } from "./fields.ts";
import { kinds } from "./kinds.ts";
import { type StructuralSchema, structuralSchema } from "./structural-schema.ts";

describe("structuralSchema", () => {
  test.each<[string, z.ZodType, StructuralSchema]>([
    ["int32", int32, { type: "integer", format: "int32" }],
    ["int64", int64, { type: "integer", format: "int64" }],
    ["a range", int32.min(0).max(1000).default(5), { type: "integer", format: "int32", minimum: 0, maximum: 1000, default: 5 }],
    ["a number", z.number(), { type: "number" }],
    ["a time", timestamp, { type: "string", format: "date-time" }],
    ["bytes", bytes, { type: "string", format: "byte" }],
    ["a pattern with slashes", z.string().regex(/^a\/b$/), { type: "string", pattern: "^a/b$" }],
    ["an enum", z.enum(["A", "B"]).optional(), { type: "string", enum: ["A", "B"] }],
    ["nullable", z.string().nullable(), { type: "string", nullable: true }],
    ["any object", anyObject, { type: "object", "x-kubernetes-preserve-unknown-fields": true }],
    ["a map", z.record(z.string(), z.string()), { type: "object", additionalProperties: { type: "string" } }],
    [
      "a strict object",
      z.strictObject({ a: z.string(), b: z.boolean().optional() }),
      { type: "object", properties: { a: { type: "string" }, b: { type: "boolean" } }, required: ["a"] },
    ],
    [
      "a keyed list",
      z
        .array(z.object({ type: z.string() }))
        .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"], extension: true }),
      {
        type: "array",
        items: { type: "object", properties: { type: { type: "string" } }, required: ["type"] },
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        extension: true,
      },
    ],
  ])("%s", (_, schema, expected) => {
    expect(structuralSchema(schema)).toEqual(expected);
  });

  test("a quantity is an integer or a string, with types only where Kubernetes allows them", () => {
    expect(structuralSchema(quantity)).toEqual({
      "x-kubernetes-int-or-string": true,
      anyOf: [{ type: "integer" }, { type: "string" }],
      pattern: expect.stringContaining("[KMGTPE]i"),
    });
  });

  test.each<[string, z.ZodType, RegExp]>([
    ["a union", z.object({ a: z.union([z.string(), z.boolean()]) }), /a is a union/],
    [
      "objects by kind",
      z.discriminatedUnion("k", [z.object({ k: z.literal("a") }), z.object({ k: z.literal("b") })]),
      /oneOf|union/,
    ],
    ["anything", z.object({ a: z.array(z.unknown()) }), /a\[\] has no type/],
    ["a date", z.date(), /Date/],
    ["an intersection", z.intersection(z.object({ a: z.string() }), z.string()), /allOf|Unsatisfiable|type/],
    ["an unknown keyword", z.string().meta({ "x-kubernetes-nonsense": 1 }), /root uses x-kubernetes-nonsense/],
  ])("refuses %s", (_, schema, message) => {
    expect(() => structuralSchema(schema)).toThrow(message);
  });
});

describe.each(kinds.map((kind) => [kind.kind, withoutMarks(kindSchema(kind))] as const))("schema of %s", (_, schema) => {
  const parts = [...everyPart("", schema)];

  test("is structural", () => {
    for (const [path, part] of parts) {
      expect([path, part["x-kubernetes-int-or-string"] === true || part.type !== undefined]).toEqual([path, true]);
      expect([path, part.properties !== undefined && part.additionalProperties !== undefined]).toEqual([path, false]);
      if (part.anyOf !== undefined) expect([path, part["x-kubernetes-int-or-string"]]).toEqual([path, true]);
      if (part.type === "array") expect([path, part.items !== undefined]).toEqual([path, true]);
      for (const name of part.required ?? [])
        expect([path, Object.keys(part.properties ?? {})]).toEqual([path, expect.arrayContaining([name])]);
      // A key of a keyed list is required, or has a default, in its items.
      for (const key of part["x-kubernetes-list-map-keys"] ?? []) expect(part.items?.required).toContain(key);
    }
  });

  test("every field says what it means", () => {
    const silent = parts.filter(([path, part]) => part.description === undefined && !/^$|^metadata$|\[\]$|\{\}$/.test(path));
    expect(silent.map(([path]) => path)).toEqual([]);
  });

  test("has no bounds of JavaScript numbers but the one that is meant", () => {
    const bounded = parts.filter(([, part]) => Math.abs(part.minimum ?? 0) > 2 ** 31 || (part.maximum ?? 0) > 2 ** 31);
    expect(bounded.map(([path]) => path).filter((path) => path !== "status.specHash")).toEqual([]);
  });
});

function* everyPart(path: string, schema: StructuralSchema): Iterable<readonly [string, StructuralSchema]> {
  yield [path, schema];
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    yield* everyPart(path === "" ? name : `${path}.${name}`, property);
  }
  if (schema.additionalProperties !== undefined) yield* everyPart(`${path}{}`, schema.additionalProperties);
  if (schema.items !== undefined) yield* everyPart(`${path}[]`, schema.items);
}
