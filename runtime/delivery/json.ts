// JSON values as delivery handles them: own properties only, prototypes out of reach, bounded. Pure.

import { isRawNumber } from "#std/exact-json.ts";

export type JsonObject = Readonly<Record<string, unknown>>;
export type MutableJsonObject = Record<string, unknown>;

/** Deeper values are refused: no Kubernetes object needs it, and every walk over a value is recursive. */
const JSON_DEPTH_MAX = 64;

/** A larger object fits into no Description, and hardly into etcd. */
const RESULT_BYTES_MAX = 1024 * 1024;

/** A patch may put a deep value into a deep place. */
const RESULT_DEPTH_MAX = 2 * JSON_DEPTH_MAX;

/** A key that JavaScript treats specially; no Kubernetes field is called so. */
const FORBIDDEN_KEY = "__proto__";

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isRawNumber(value);
}

export function isForbiddenKey(key: string): boolean {
  return key === FORBIDDEN_KEY;
}

/** A deep copy that shares nothing; raw numbers are immutable and stay. */
export function cloneJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(cloneJson);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, cloneJson(member)]));
}

export function equalJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (isRawNumber(a) || isRawNumber(b)) return equalNumbers(a, b);
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, index) => equalJson(item, b[index]));
  }
  if (!isJsonObject(a) || !isJsonObject(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && equalJson(a[key], b[key]));
}

/** Two numbers of which one is raw. Integers are raw only where a JavaScript number would lie about them; decimals may be either. */
function equalNumbers(a: unknown, b: unknown): boolean {
  const [left, right] = [numberText(a), numberText(b)];
  if (left === undefined || right === undefined) return false;
  return left === right || (/[.eE]/.test(left + right) && Number(left) === Number(right));
}

function numberText(value: unknown): string | undefined {
  if (isRawNumber(value)) return value.rawJSON;
  return typeof value === "number" ? String(value) : undefined;
}

/** Number of values inside a value, itself included. */
export function countJson(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + countJson(item), 1);
  if (!isJsonObject(value)) return 1;
  return Object.values(value).reduce((sum: number, member) => sum + countJson(member), 1);
}

/** Why the result of a patch may not be used: too large, or too deep; undefined when it is fine. Stops as soon as it knows. */
export function resultProblem(value: unknown): string | undefined {
  const budget = { bytes: RESULT_BYTES_MAX };
  const problem = spend(value, budget, 0);
  return problem === undefined ? undefined : `the result is ${problem}`;
}

/** About as many bytes as the JSON text has. */
function spend(value: unknown, budget: { bytes: number }, depth: number): string | undefined {
  if (depth > RESULT_DEPTH_MAX) return `nested deeper than ${String(RESULT_DEPTH_MAX)} levels`;
  budget.bytes -= typeof value === "string" ? value.length + 3 : 3;
  if (budget.bytes < 0) return `larger than ${String(RESULT_BYTES_MAX)} bytes`;
  const isList = Array.isArray(value);
  if (!isList && !isJsonObject(value)) return undefined;
  for (const [key, member] of Object.entries(value)) {
    if (!isList) budget.bytes -= key.length + 3;
    const problem = spend(member, budget, depth + 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Why a value may not be used: too deep, or a key that reaches for prototypes; undefined when it is fine. */
export function jsonProblem(value: unknown, depth = 0): string | undefined {
  if (depth > JSON_DEPTH_MAX) return `nested deeper than ${String(JSON_DEPTH_MAX)} levels`;
  if (Array.isArray(value)) return firstProblem(value, depth);
  if (!isJsonObject(value)) return undefined;
  const forbidden = Object.keys(value).find(isForbiddenKey);
  return forbidden === undefined ? firstProblem(Object.values(value), depth) : `key ${forbidden} is not allowed`;
}

function firstProblem(values: readonly unknown[], depth: number): string | undefined {
  for (const value of values) {
    const problem = jsonProblem(value, depth + 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
