// Old and new inputs → the differences, field by field, each with whether it replaces the object. Pure.

import { deepEqual } from "#std/canonical-json.ts";
import { hasUnknown, isArray, isObject, isUnknown, type Json, type JsonObject } from "./property-values.ts";

export type Change = "ADD" | "ADD_REPLACE" | "DELETE" | "DELETE_REPLACE" | "UPDATE" | "UPDATE_REPLACE";
/** `spec.containers[0].image` → what happens to it. */
export type DetailedDiff = ReadonlyMap<string, Change>;

type Path = readonly (string | number)[];

interface Comparison {
  readonly replacing: readonly string[];
  readonly differences: Map<string, Change>;
}

export function detailedDiff(old: JsonObject, news: JsonObject, replacing: readonly string[]): DetailedDiff {
  const comparison: Comparison = { replacing, differences: new Map() };
  compareObjects({ path: [], old, news }, comparison);
  return comparison.differences;
}

/** Removes what lies at or under the paths of the `ignoreChanges` option. */
export function withoutIgnored(differences: DetailedDiff, ignored: readonly string[]): DetailedDiff {
  const covers = (path: string, ignore: string): boolean =>
    path === ignore || path.startsWith(`${ignore}.`) || path.startsWith(`${ignore}[`);
  return new Map([...differences].filter(([path]) => !ignored.some((ignore) => covers(path, ignore))));
}

/** A deleted `metadata` replaces too: an object cannot lose its identity. */
export function replacedFields(differences: DetailedDiff): string[] {
  return [...differences]
    .filter(([path, change]) => change.endsWith("_REPLACE") || (change === "DELETE" && path === "metadata"))
    .map(([path]) => path);
}

interface Pair<T> {
  readonly path: Path;
  readonly old: T;
  readonly news: T;
}

function compareObjects({ path, old, news }: Pair<JsonObject>, comparison: Comparison): void {
  for (const name of new Set([...Object.keys(old), ...Object.keys(news)])) {
    compareValues({ path: [...path, name], old: old[name], news: news[name] }, comparison);
  }
}

function compareValues({ path, old, news }: Pair<Json | undefined>, comparison: Comparison): void {
  if (old === undefined && news === undefined) return;
  if (news === undefined) record({ path, value: undefined, change: "DELETE" }, comparison);
  else if (isUnknown(news)) record({ path, value: news, change: old === undefined ? "ADD" : "UPDATE" }, comparison);
  else if (old === undefined) record({ path, value: news, change: "ADD" }, comparison);
  else if (isObject(old) && isObject(news)) compareObjects({ path, old, news }, comparison);
  else if (isArray(old) && isArray(news)) compareLists({ path, old, news }, comparison);
  else if (!deepEqual(old, news) || hasUnknown(news)) record({ path, value: news, change: "UPDATE" }, comparison);
}

function compareLists({ path, old, news }: Pair<readonly Json[]>, comparison: Comparison): void {
  for (let index = 0; index < Math.max(old.length, news.length); index += 1) {
    compareValues({ path: [...path, index], old: old[index], news: news[index] }, comparison);
  }
}

interface Difference {
  readonly path: Path;
  readonly value: Json | undefined;
  readonly change: "ADD" | "DELETE" | "UPDATE";
}

function record({ path, value, change }: Difference, { replacing, differences }: Comparison): void {
  const replaces = replacing.some((pattern) => reaches(pattern, path, value));
  differences.set(pathText(path), replaces ? `${change}_REPLACE` : change);
}

/** Whether the changed value at `path` is at, under or above the field that the pattern names. */
function reaches(pattern: string, path: Path, value: Json | undefined): boolean {
  const wanted = pattern.replaceAll("[*]", ".*").split(".");
  const shared = Math.min(wanted.length, path.length);
  for (let index = 0; index < shared; index += 1) {
    const matches = wanted[index] === "*" ? typeof path[index] === "number" : wanted[index] === path[index];
    if (!matches) return false;
  }
  return wanted.length <= path.length || contains(value, wanted.slice(path.length));
}

function contains(value: Json | undefined, names: readonly string[]): boolean {
  const [name, ...rest] = names;
  if (name === undefined) return value !== undefined;
  if (name === "*") return isArray(value) && value.some((item) => contains(item, rest));
  return isObject(value) && contains(value[name], rest);
}

function pathText(path: Path): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${String(step)}]`;
    else if (/[."[\]]/.test(step)) text += `["${step.replaceAll('"', '\\"')}"]`;
    else text += text === "" ? step : `.${step}`;
  }
  return text;
}
