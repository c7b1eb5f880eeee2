// Runs informers and controllers under one signal; controllers only while we are the leader.

import { abortReason, childController } from "#std/abort.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { Controller } from "./controller.ts";
import type { Informer } from "./informer.ts";
import type { LeaderElection } from "./leader-election.ts";

/** Anything that runs until its signal aborts: a loop of the component's own. */
export interface Task {
  readonly name: string;
  run(signal: AbortSignal): Promise<void>;
}

export interface ManagerOptions {
  readonly informers: readonly Pick<Informer, "type" | "run">[];
  readonly controllers: readonly Pick<Controller, "name" | "run">[];
  /** More loops that run only on the leader. */
  readonly tasks?: readonly Task[];
  /** Absent: we lead at once. */
  readonly leaderElection?: LeaderElection | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Resolves when the signal aborts and everything has stopped, controllers before the lock is released. Rejects when leadership is lost or
 * a part ends by itself: then only a restart helps.
 */
export async function runManager(
  { informers, controllers, tasks = [], leaderElection, clock, log }: ManagerOptions,
  signal: AbortSignal,
): Promise<void> {
  // Informers outlive controllers, so that what is being reconciled during a stop still reads a live cache.
  const informing = new AbortController();
  using leading = childController(signal);
  const lead = async (leaderSignal: AbortSignal): Promise<void> => {
    log.info("manager.leading", { controllers: controllers.map(({ name }) => name) });
    const startedAt = clock.monotonic();
    await runAll([...controllers, ...tasks], leaderSignal);
    log.info("manager.stopped-leading", { afterMs: Math.round(clock.monotonic() - startedAt) });
  };
  const fail = (error: unknown): never => {
    leading.abort(error);
    throw error;
  };
  const caches = runAll(
    informers.map((informer) => ({ name: `informer of ${informer.type.plural}`, run: (each) => informer.run(each) })),
    informing.signal,
  ).catch(fail);
  const work = (leaderElection === undefined ? lead(leading.signal) : leaderElection.run(lead, leading.signal)).finally(() => {
    informing.abort(new Error("The manager stops"));
  });
  const results = await Promise.allSettled([work, caches]);
  const failure = results.find((result) => result.status === "rejected" && result.reason !== signal.reason);
  if (failure?.status === "rejected") throw failure.reason;
}

/** The first that fails or ends early stops the others; all have settled when this does. */
async function runAll(tasks: readonly Task[], signal: AbortSignal): Promise<void> {
  using group = childController(signal);
  const runOne = async (task: Task): Promise<void> => {
    try {
      await task.run(group.signal);
      if (!group.signal.aborted) throw new Error(`The ${task.name} ended by itself`);
    } catch (error) {
      if (group.signal.aborted) return;
      group.abort(error);
    }
  };
  await Promise.all([...tasks.map(runOne), untilAborted(group.signal)]);
  if (group.signal.aborted && !signal.aborted) throw abortReason(group.signal);
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
