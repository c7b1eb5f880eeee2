// Which of a chart's versions is meant: exactly one, the newest, or the newest in a range. Semantic Versioning 2.0.0. Pure.

import { compareText } from "#std/compare-text.ts";

interface Version {
  readonly numbers: readonly [number, number, number];
  /** Empty: a release. */
  readonly pre: readonly string[];
}

const VERSION = /^v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;

/** Longer texts are no version that anybody wrote. */
const VERSION_LENGTH_MAX = 256;

/** The one of `available` that `wanted` means; undefined when there is none. A version of that very name comes first. */
export function chooseVersion(available: readonly string[], wanted: string | undefined): string | undefined {
  if (wanted !== undefined && wanted !== "" && available.includes(wanted)) return wanted;
  const accepts = parseRange(wanted ?? "");
  if (accepts === undefined) return undefined;
  return available
    .flatMap((text) => {
      const version = parse(text);
      return version !== undefined && accepts(version) ? [{ text, version }] : [];
    })
    .toSorted((a, b) => compare(b.version, a.version))[0]?.text;
}

/** An exact version names one chart for ever; anything else must be looked up. */
export function isExactVersion(wanted: string | undefined): wanted is string {
  return wanted !== undefined && /^v?\d+\.\d+\.\d+/.test(wanted) && parse(wanted) !== undefined;
}

type Accepts = (version: Version) => boolean;

/** `^1.2`, `~1.2.3`, `>=1.0 <2`, `1.x`, several with a comma or space (and), or `||` (or); empty: any release. */
function parseRange(text: string): Accepts | undefined {
  if (text.length > VERSION_LENGTH_MAX) return undefined;
  const alternatives = text.split("||").map((part) => parseAll(part.trim()));
  if (alternatives.some((each) => each === undefined)) return undefined;
  return (version) => alternatives.some((accepts) => accepts?.(version) === true);
}

function parseAll(text: string): Accepts | undefined {
  if (text === "" || text === "*") return isRelease;
  const parts = [...text.replace(/([<>=!~^])\s+/g, "$1").split(/[\s,]+/)].filter((part) => part !== "").map(parseOne);
  if (parts.some((part) => part === undefined)) return undefined;
  // A pre-release is meant only by who writes one.
  const allowsPre = text.includes("-");
  return (version) => (allowsPre || isRelease(version)) && parts.every((accepts) => accepts?.(version) === true);
}

const COMPARISON = /^(>=|<=|!=|>|<|=|~|\^)?(.+)$/;

function parseOne(text: string): Accepts | undefined {
  const [, operator = "", rest = ""] = COMPARISON.exec(text) ?? [];
  const bare = rest.replace(/(\.[xX*])+$/, "");
  if (/^[xX*]$/.test(bare)) return () => true;
  const low = parse(bare);
  if (low === undefined) return undefined;
  const given = bare.split("-", 1)[0]?.split(".").length ?? 3;
  const [major, minor, patch] = low.numbers;
  const from: Accepts = (version) => compare(version, low) >= 0;
  const below = (...numbers: [number, number, number]): Accepts => {
    const high: Version = { numbers, pre: ["0"] };
    return (version) => compare(version, high) < 0;
  };
  const next = given === 1 ? below(major + 1, 0, 0) : given === 2 ? below(major, minor + 1, 0) : below(major, minor, patch + 1);
  switch (operator) {
    case ">=":
      return from;
    case ">":
      return given < 3 ? (version) => !next(version) : (version) => compare(version, low) > 0;
    case "<":
      return (version) => !from(version);
    case "<=":
      return given < 3 ? next : (version) => compare(version, low) <= 0;
    case "!=":
      return (version) => !(from(version) && next(version)) || (given === 3 && compare(version, low) !== 0);
    case "~":
      return both(from, given === 1 ? below(major + 1, 0, 0) : below(major, minor + 1, 0));
    case "^":
      if (major > 0 || given === 1) return both(from, below(major + 1, 0, 0));
      return both(from, minor > 0 || given === 2 ? below(0, minor + 1, 0) : below(0, 0, patch + 1));
    default:
      return given === 3 ? (version) => compare(version, low) === 0 : both(from, next);
  }
}

function both(first: Accepts, second: Accepts): Accepts {
  return (version) => first(version) && second(version);
}

function isRelease({ pre }: Version): boolean {
  return pre.length === 0;
}

function parse(text: string): Version | undefined {
  if (text.length > VERSION_LENGTH_MAX) return undefined;
  const match = VERSION.exec(text);
  if (match === null) return undefined;
  const [, major, minor = "0", patch = "0", pre] = match;
  return { numbers: [Number(major), Number(minor), Number(patch)], pre: pre === undefined ? [] : pre.split(".") };
}

function compare(a: Version, b: Version): number {
  for (const [index, number] of a.numbers.entries()) {
    const difference = number - (b.numbers[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return comparePre(a.pre, b.pre);
}

function comparePre(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return b.length - a.length;
  for (const [index, part] of a.entries()) {
    const other = b[index];
    if (other === undefined) return 1;
    const difference = compareIdentifiers(part, other);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Numbers before texts, numbers by value. */
function compareIdentifiers(a: string, b: string): number {
  const [aIsNumber, bIsNumber] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (aIsNumber && bIsNumber) return Number(a) - Number(b);
  if (aIsNumber !== bIsNumber) return aIsNumber ? -1 : 1;
  return compareText(a, b);
}
