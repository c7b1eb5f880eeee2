// YAML text -> its value, and a changed value -> the text again, with the comments, the order and the numbers that were there. Pure.
//
// What the library cannot keep is the distance of a comment from its line and the folding of long lines; and it sets the last comment
// apart by an empty line. What is written is read back: text that would not say the value is never returned.

import {
  isMap,
  isScalar,
  isSeq,
  parseDocument,
  Scalar,
  stringify,
  visit,
  type Document,
  type ParsedNode,
  type ScalarTag,
  type Tags,
  type ToStringOptions,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import { exactInteger, isRawNumber } from "#std/exact-json.ts";
import { equalJson, isJsonObject, type JsonObject } from "./json.ts";

/** How many values aliases may stand for in sum. */
const ALIASES_MAX = 100;

/** In longer lists an item that moved is written anew, without its comments. */
const COMPARISONS_MAX = 10_000;

type YamlDocument = Document.Parsed;

/** Throws what the parser found. */
export function parseYamlText(text: string): { readonly document: YamlDocument; readonly value: unknown } {
  const customTags = (tags: Tags): Tags => tags.map((tag) => (isNumberTag(tag) ? verbatim(tag) : tag));
  const document = parseDocument(text, { intAsBigInt: true, uniqueKeys: true, strict: true, customTags });
  const [error] = document.errors;
  if (error !== undefined) throw error;
  return { document, value: withExactIntegers(document.toJS({ maxAliasCount: ALIASES_MAX }) as unknown) };
}

/** `document` is changed. undefined: the text cannot say this value. */
export function yamlTextOf(
  { document, value, text }: { readonly document: YamlDocument; readonly value: unknown; readonly text: string },
  after: unknown,
): string | undefined {
  const style = styleOf(document, text);
  document.contents = update(document, document.contents, { before: value, after }) as ParsedNode | null;
  // Behind an alias is another place of the document, which the change may not have meant: then the plain form is right.
  const candidates = [document.toString(style), stringify(plain(after), { ...style, aliasDuplicateObjects: false })];
  return candidates.find((candidate) => says(candidate, after));
}

type Tag = Tags[number];

function isNumberTag(tag: Tag): tag is ScalarTag {
  return typeof tag === "object" && (tag.tag.endsWith(":int") || tag.tag.endsWith(":float"));
}

/** A number that nobody changed is written as it was: `0644`, `1_000` and `1.0` mean something to older readers. */
function verbatim(tag: ScalarTag): ScalarTag {
  return { ...tag, stringify: (item, ...rest) => item.source ?? tag.stringify?.(item, ...rest) ?? String(item.value) };
}

interface Change {
  readonly before: unknown;
  readonly after: unknown;
}

function update(document: YamlDocument, node: unknown, { before, after }: Change): unknown {
  if (equalJson(before, after)) return node;
  if (isMap(node) && isJsonObject(before) && isJsonObject(after)) return updateMap(document, node, { before, after });
  if (isSeq(node) && Array.isArray(before) && Array.isArray(after)) return updateList(document, node, { before, after });
  const fresh: unknown = document.createNode(plain(after), { aliasDuplicateObjects: false });
  if (isScalar(node) && isScalar(fresh)) {
    if (node.comment !== undefined) fresh.comment = node.comment;
    if (node.commentBefore !== undefined) fresh.commentBefore = node.commentBefore;
    const style = typeof node.value === "string" && typeof fresh.value === "string" ? quotes(node) : undefined;
    if (style !== undefined && fresh.type === undefined) fresh.type = style;
  }
  return fresh;
}

function updateMap(
  document: YamlDocument,
  map: YAMLMap,
  { before, after }: { readonly before: JsonObject; readonly after: JsonObject },
): YAMLMap {
  map.items = map.items.filter(({ key }) => Object.hasOwn(after, keyText(key)));
  for (const pair of map.items) {
    const key = keyText(pair.key);
    pair.value = update(document, pair.value, { before: before[key], after: after[key] });
  }
  const present = new Set(map.items.map(({ key }) => keyText(key)));
  for (const [key, value] of Object.entries(after)) {
    if (!present.has(key)) map.items.push(document.createPair(plain(key), plain(value)));
  }
  return map;
}

function updateList(
  document: YamlDocument,
  list: YAMLSeq,
  { before, after }: { readonly before: readonly unknown[]; readonly after: readonly unknown[] },
): YAMLSeq {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && equalJson(before[head], after[head])) head += 1;
  let tail = 0;
  while (tail < shorter - head && equalJson(before.at(-1 - tail), after.at(-1 - tail))) tail += 1;
  const spare = new Set(before.slice(head, before.length - tail).map((_value, offset) => head + offset));
  const take = (index: number | undefined): number | undefined =>
    index !== undefined && spare.delete(index) ? index : undefined;
  const wanted = after.slice(head, after.length - tail);
  // First whatever only moved, so that it is not taken for a change of what was in its place.
  const isSmall = wanted.length * spare.size <= COMPARISONS_MAX;
  const moved = wanted.map((value) => (isSmall ? take([...spare].find((index) => equalJson(before[index], value))) : undefined));
  const changed = wanted.map((value, offset) => {
    const index = moved[offset] ?? take(head + offset);
    return index === undefined
      ? document.createNode(plain(value), { aliasDuplicateObjects: false })
      : update(document, list.items[index], { before: before[index], after: value });
  });
  list.items = [...list.items.slice(0, head), ...changed, ...list.items.slice(before.length - tail)];
  return list;
}

/** Values as the library writes them well: exact numbers by their text, and text that an older reader would take for something else quoted. */
function plain(value: unknown): unknown {
  if (isRawNumber(value)) {
    const scalar = new Scalar(/^-?\d+$/.test(value.rawJSON) ? BigInt(value.rawJSON) : Number(value.rawJSON));
    scalar.source = value.rawJSON;
    return scalar;
  }
  if (typeof value === "string" && AMBIGUOUS.test(value)) {
    const scalar = new Scalar(value);
    scalar.type = Scalar.QUOTE_DOUBLE;
    return scalar;
  }
  if (Array.isArray(value)) return value.map(plain);
  if (!isJsonObject(value)) return value;
  return new Map(Object.entries(value).map(([key, member]) => [plain(key), plain(member)]));
}

/** What YAML 1.1 reads as a boolean, a number or a time, and YAML 1.2 as text. */
const AMBIGUOUS =
  /^([yn]|yes|no|on|off|[-+]?0[0-7_]+|[-+]?\d[\d_]*(:[0-5]?\d)+(\.\d*)?|[-+]?\d[\d_]*\.?[\d_]*|0b[01_]+|\d{4}-\d\d?-\d\d?.*)$/i;

function quotes({ type }: Scalar): Scalar.Type | undefined {
  return type === Scalar.QUOTE_DOUBLE || type === Scalar.QUOTE_SINGLE || type === Scalar.BLOCK_LITERAL ? type : undefined;
}

function keyText(key: unknown): string {
  const value: unknown = isScalar(key) ? key.value : key;
  return typeof value === "string" || typeof value === "number" || typeof value === "bigint" || typeof value === "boolean"
    ? String(value)
    : "";
}

function withExactIntegers(value: unknown): unknown {
  if (typeof value === "bigint") return exactInteger(value.toString());
  if (Array.isArray(value)) return value.map(withExactIntegers);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withExactIntegers(member)]));
}

function says(text: string, value: unknown): boolean {
  try {
    return equalJson(parseYamlText(text).value, value);
  } catch {
    return false;
  }
}

/** How the author indents. */
function styleOf(document: YamlDocument, text: string): ToStringOptions {
  const style: { indent?: number; indentSeq?: boolean; flowCollectionPadding?: boolean } = {};
  visit(document, {
    Pair: (_key, { key, value }) => {
      if (!isScalar(key) || !(isMap(value) || isSeq(value)) || value.flow === true) return;
      const [from, to] = [columnOf(text, key.range?.[0]), columnOf(text, value.range?.[0])];
      if (from === undefined || to === undefined || to < from) return;
      if (isSeq(value)) style.indentSeq ??= to > from;
      if (to > from) style.indent ??= to - from;
    },
    Collection: (_key, node) => {
      if (node.flow === true && node.range) style.flowCollectionPadding ??= text[node.range[0] + 1] === " ";
    },
  });
  return { lineWidth: 0, ...style };
}

function columnOf(text: string, offset: number | undefined): number | undefined {
  return offset === undefined ? undefined : offset - (text.lastIndexOf("\n", offset - 1) + 1);
}
