// RFC 6902 JSON Patch. Pure.
//
// Ours rather than a library's for three reasons: int64 survive a `copy`, nothing outside the document can be reached, and a failure
// names the operation and the path. json-patch.test.ts compares it with fast-json-patch.

import { cloneJson, countJson, equalJson, isForbiddenKey, isJsonObject, type MutableJsonObject } from "./json.ts";

export interface JsonPatchOperation {
  readonly op: "add" | "remove" | "replace" | "move" | "copy" | "test";
  readonly path: string;
  readonly from?: string;
  readonly value?: unknown;
}

/** Upstream's limit. */
const JSON_PATCH_OPERATIONS_MAX = 10_000;

/** A patch that copies the document into itself doubles it each time. */
const COPIED_VALUES_MAX = 100_000;

/** A patch does not apply; the message goes into statuses, so it quotes no values. */
export class PatchError extends Error {
  override readonly name = "PatchError";
  /** JSON pointer of the place that could not be changed. */
  readonly path: string;

  constructor(path: string, message: string) {
    super(message);
    this.path = path;
  }
}

/** The patched document; the given one stays as it was. Throws PatchError. */
export function applyJsonPatch(document: unknown, operations: readonly JsonPatchOperation[]): unknown {
  if (operations.length > JSON_PATCH_OPERATIONS_MAX) {
    throw new PatchError("", `${String(operations.length)} operations are more than ${String(JSON_PATCH_OPERATIONS_MAX)}`);
  }
  const state = { root: cloneJson(document), copied: 0 };
  for (const operation of operations) applyOne(state, operation);
  return state.root;
}

/** What is at a JSON pointer. Throws PatchError when nothing is. */
export function readPointer(document: unknown, path: string): unknown {
  return read({ root: document, copied: 0 }, path);
}

interface State {
  root: unknown;
  copied: number;
}

function applyOne(state: State, { op, path, from, value }: JsonPatchOperation): void {
  switch (op) {
    case "add":
      add(state, path, cloneJson(value));
      return;
    case "remove":
      take(state, path);
      return;
    case "replace":
      replace(state, path, cloneJson(value));
      return;
    case "move":
      if (`${path}/`.startsWith(`${String(from)}/`) && path !== from) throw new PatchError(path, "cannot be moved into itself");
      add(state, path, take(state, required(from, path)));
      return;
    case "copy": {
      const source = read(state, required(from, path));
      state.copied += countJson(source);
      if (state.copied > COPIED_VALUES_MAX) throw new PatchError(path, `copies more than ${String(COPIED_VALUES_MAX)} values`);
      add(state, path, cloneJson(source));
      return;
    }
    case "test":
      // Which value it has instead is not said: messages are read by more people than Secrets.
      if (!equalJson(read(state, path), value)) throw new PatchError(path, "test failed: the value is another");
      return;
    default:
      op satisfies never;
  }
}

function required(from: string | undefined, path: string): string {
  if (from === undefined) throw new PatchError(path, 'the operation needs "from"');
  return from;
}

/** A container and what the last segment of a pointer names in it. */
type Place = { readonly list: unknown[]; readonly index: number } | { readonly object: MutableJsonObject; readonly key: string };

function add(state: State, path: string, value: unknown): void {
  if (path === "") {
    state.root = value;
    return;
  }
  const place = locate(state, path, "add");
  if ("list" in place) place.list.splice(place.index, 0, value);
  else place.object[place.key] = value;
}

function replace(state: State, path: string, value: unknown): void {
  if (path === "") {
    state.root = value;
    return;
  }
  const place = locate(state, path, "existing");
  if ("list" in place) place.list[place.index] = value;
  else place.object[place.key] = value;
}

function take(state: State, path: string): unknown {
  if (path === "") throw new PatchError(path, "the whole object cannot be removed");
  const place = locate(state, path, "existing");
  if ("list" in place) return place.list.splice(place.index, 1)[0];
  const value = place.object[place.key];
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- own property of our own copy
  delete place.object[place.key];
  return value;
}

function read(state: State, path: string): unknown {
  if (path === "") return state.root;
  const place = locate(state, path, "existing");
  return "list" in place ? place.list[place.index] : place.object[place.key];
}

function locate(state: State, path: string, wanted: "add" | "existing"): Place {
  const segments = parsePointer(path);
  let container = state.root;
  segments.slice(0, -1).forEach((segment, position) => {
    const upTo = `/${segments
      .slice(0, position + 1)
      .map(escapeSegment)
      .join("/")}`;
    container = child(container, segment, upTo);
  });
  const last = segments.at(-1) ?? "";
  if (Array.isArray(container)) return { list: container, index: listIndex(container, { segment: last, path, wanted }) };
  if (!isJsonObject(container)) throw new PatchError(path, "does not exist: its parent is not an object or a list");
  if (wanted === "existing" && !Object.hasOwn(container, last)) throw new PatchError(path, "does not exist");
  return { object: container, key: last };
}

function child(container: unknown, segment: string, path: string): unknown {
  if (Array.isArray(container)) return container[listIndex(container, { segment, path, wanted: "existing" })] as unknown;
  if (!isJsonObject(container) || !Object.hasOwn(container, segment)) throw new PatchError(path, "does not exist");
  return container[segment];
}

function listIndex(
  list: readonly unknown[],
  { segment, path, wanted }: { readonly segment: string; readonly path: string; readonly wanted: "add" | "existing" },
): number {
  if (wanted === "add" && segment === "-") return list.length;
  if (!/^(0|[1-9]\d{0,8})$/.test(segment)) throw new PatchError(path, `${excerpt(segment)} is not a position in a list`);
  const index = Number(segment);
  const end = wanted === "add" ? list.length : list.length - 1;
  if (index > end) throw new PatchError(path, `does not exist: the list has ${String(list.length)} items`);
  return index;
}

function parsePointer(path: string): string[] {
  if (!path.startsWith("/")) throw new PatchError(path, "is not a JSON pointer: it must start with /");
  const segments = path
    .slice(1)
    .split("/")
    .map((segment) => segment.replaceAll("~1", "/").replaceAll("~0", "~"));
  if (segments.some(isForbiddenKey)) throw new PatchError(path, "is not allowed");
  return segments;
}

function escapeSegment(segment: string): string {
  return segment.replaceAll("~", "~0").replaceAll("/", "~1");
}

function excerpt(text: string): string {
  const quoted = JSON.stringify(text);
  return quoted.length > 100 ? `${quoted.slice(0, 100)}…` : quoted;
}
