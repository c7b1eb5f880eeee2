// What kinds of others mean, as data: when such an object works, how many replicas it wants, where its pod template is. Pure.
//
// An administrator registers them in one ConfigMap of the system namespace, one YAML document per key:
//
//   database: |
//     apiVersion: example.com/v1
//     kind: Database
//     replicas: /spec/members
//     podTemplate: /spec/pod
//     health:
//       - { state: Failed, path: /status/phase, in: [Broken] }
//       - { state: Available, path: /status/phase, in: [Running] }
//
// The first health rule that holds decides; when none does, the object is on its way.

import * as z from "zod";
import { compareText } from "#std/compare-text.ts";
import type { Health } from "./health.ts";
import { healthStates } from "./health.ts";
import { isJsonObject } from "./json.ts";
import { parsePatchValue } from "./patch-value.ts";

const pointer = z.string().regex(/^(\/([^~/]|~[01])+)+$/, "must be a JSON pointer such as /spec/replicas");
const scalar = z.union([z.string(), z.number(), z.boolean()]);

const HEALTH_RULES_MAX = 20;
const VALUE_CHARS_SHOWN_MAX = 100;

const healthRule = z.strictObject({
  state: z.enum(healthStates),
  path: pointer.regex(/^\/status\//, "must lie below /status: nothing else is reported by a cluster"),
  in: z.array(scalar).min(1).max(100),
});

const Interpreter = z.strictObject({
  apiVersion: z.string().min(1),
  kind: z.string().min(1),
  replicas: pointer.optional(),
  podTemplate: pointer.optional(),
  health: z.array(healthRule).min(1).max(HEALTH_RULES_MAX).optional(),
});
export type Interpreter = z.output<typeof Interpreter>;

/** By `apiVersion/kind`. */
export type Interpreters = ReadonlyMap<string, Interpreter>;

export interface ParsedInterpreters {
  readonly interpreters: Interpreters;
  /** One sentence per key that cannot be used, with the field and the cause. */
  readonly problems: readonly string[];
}

/** `data` of the ConfigMap. A wrong entry costs itself only. */
export function parseInterpreters(data: Readonly<Record<string, string>>): ParsedInterpreters {
  const interpreters = new Map<string, Interpreter>();
  const problems: string[] = [];
  for (const [key, text] of Object.entries(data).toSorted(([a], [b]) => compareText(a, b))) {
    const result = parseOne(text);
    if (typeof result === "string") problems.push(`${key}: ${result}`);
    else if (interpreters.has(kindKey(result))) problems.push(`${key}: ${kindKey(result)} is registered twice`);
    else interpreters.set(kindKey(result), result);
  }
  return { interpreters, problems };
}

export function interpreterOf(interpreters: Interpreters, object: { apiVersion: string; kind: string }): Interpreter | undefined {
  return interpreters.get(kindKey(object));
}

/** undefined: the interpreter says nothing about health. `object` needs nothing but its status. */
export function interpretedHealth({ health }: Interpreter, object: unknown): Health | undefined {
  if (health === undefined) return undefined;
  for (const { state, path, in: values } of health) {
    const value = at(object, path);
    if (value === undefined || !values.some((expected) => expected === value)) continue;
    return { state, message: state === "Available" ? "" : `${path} is ${shown(value)}` };
  }
  const [first] = health;
  const value = first === undefined ? undefined : at(object, first.path);
  return {
    state: "Progressing",
    message: first === undefined ? "" : `${first.path} is ${value === undefined ? "not set" : shown(value)}`,
  };
}

/** The value at a JSON pointer; undefined when there is none. */
export function at(object: unknown, path: string): unknown {
  return path
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce<unknown>((value, key) => {
      if (Array.isArray(value)) return /^\d+$/.test(key) ? value[Number(key)] : undefined;
      return isJsonObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
    }, object);
}

function parseOne(text: string): Interpreter | string {
  const parsed = parsePatchValue(text);
  if (!parsed.ok) return parsed.reason;
  const result = Interpreter.safeParse("blank" in parsed ? undefined : parsed.value);
  if (result.success) return result.data;
  return result.error.issues.map(({ path, message }) => `${path.length === 0 ? "" : `${path.join(".")}: `}${message}`).join("; ");
}

function kindKey({ apiVersion, kind }: { readonly apiVersion: string; readonly kind: string }): string {
  return `${apiVersion}/${kind}`;
}

function shown(value: unknown): string {
  return (typeof value === "string" ? value : JSON.stringify(value)).slice(0, VALUE_CHARS_SHOWN_MAX);
}
