// Checks objects against a kind before they are sent: every problem says which field, what is wrong with it, and what to do. Pure.

import * as z from "zod";

import { kindSchema } from "./crd.ts";
import type { Kind } from "./define-kind.ts";
import type { KubeObject } from "./meta.ts";
import type { StructuralSchema } from "./structural-schema.ts";

export interface FieldProblem {
  /** Such as `spec.feeds[0].name`. */
  readonly path: string;
  readonly cause: string;
  readonly fix: string;
}

export type ParseResult<T> =
  | { readonly valid: true; readonly value: T }
  | { readonly valid: false; readonly problems: readonly [FieldProblem, ...FieldProblem[]] };

/** A complete object. Defaults are filled in; unknown fields are problems, because the API server would drop them in silence. */
export function parseObject<T extends KubeObject>(kind: Kind<T>, value: unknown): ParseResult<T> {
  const schema = z.object({
    apiVersion: z.literal(kind.apiVersion),
    kind: z.literal(kind.kind),
    metadata: metadataSchema(kind),
    ...kind.fields,
  });
  // The schema of the kind is what T is derived from (see defineKind), which zod's types cannot follow through a list of kinds.
  return check(schema, objectStructure(kind), { value, path: [] }) as ParseResult<T>;
}

/** One root field, such as `spec`, for callers that have no object yet. Paths begin with the field's name. */
export function parseField(kind: Kind, field: string, value: unknown): ParseResult<unknown> {
  const schema = kind.fields[field];
  const structure = kindSchema(kind).properties?.[field];
  if (schema === undefined || structure === undefined) throw new Error(`Bug: ${kind.kind} has no field ${field}`);
  return check(schema, structure, { value, path: [field] });
}

/** For an error message: one line per problem. */
export function formatProblems(problems: readonly FieldProblem[]): string {
  return problems.map(({ path, cause, fix }) => `${path}: ${cause}. ${fix}`).join("\n");
}

type Path = readonly PropertyKey[];

const PROBLEMS_MAX = 20;

function check(
  schema: z.ZodType,
  structure: StructuralSchema,
  { value, path }: { value: unknown; path: Path },
): ParseResult<unknown> {
  const defined = withoutUndefined(value);
  const result = schema.safeParse(defined);
  const issues = result.success ? [] : result.error.issues;
  const problems = [
    ...issues.map((issue) => problemOf(issue, { structure, value: defined, path })),
    ...unknownFields(defined, structure, path),
  ]
    .filter(isFirstOfItsText)
    .slice(0, PROBLEMS_MAX);
  const [first, ...others] = problems;
  if (first !== undefined) return { valid: false, problems: [first, ...others] };
  return { valid: true, value: result.data };
}

/** Two rules may refuse a value with the same words. */
function isFirstOfItsText(problem: FieldProblem, index: number, all: readonly FieldProblem[]): boolean {
  return all.findIndex(({ path, fix }) => path === problem.path && fix === problem.fix) === index;
}

interface Place {
  readonly structure: StructuralSchema;
  readonly value: unknown;
  readonly path: Path;
}

function problemOf(issue: z.core.$ZodIssue, { structure, value, path }: Place): FieldProblem {
  // Bytes may be secret, so they are never shown.
  const field = schemaAt(structure, issue.path);
  const actual = valueAt(value, issue.path);
  return {
    path: pathText([...path, ...issue.path]),
    cause: actual === undefined ? "is missing" : field?.format === "byte" ? "is not base64" : causeOf(issue, actual),
    fix: fixOf(issue, field, actual),
  };
}

function causeOf(issue: z.core.$ZodIssue, actual: unknown): string {
  switch (issue.code) {
    case "invalid_type":
      return `is ${describe(actual)}, not ${withArticle(issue.expected)}`;
    case "invalid_value":
      return `is ${describe(actual)}, which is not allowed`;
    case "too_big":
      return typeof actual === "string" ? `is ${actual.length} characters long` : `is ${describe(actual)}, which is too much`;
    case "too_small":
      return typeof actual === "string" ? `is ${actual.length} characters long` : `is ${describe(actual)}, which is too little`;
    default:
      return `is ${describe(actual)}, which does not have the right form`;
  }
}

function fixOf(issue: z.core.$ZodIssue, field: StructuralSchema | undefined, actual: unknown): string {
  switch (issue.code) {
    case "invalid_value":
      return `Use ${oneOf(issue.values.map(String), actual)}`;
    case "too_big":
      return `Use at most ${issue.maximum}${typeof actual === "string" ? " characters" : ""}`;
    case "too_small":
      return `Use at least ${issue.minimum}${typeof actual === "string" ? " characters" : ""}`;
    case "custom":
      return issue.message;
    default:
      return expectation(field);
  }
}

function expectation(field: StructuralSchema | undefined): string {
  if (field === undefined) return "See the reference of this kind";
  const meaning = field.description === undefined ? "" : `: ${field.description}`;
  if (field["x-kubernetes-int-or-string"] === true) return 'Write a quantity, such as 3, "500m" or "24Gi"';
  if (field.enum !== undefined) return `Use ${oneOf(field.enum, undefined)}${meaning}`;
  if (field.format === "date-time") return "Write a time such as 2026-01-31T12:00:00Z";
  if (field.pattern !== undefined) return `Write text that matches ${field.pattern}${meaning}`;
  return `Write ${withArticle(field.type ?? "value")}${meaning}`;
}

function unknownFields(value: unknown, structure: StructuralSchema, path: Path): FieldProblem[] {
  if (Array.isArray(value)) {
    const { items } = structure;
    return items === undefined ? [] : value.flatMap((item: unknown, index) => unknownFields(item, items, [...path, index]));
  }
  if (!isRecord(value) || structure["x-kubernetes-preserve-unknown-fields"] === true) return [];
  const { properties, additionalProperties } = structure;
  return Object.entries(value).flatMap(([name, child]) => {
    const known = additionalProperties ?? properties?.[name];
    if (known !== undefined) return unknownFields(child, known, [...path, name]);
    // `metadata` has no schema of its own in a CustomResourceDefinition: the API server knows it.
    return properties === undefined ? [] : [unknownField([...path, name], name, Object.keys(properties))];
  });
}

function unknownField(path: Path, name: string, known: readonly string[]): FieldProblem {
  return { path: pathText(path), cause: "is not a field of this kind", fix: `Use ${oneOf(known, name)}, or remove it` };
}

/** Kubernetes' names: dots between labels of a-z, 0-9 and "-". */
const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

function metadataSchema({ scope }: Kind): z.ZodType {
  const texts = z.record(z.string(), z.string()).optional();
  const namespace = z.string().max(63).regex(NAME);
  const noNamespace = z.string().refine(() => false, { error: "Remove it: objects of this kind are in no namespace" });
  return z.looseObject({
    name: z.string().max(253).regex(NAME),
    namespace: scope === "Namespaced" ? namespace : noNamespace.optional(),
    labels: texts,
    annotations: texts,
    finalizers: z.array(z.string()).optional(),
  });
}

/** With what a CustomResourceDefinition leaves to the API server: where metadata comes from. */
function objectStructure(kind: Kind): StructuralSchema {
  const schema = kindSchema(kind);
  const texts: StructuralSchema = { type: "object", additionalProperties: { type: "string" } };
  const metadata: StructuralSchema = {
    type: "object",
    description: "Name, namespace, labels and annotations.",
    "x-kubernetes-preserve-unknown-fields": true,
    properties: {
      name: { type: "string", description: 'Up to 253 of a-z, 0-9, "-" and ".", beginning and ending with a letter or digit.' },
      namespace: { type: "string", description: "The namespace of the object." },
      labels: texts,
      annotations: texts,
    },
  };
  return { ...schema, properties: { ...schema.properties, metadata } };
}

function oneOf(values: readonly string[], wrong: unknown): string {
  const near = typeof wrong === "string" ? values.find((value) => isNear(value, wrong)) : undefined;
  if (near !== undefined) return near;
  return values.length === 1 ? String(values[0]) : `one of ${values.join(", ")}`;
}

/** The same letters but for case, or one letter more, less or different. */
function isNear(right: string, wrong: string): boolean {
  const [a, b] = [right.toLowerCase(), wrong.toLowerCase()];
  if (a === b) return true;
  if (Math.abs(a.length - b.length) > 1) return false;
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  const [restA, restB] = [a.slice(start), b.slice(start)];
  return restA.slice(1) === restB.slice(1) || restA.slice(1) === restB || restA === restB.slice(1);
}

function schemaAt(structure: StructuralSchema, path: Path): StructuralSchema | undefined {
  let current: StructuralSchema | undefined = structure;
  for (const step of path) {
    current = typeof step === "number" ? current?.items : (current?.properties?.[String(step)] ?? current?.additionalProperties);
  }
  return current;
}

function valueAt(value: unknown, path: Path): unknown {
  let current = value;
  for (const step of path) {
    if (Array.isArray(current) && typeof step === "number") current = current[step];
    else if (isRecord(current)) current = current[String(step)];
    else return undefined;
  }
  return current;
}

function pathText(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    const name = String(step);
    if (!/^[A-Za-z_]\w*$/.test(name)) return `${text}[${JSON.stringify(name)}]`;
    return text === "" ? name : `${text}.${name}`;
  }, "");
}

const SHOWN_LENGTH_MAX = 60;

function describe(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (isRecord(value)) return "an object";
  // Only what JSON has gets here (see withoutUndefined), and such a value has a text.
  const text = JSON.stringify(value);
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text;
}

function withArticle(type: string): string {
  const word = type === "array" ? "list" : type === "record" ? "object" : type === "int" ? "integer" : type;
  return /^[aeio]/.test(word) ? `an ${word}` : `a ${word}`;
}

/** `{ a: undefined }` and `{}` are the same JSON. */
function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, child]) => child !== undefined)
      .map(([name, child]) => [name, withoutUndefined(child)]),
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
