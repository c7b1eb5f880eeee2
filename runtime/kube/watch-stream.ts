// One watch request: bytes -> events, until the server ends it, it breaks, or it has been silent for too long.

import type { KubeObject, ResourceType } from "#api/meta.ts";
import { childController } from "#std/abort.ts";
import type { Clock } from "#std/clock.ts";
import { toError } from "#std/errors.ts";
import { parseExactJson } from "#std/exact-json.ts";
import type { Client, ListOptions } from "./client.ts";
import { ApiError, errorFromStatus, type ErrorStatus } from "./errors.ts";
import { collectionPath } from "./paths.ts";

export type WatchEvent<T> =
  { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: T } | { readonly type: "BOOKMARK"; readonly object: T };

export interface WatchRequest<T extends KubeObject> extends ListOptions {
  readonly type: ResourceType<T>;
  readonly resourceVersion: string;
  readonly timeoutSeconds: number;
  /** Longer silence means that the connection is half open: bookmarks come about once a minute. */
  readonly silenceMsMax: number;
  readonly clock: Clock;
}

/** etcd refuses objects above 1.5 MiB; JSON of one may be a few times that. */
const LINE_BYTES_MAX = 16 * 1024 * 1024;
const NEWLINE = 0x0a;

export async function* watchOnce<T extends KubeObject>(
  client: Client,
  { type, resourceVersion, timeoutSeconds, silenceMsMax, clock, ...selection }: WatchRequest<T>,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const what = `Watch of ${type.plural}`;
  using controller = childController(signal);
  const { namespace, labelSelector, fieldSelector } = selection;
  const { body } = await client.stream(
    {
      method: "GET",
      path: collectionPath(type, namespace),
      query: { watch: 1, allowWatchBookmarks: true, resourceVersion, timeoutSeconds, labelSelector, fieldSelector },
    },
    controller.signal,
  );
  const watchdog = createWatchdog({ clock, silenceMsMax, onSilence: (error) => controller.abort(error) }, what);
  try {
    for await (const line of lines(body, { what, onBytes: watchdog.touch })) yield parseEvent<T>(line, what);
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof ApiError) throw error;
    const cause = controller.signal.aborted ? toError(controller.signal.reason) : toError(error);
    throw new ApiError({ reason: "Unreachable", code: 0, message: `${what} broke: ${cause.message}`, cause });
  } finally {
    watchdog.stop();
    body.destroy();
  }
}

interface WatchdogOptions {
  readonly clock: Clock;
  readonly silenceMsMax: number;
  readonly onSilence: (error: Error) => void;
}

function createWatchdog(
  { clock, silenceMsMax, onSilence }: WatchdogOptions,
  what: string,
): { readonly touch: () => void; readonly stop: () => void } {
  const stopping = new AbortController();
  let heardAt = clock.monotonic();
  const watch = async (): Promise<void> => {
    for (;;) {
      const silentForMs = clock.monotonic() - heardAt;
      if (silentForMs >= silenceMsMax) {
        onSilence(new ApiError({ reason: "TimedOut", code: 0, message: `${what} was silent for ${silenceMsMax} ms` }));
        return;
      }
      await clock.sleep(silenceMsMax - silentForMs, stopping.signal);
      if (stopping.signal.aborted) return;
    }
  };
  void watch();
  return {
    touch: () => {
      heardAt = clock.monotonic();
    },
    stop: () => {
      stopping.abort();
    },
  };
}

/** Splits on bytes, not on text: a character of several bytes may be cut between two chunks. */
async function* lines(
  body: AsyncIterable<Uint8Array>,
  { what, onBytes }: { readonly what: string; readonly onBytes: () => void },
): AsyncGenerator<string, void, undefined> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  for await (const bytes of body) {
    onBytes();
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const rest = chunk.subarray(start, end);
      const line = pendingBytes === 0 ? rest : Buffer.concat([...pending, rest]);
      pending = [];
      pendingBytes = 0;
      start = end + 1;
      if (line.length > 0) yield line.toString("utf8");
    }
    if (start < chunk.length) {
      pending.push(chunk.subarray(start));
      pendingBytes += chunk.length - start;
    }
    if (pendingBytes > LINE_BYTES_MAX) throw invalid(`${what}: An event is longer than ${LINE_BYTES_MAX} bytes`);
  }
  if (pendingBytes > 0) throw invalid(`${what} ended in the middle of an event`);
}

function parseEvent<T>(line: string, what: string): WatchEvent<T> {
  const event = parseLine(line, what);
  const isEvent = typeof event === "object" && event !== null && "type" in event && "object" in event;
  if (!isEvent) throw invalid(`${what}: An event has no type or no object`);
  switch (event.type) {
    case "ADDED":
    case "MODIFIED":
    case "DELETED":
    case "BOOKMARK":
      return { type: event.type, object: event.object as T };
    case "ERROR":
      throw errorFromStatus(event.object as ErrorStatus, what);
    default:
      throw invalid(`${what}: An event has the unknown type ${JSON.stringify(event.type)}`);
  }
}

function parseLine(line: string, what: string): unknown {
  try {
    return parseExactJson(line);
  } catch (error) {
    throw invalid(`${what}: An event is not JSON`, error);
  }
}

function invalid(message: string, cause?: unknown): ApiError {
  return new ApiError({ reason: "InvalidResponse", code: 0, message, cause });
}
