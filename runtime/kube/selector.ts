// Label selectors: match, and read and write the text form. Pure.

import type { LabelSelector, LabelSelectorRequirement } from "#api/meta.ts";
import { assertNever } from "#std/assert.ts";

type Labels = Readonly<Record<string, string>>;

/** As in Kubernetes: an absent selector matches nothing, an empty one everything. */
export function matchesSelector(selector: LabelSelector | undefined, labels: Labels | undefined): boolean {
  return selector !== undefined && holdsAll(partsOf(selector), labels ?? {});
}

/** The same for one selector and many objects. */
export function matcherOf(selector: LabelSelector | undefined): (labels: Labels | undefined) => boolean {
  if (selector === undefined) return () => false;
  const parts = partsOf(selector);
  return (labels = {}) => holdsAll(parts, labels);
}

interface SelectorParts {
  readonly equalities: readonly (readonly [key: string, value: string])[];
  readonly matchExpressions: readonly LabelSelectorRequirement[];
}

function partsOf({ matchLabels = {}, matchExpressions = [] }: LabelSelector): SelectorParts {
  return { equalities: Object.entries(matchLabels), matchExpressions };
}

function holdsAll({ equalities, matchExpressions }: SelectorParts, labels: Labels): boolean {
  for (const [key, value] of equalities) if (valueOf(labels, key) !== value) return false;
  for (const requirement of matchExpressions) if (!matchesRequirement(requirement, labels)) return false;
  return true;
}

function matchesRequirement({ key, operator, values = [] }: LabelSelectorRequirement, labels: Labels): boolean {
  return holdsFor(valueOf(labels, key), operator, values);
}

/** undefined: there is no such label. */
export function holdsFor(
  value: string | undefined,
  operator: LabelSelectorRequirement["operator"],
  values: readonly string[],
): boolean {
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    default:
      return assertNever(operator);
  }
}

/** A label may be called "constructor". */
function valueOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

export class SelectorError extends Error {
  override readonly name = "SelectorError";
}

const KEY = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
/** What one requirement may look like: `!a`, `a`, `a=b`, `a==b`, `a!=b`, `a in (b, c)`, `a notin (b)`. */
const REQUIREMENT =
  /^(?:!\s*(?<absent>\S+)|(?<key>[^\s!=,()]+)\s*(?:(?<compare>==|=|!=)\s*(?<value>[^\s=!,()]*)|(?:(?<=\s)(?<set>in|notin)\s*\((?<values>[^()]*)\))?))$/;

/** `a=b,c!=d,e in (f,g),h,!i` -> LabelSelector. Empty text is the empty selector. Throws SelectorError, naming the requirement. */
export function parseSelector(text: string): LabelSelector {
  if (text.trim() === "") return {};
  const requirements = splitOutsideParentheses(text).map(parseRequirement);
  const matchLabels: Record<string, string> = {};
  const matchExpressions: LabelSelectorRequirement[] = [];
  for (const requirement of requirements) {
    const [only] = requirement.values ?? [];
    const isEquality = requirement.isEquality && requirement.operator === "In" && only !== undefined;
    if (isEquality && !Object.hasOwn(matchLabels, requirement.key)) define(matchLabels, requirement.key, only);
    else matchExpressions.push(expressionOf(requirement));
  }
  return {
    ...(Object.keys(matchLabels).length === 0 ? {} : { matchLabels }),
    ...(matchExpressions.length === 0 ? {} : { matchExpressions }),
  };
}

interface ParsedRequirement extends LabelSelectorRequirement {
  readonly isEquality: boolean;
}

function expressionOf({ key, operator, values }: ParsedRequirement): LabelSelectorRequirement {
  return values === undefined ? { key, operator } : { key, operator, values };
}

function parseRequirement(text: string): ParsedRequirement {
  const trimmed = text.trim();
  const groups = REQUIREMENT.exec(trimmed)?.groups;
  if (groups === undefined) throw new SelectorError(`"${trimmed}" is not a requirement of a label selector`);
  const { absent, key = "", compare, value = "", set, values = "" } = groups;
  if (absent !== undefined) return { key: checkedKey(absent), operator: "DoesNotExist", isEquality: false };
  checkedKey(key);
  if (compare !== undefined) {
    return { key, operator: compare === "!=" ? "NotIn" : "In", values: [checkedValue(value)], isEquality: true };
  }
  if (set === undefined) return { key, operator: "Exists", isEquality: false };
  const all = values.split(",").map((each) => checkedValue(each.trim()));
  return { key, operator: set === "in" ? "In" : "NotIn", values: all, isEquality: false };
}

function splitOutsideParentheses(text: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let depth = 0;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (character === "(") depth += 1;
    else if (character === ")") depth -= 1;
    else if (character === "," && depth === 0) {
      parts.push(text.slice(start, index));
      start = index + 1;
    }
  }
  return [...parts, text.slice(start)];
}

function checkedKey(key: string): string {
  if (!KEY.test(key)) throw new SelectorError(`"${key}" is not a label key`);
  return key;
}

function checkedValue(value: string): string {
  if (!VALUE.test(value)) throw new SelectorError(`"${value}" is not a label value`);
  return value;
}

function define(target: Record<string, string>, key: string, value: string): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

/** The text that the API takes as `labelSelector`; sorted, so that equal selectors give equal text. */
export function formatSelector({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  const equalities = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`);
  return [...equalities, ...matchExpressions.map(formatRequirement)].sort().join(",");
}

function formatRequirement({ key, operator, values = [] }: LabelSelectorRequirement): string {
  const set = `(${[...values].sort().join(",")})`;
  switch (operator) {
    case "In":
      return `${key} in ${set}`;
    case "NotIn":
      return `${key} notin ${set}`;
    case "Exists":
      return key;
    case "DoesNotExist":
      return `!${key}`;
    default:
      return assertNever(operator);
  }
}
