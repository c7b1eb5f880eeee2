// JSON whose integers survive: those that a JavaScript number would round are kept as their own text. Pure.
//
// Kubernetes objects contain int64. Above 2^53 a number would come back changed, so such an integer becomes a raw value (JSON.rawJSON):
// opaque, immutable, and written by JSON.stringify exactly as it was read.

/** What JSON.parse with source access offers; TypeScript does not know it yet. */
interface JsonWithSource {
  parse(text: string, reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown): unknown;
  rawJSON(text: string): object;
  isRawJSON(value: unknown): boolean;
}
// Node has had both since version 21; the compiler's library does not say so yet.
const json = JSON as unknown as JsonWithSource;

/** Sixteen digits are the first that may not fit; most texts have no such run and take the fast path. */
const LONG_NUMBER = /\d{16}/;
const INTEGER = /^-?\d+$/;

export function parseExactJson(text: string): unknown {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text) as unknown;
  return json.parse(text, (_key, value, { source }) =>
    typeof value === "number" && source !== undefined ? exactNumber(source, value) : value,
  );
}

/** Like parseExactJson, and decimals keep their text too (`1.0`, `1e400`): for JSON that is written back into somebody's file. */
export function parseVerbatimJson(text: string): unknown {
  return json.parse(text, (_key, value, { source }) =>
    typeof value === "number" && source !== undefined && source !== String(value) ? json.rawJSON(source) : value,
  );
}

/** The value of an integer's text: a number where that is exact, else the raw text. */
export function exactInteger(text: string): unknown {
  return exactNumber(text, Number(text));
}

/** A value that JSON.stringify writes as it is: compare it with ===-like text, never look inside. */
export function isRawNumber(value: unknown): value is { readonly rawJSON: string } {
  return json.isRawJSON(value);
}

function exactNumber(text: string, value: number): unknown {
  return Number.isSafeInteger(value) || !INTEGER.test(text) ? value : json.rawJSON(text);
}
