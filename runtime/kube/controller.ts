// sources -> queue -> reconcile(key, signal), with retries.
//
// Level-based: reconcile is given a key, reads what is, and makes it so. It is called at least once after each change, and never twice
// at once for one key. A failure is an exception: logged here and nowhere else, and tried again after a back-off.

import type { KubeObject } from "#api/meta.ts";
import { withTimeLimit } from "#std/abort.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { Metrics } from "#std/metrics.ts";
import { isConflict, retryTimesOf } from "./errors.ts";
import type { Change, Informer } from "./informer.ts";
import { keyTextOf } from "./object.ts";
import { reconcileMetrics, type ReconcileMetrics } from "./reconcile-metrics.ts";
import { createWorkqueue, type Workqueue } from "./workqueue.ts";

export type Result = { readonly type: "done" } | { readonly type: "after"; readonly delayMs: number };

export const done: Result = { type: "done" };

/** Look again later, though nothing is wrong. */
export function after(delayMs: number): Result {
  return { type: "after", delayMs };
}

export interface Source {
  whenSynced(signal: AbortSignal): Promise<void>;
  /** Enqueues the keys of everything there is, then of every change; returns how to stop. */
  start(enqueue: (key: string) => void): () => void;
}

/** The keys that a change concerns; for an update both the old and the new object are asked, so that whom it left hears of it too. */
export function source<T extends KubeObject>(
  informer: Pick<Informer<T>, "whenSynced" | "subscribe">,
  keys: (object: T, change: Change<T>) => readonly string[],
): Source {
  return {
    whenSynced: (signal) => informer.whenSynced(signal),
    start: (enqueue) =>
      informer.subscribe((change) => {
        if (change.type !== "added") for (const key of keys(change.previous, change)) enqueue(key);
        if (change.type !== "deleted") for (const key of keys(change.object, change)) enqueue(key);
      }),
  };
}

/** The object's own key, for `source(informer, ownKey)`. */
export function ownKey(object: KubeObject): readonly string[] {
  return [keyTextOf(object)];
}

export interface Controller {
  readonly name: string;
  readonly enqueue: (key: string) => void;
  /** Waits until every source is synced, then reconciles until the signal aborts and what ran has stopped. */
  run(signal: AbortSignal): Promise<void>;
}

export interface ControllerOptions {
  readonly name: string;
  readonly sources: readonly Source[];
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<Result>;
  /** Keys at the same time. */
  readonly concurrency?: number;
  /** A reconcile that takes longer is aborted and counts as failed. */
  readonly reconcileMsMax?: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

const CONCURRENCY = 4;
const RECONCILE_MS_MAX = 300_000;

export function createController(options: ControllerOptions): Controller {
  const { name, sources, clock, concurrency = CONCURRENCY } = options;
  const queue = createWorkqueue({ clock });
  const worker = createWorker({ ...options, queue });
  return {
    name,
    enqueue: (key) => {
      queue.add(key);
    },
    run: async (signal) => {
      try {
        await Promise.all(sources.map((each) => each.whenSynced(signal)));
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
      const stops = sources.map((each) =>
        each.start((key) => {
          queue.add(key);
        }),
      );
      try {
        await Promise.all(Array.from({ length: concurrency }, () => worker(signal)));
      } finally {
        for (const stop of stops) stop();
      }
    },
  };
}

type WorkerOptions = ControllerOptions & { readonly queue: Workqueue };

function createWorker({
  name,
  reconcile,
  reconcileMsMax = RECONCILE_MS_MAX,
  clock,
  log,
  metrics,
  queue,
}: WorkerOptions): (signal: AbortSignal) => Promise<void> {
  const measured = reconcileMetrics(metrics);
  const shell = { controller: name, log: log.with({ controller: name }), clock, queue, measured };
  const limit = { limitMs: reconcileMsMax, what: `Reconcile of ${name}` };
  return async (signal) => {
    for (let key = await queue.take(signal); key !== undefined; key = await queue.take(signal)) {
      const taken = key;
      await reconcileOne(
        taken,
        { ...shell, work: () => withTimeLimit(limit, (limited) => reconcile(taken, limited), signal) },
        signal,
      );
    }
  };
}

interface Shell {
  readonly controller: string;
  readonly log: Logger;
  readonly clock: Clock;
  readonly queue: Workqueue;
  readonly measured: ReconcileMetrics;
  readonly work: () => Promise<Result>;
}

async function reconcileOne(key: string, shell: Shell, signal: AbortSignal): Promise<void> {
  const { controller, log, clock, queue, measured, work } = shell;
  measured.queueLength.set({ controller }, queue.ready);
  const startedAt = clock.monotonic();
  try {
    const result = await work();
    queue.forget(key);
    if (result.type === "after") queue.addAfter(key, result.delayMs);
    measured.total.inc({ controller, result: result.type });
  } catch (error) {
    // Stopped, not failed.
    if (signal.aborted) return;
    const failures = queue.failures(key) + 1;
    const retryInMs = queue.addFailed(key, retryTimesOf(error));
    measured.total.inc({ controller, result: "failed" });
    // A Conflict says that our cache was older than the object: the normal price of not locking.
    const level = isConflict(error) ? "debug" : "warn";
    log[level]("reconcile.failed", { key, error, failures, retryInMs });
  } finally {
    measured.seconds.observe({ controller }, (clock.monotonic() - startedAt) / 1000);
    queue.done(key);
    measured.queueLength.set({ controller }, queue.ready);
  }
}
