// The annotation `pulumi.com/waitFor`: which statements about an object must hold before it counts as ready.
//
// `jsonpath={.status.phase}=Done`, `jsonpath={.status.phase}` (it exists), `condition=Ready`, `condition=Ready=False`, or a JSON
// array of these.

import { query, type JSONValue } from "json-p3";
import { listField, numberField, stringField } from "./kubernetes-object.ts";
import type { JsonObject } from "./property-values.ts";

export interface WaitCondition {
  readonly text: string;
  readonly holds: (object: JsonObject) => boolean;
}

export function parseWaitFor(annotationValue: string): readonly WaitCondition[] {
  const conditions = expressionsOf(annotationValue).map(parseCondition);
  if (conditions.length === 0) throw new Error("at least one condition must be specified");
  return conditions;
}

function expressionsOf(value: string): readonly string[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    return [value];
  }
  return Array.isArray(parsed) && parsed.every((item) => typeof item === "string") ? parsed : [value];
}

function parseCondition(expression: string): WaitCondition {
  if (expression.startsWith("jsonpath=")) return parseJsonPath(expression.slice("jsonpath=".length));
  if (expression.startsWith("condition=")) return parseStatusCondition(expression.slice("condition=".length));
  throw new Error(`expected a "jsonpath=" or "condition=" prefix, got "${expression}"`);
}

function parseStatusCondition(expression: string): WaitCondition {
  const equals = expression.indexOf("=");
  const type = equals === -1 ? expression : expression.slice(0, equals);
  const status = equals === -1 ? "True" : expression.slice(equals + 1);
  return {
    text: `condition ${type}=${status}`,
    holds: (object) =>
      listField(object, "status", "conditions").some(
        (condition) =>
          stringField(condition, "type").toLowerCase() === type.toLowerCase() &&
          stringField(condition, "status").toLowerCase() === status.toLowerCase() &&
          isCurrent(object, condition),
      ),
  };
}

/** A condition about an older generation says nothing about this one. */
function isCurrent(object: JsonObject, condition: JsonObject): boolean {
  const generation = numberField(object, "metadata", "generation");
  const observed = numberField(condition, "observedGeneration") ?? numberField(object, "status", "observedGeneration");
  return generation === undefined || observed === undefined || observed >= generation;
}

function parseJsonPath(expression: string): WaitCondition {
  const close = closingBrace(expression);
  if (close === -1) throw new Error(`${expression} should be wrapped in brackets { ... }`);
  const path = expression.slice(expression.indexOf("{") + 1, close).trim();
  const rest = expression.slice(close + 1);
  if (rest !== "" && !rest.startsWith("=")) throw new Error(`format should be {.path}=value or {.path}, got "${expression}"`);
  const wanted = rest.slice(1);
  if (rest === "=") throw new Error(`{${path}}= requires a value`);
  const full = path.startsWith("$") ? path : `$${path}`;
  return {
    text: `{${path}}${wanted === "" ? "" : `=${wanted}`}`,
    holds: (object) => {
      const [found] = query(full, mutableCopy(object)).values();
      if (found === undefined) return false;
      if (wanted === "") return true;
      if (typeof found === "object" && found !== null) throw new Error(`"{${path}}" has a non-primitive value`);
      return (typeof found === "string" ? found : JSON.stringify(found)) === wanted;
    },
  };
}

/** The library wants JSON that it could change. */
function mutableCopy(object: JsonObject): JSONValue {
  return JSON.parse(JSON.stringify(object)) as JSONValue;
}

/** The brace that closes the first one; braces in string literals do not count. */
function closingBrace(text: string): number {
  let depth = 0;
  let quote = "";
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index] ?? "";
    if (quote !== "") {
      if (character === "\\") index += 1;
      else if (character === quote) quote = "";
    } else if (depth > 0 && (character === "'" || character === '"')) quote = character;
    else if (character === "{") depth += 1;
    else if (character === "}" && depth > 0) {
      depth -= 1;
      if (depth === 0) return index;
    }
  }
  return -1;
}

/** What a waiting user is told. */
export function describeUnmet(conditions: readonly WaitCondition[], object: JsonObject): readonly string[] {
  return conditions.filter((condition) => !condition.holds(object)).map((condition) => `Waiting for ${condition.text}`);
}
