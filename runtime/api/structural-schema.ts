// A zod schema as the structural schema that a CustomResourceDefinition may contain. Pure. Keywords are an allow-list: what is not known
// to be accepted by kube-apiserver with the same meaning stops the build here, not the installation later.

import * as z from "zod";

export interface StructuralSchema {
  readonly type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  readonly description?: string;
  /** Not part of a CustomResourceDefinition: marks what upstream does not have, for the docs. */
  readonly extension?: true;
  readonly default?: unknown;
  readonly nullable?: true;
  readonly enum?: readonly string[];
  readonly format?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: StructuralSchema;
  readonly items?: StructuralSchema;
  readonly anyOf?: readonly StructuralSchema[];
  readonly "x-kubernetes-int-or-string"?: true;
  readonly "x-kubernetes-preserve-unknown-fields"?: true;
  readonly "x-kubernetes-map-type"?: "atomic" | "granular";
  readonly "x-kubernetes-list-type"?: "atomic" | "map" | "set";
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-validations"?: readonly { readonly rule: string; readonly message: string }[];
}

/** Throws with the path of the offending part: a schema that cannot be expressed is a bug of its author. */
export function structuralSchema(schema: z.ZodType, path = ""): StructuralSchema {
  const json = z.toJSONSchema(schema, {
    target: "openapi-3.0",
    io: "input",
    reused: "inline",
    cycles: "throw",
    // A refinement or transformation has no JSON Schema; `z.unknown()` has the empty one and is handled below.
    unrepresentable: "throw",
    override: setIntegerFormat,
  });
  return normalize(json, path);
}

type Json = Readonly<Record<string, unknown>>;

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;

/** zod says by bounds what Kubernetes says by format. */
function setIntegerFormat({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: Record<string, unknown> }): void {
  const { def } = zodSchema._zod;
  const format = def.type === "number" && "format" in def ? def.format : undefined;
  if (format !== "int32" && format !== "safeint") return;
  const [minimum, maximum] = format === "int32" ? [INT32_MIN, INT32_MAX] : [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];
  jsonSchema["format"] = format === "int32" ? "int32" : "int64";
  if (jsonSchema["minimum"] === minimum) delete jsonSchema["minimum"];
  // A maximum that the author wrote into the metadata is meant.
  const written = z.globalRegistry.get(zodSchema)?.["maximum"];
  if (jsonSchema["maximum"] === maximum && written === undefined) delete jsonSchema["maximum"];
}

/** Keywords that are copied as they are, if they are there. */
const COPIED = [
  "type",
  "description",
  "extension",
  "default",
  "nullable",
  "enum",
  "format",
  "pattern",
  "minLength",
  "maxLength",
  "minimum",
  "maximum",
  "minItems",
  "maxItems",
  "required",
  "x-kubernetes-int-or-string",
  "x-kubernetes-preserve-unknown-fields",
  "x-kubernetes-map-type",
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-validations",
] as const;

const HANDLED: ReadonlySet<string> = new Set([
  ...COPIED,
  "properties",
  "additionalProperties",
  "propertyNames",
  "items",
  "anyOf",
]);

function normalize(json: unknown, path: string): StructuralSchema {
  if (!isJson(json)) throw new Error(`Schema of ${at(path)} is ${JSON.stringify(json)}, not an object`);
  for (const keyword of Object.keys(json)) {
    if (!HANDLED.has(keyword)) throw new Error(`Schema of ${at(path)} uses ${keyword}, which a structural schema cannot have`);
  }
  const copied = Object.fromEntries(COPIED.filter((keyword) => keyword in json).map((keyword) => [keyword, json[keyword]]));
  if (json["x-kubernetes-int-or-string"] === true) return intOrString(copied);
  if (json["anyOf"] !== undefined) throw new Error(`Schema of ${at(path)} is a union; only an integer or a string may be one`);
  if (json["type"] === undefined) throw new Error(`Schema of ${at(path)} has no type; use anyObject, or say what it is`);
  return { ...withPortablePattern(copied), ...children(json, path) };
}

function intOrString(copied: Json): StructuralSchema {
  return { ...omit(copied, "type"), anyOf: [{ type: "integer" }, { type: "string" }] };
}

/** The format `date-time` says what zod's pattern says; and a JavaScript source escapes slashes, which nothing else needs. */
function withPortablePattern({ pattern, ...json }: Json): Json {
  if (typeof pattern !== "string" || json["format"] === "date-time") return json;
  return { ...json, pattern: pattern.replaceAll("\\/", "/") };
}

function children(json: Json, path: string): StructuralSchema {
  switch (json["type"]) {
    case "array":
      return { items: normalize(json["items"], `${path}[]`) };
    case "object":
      return objectChildren(json, path);
    default:
      return {};
  }
}

function objectChildren({ properties, additionalProperties, ...json }: Json, path: string): StructuralSchema {
  if (json["x-kubernetes-preserve-unknown-fields"] === true) return {};
  if (isJson(properties)) {
    const entries = Object.entries(properties).map(([name, property]) => [name, normalize(property, join(path, name))] as const);
    return { properties: Object.fromEntries(entries) };
  }
  // `false` (a strict object) is not allowed there: what is not in the schema is pruned anyway.
  if (additionalProperties === undefined || additionalProperties === false) return {};
  return { additionalProperties: normalize(additionalProperties, `${path}{}`) };
}

function join(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

function at(path: string): string {
  return path === "" ? "the root" : path;
}

export function omit<T extends object, Key extends keyof T>(object: T, key: Key): Omit<T, Key> {
  const copy = { ...object };
  Reflect.deleteProperty(copy, key);
  return copy;
}

function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
