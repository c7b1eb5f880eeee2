// One list+watch as an AsyncIterable that survives everything but an abort.
//
//   listing ──list answered──▶ watching ──ended, broke, silent──▶ watching (from the last resource version)
//      ▲                          └──resource version unknown (410, or ahead of a restored server)──▶ listing
//      └── any failure: the same state again, after a back-off or what Retry-After asks for
//
// (WAT-1) Between two "listed", every change is told once, in order; a cut never skips one: the next watch starts at the resource
//         version of the last event or bookmark that was told.
// (WAT-2) Where continuity is lost, a new "listed" follows: whoever keeps state computes from it what has gone.
// (WAT-3) A failure is never the end and never a busy loop.

import type { KubeObject, ObjectMeta, ResourceType } from "#api/meta.ts";
import { backoffMs, type Backoff } from "#std/backoff.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { Client, ListOptions } from "./client.ts";
import { ApiError, isGone } from "./errors.ts";
import { watchOnce } from "./watch-stream.ts";

export type WatchChange<T> =
  /** Everything there is; what is not in it is gone. Comes first, and again whenever continuity was lost. */
  | { readonly type: "listed"; readonly objects: readonly T[] }
  | { readonly type: "changed"; readonly object: T }
  | { readonly type: "removed"; readonly object: T };

export interface WatchOptions extends ListOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** A watch that is silent for longer is taken for half open. */
  readonly silenceMsMax?: number;
  readonly backoff?: Backoff;
}

/** The server ends a watch after this and a random part of it again, so that not all clients come back at once. */
const WATCH_SECONDS = 300;
/** Two bookmarks missed. */
const SILENCE_MS_MAX = 130_000;
const BACKOFF: Backoff = { firstMs: 200, maxMs: 30_000 };
/** A watch that ended sooner, without an event, counts as a failure: a server that hangs up at once must not be called in a loop. */
const HEALTHY_WATCH_MS = 2_000;

/** Ends only when the signal aborts. */
export async function* listAndWatch<T extends KubeObject>(
  client: Client,
  type: ResourceType<T>,
  {
    clock,
    log,
    silenceMsMax = SILENCE_MS_MAX,
    backoff = BACKOFF,
    signal,
    ...selection
  }: WatchOptions & { readonly signal: AbortSignal },
): AsyncGenerator<WatchChange<T>, void, undefined> {
  let resourceVersion: string | undefined;
  let failures = 0;
  while (!signal.aborted) {
    let isHealthy = false;
    try {
      if (resourceVersion === undefined) {
        const list: { readonly items: readonly T[]; readonly resourceVersion: string } = await client.list(
          type,
          selection,
          signal,
        );
        yield { type: "listed", objects: list.items.map(withoutManagedFields) };
        resourceVersion = list.resourceVersion;
      }
      const watchingSince = clock.monotonic();
      const request = { ...selection, type, resourceVersion, silenceMsMax, clock, timeoutSeconds: watchSeconds() };
      for await (const event of watchOnce<T>(client, request, signal)) {
        isHealthy = true;
        // Ours before it is told: whoever stops listening here has had it.
        resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion;
        if (event.type === "BOOKMARK") continue;
        yield { type: event.type === "DELETED" ? "removed" : "changed", object: withoutManagedFields(event.object) };
      }
      isHealthy ||= clock.monotonic() - watchingSince >= HEALTHY_WATCH_MS;
      failures = isHealthy ? 0 : failures + 1;
      if (failures > 0) await clock.sleep(backoffMs(failures - 1, backoff), signal);
    } catch (error) {
      if (isAborted(signal)) return;
      if (isUnknownVersion(error)) resourceVersion = undefined;
      failures = isHealthy ? 1 : failures + 1;
      const delayMs = Math.max(backoffMs(failures - 1, backoff), retryAfterMs(error));
      log.warn("watch.interrupted", { resource: type.plural, error, failures, retryInMs: delayMs });
      await clock.sleep(delayMs, signal);
    }
  }
}

function watchSeconds(): number {
  return WATCH_SECONDS + backoffMs(0, { firstMs: WATCH_SECONDS, maxMs: WATCH_SECONDS });
}

/** The version is compacted away; or it is one the server has not reached, because it was restored from a backup. */
function isUnknownVersion(error: unknown): boolean {
  if (isGone(error)) return true;
  if (!(error instanceof ApiError)) return false;
  const causes = error.status?.details?.causes ?? [];
  return (
    causes.some(({ reason }) => reason === "ResourceVersionTooLarge") || error.message.includes("Too large resource version")
  );
}

function retryAfterMs(error: unknown): number {
  return error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
}

/**
 * A quarter to a half of an object's bytes, and nobody who reads a cache asks for them. A new object, because one from which a member was
 * deleted takes more memory for the rest of its life.
 */
function withoutManagedFields<T extends KubeObject>(object: T): T {
  const { managedFields: _unread, ...metadata } = object.metadata as ObjectMeta & { readonly managedFields?: unknown };
  return { ...object, metadata };
}

/** A call, because the compiler believes that what it saw before an await is still so. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
