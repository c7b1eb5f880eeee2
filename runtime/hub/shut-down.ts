// Leaves without losing a request: unready, a moment later GOAWAY to the agents, watches end and new requests are refused, then the rest
// in bounded time.

import type { Clock } from "#std/clock.ts";
import { errorChain } from "#std/errors.ts";
import type { Logger } from "#std/log.ts";
import type { HubOptions } from "./options.ts";
import type { InFlight } from "./in-flight.ts";
import type { HubState } from "./hub-state.ts";
import type { Sessions } from "./sockets/sessions.ts";

export interface ShutDownOptions {
  readonly options: Pick<HubOptions, "shutdownDelay" | "shutdownTimeout">;
  readonly state: HubState;
  readonly sessions: Sessions;
  readonly inFlight: Pick<InFlight, "whenIdle">;
  /** A watch has no end of its own. */
  readonly endWatches: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

export async function shutDown(given: ShutDownOptions): Promise<void> {
  const { options, state, sessions, inFlight, endWatches, clock, log } = given;
  const startedAtMs = clock.monotonic();
  state.leave();
  log.info("hub.leaving", { tunnels: sessions.size, delayMs: options.shutdownDelay, timeoutMs: options.shutdownTimeout });
  // Endpoints, the parent's apiserver among them, stop sending before the hub stops taking.
  await clock.sleep(options.shutdownDelay, new AbortController().signal);
  state.refuse();
  const timeLimit = new AbortController();
  const limit = clock.sleep(options.shutdownTimeout, timeLimit.signal).then(() => {
    timeLimit.abort(new Error("The time for shutting down is over"));
  });
  try {
    const drained = sessions.drain("The hub is shutting down", timeLimit.signal);
    endWatches();
    await Promise.all([drained, inFlight.whenIdle(timeLimit.signal)]);
  } catch (error) {
    log.warn("hub.drain-failed", { error: errorChain(error) });
  }
  timeLimit.abort();
  await limit;
  log.info("hub.drained", { tookMs: Math.round(clock.monotonic() - startedAtMs) });
}
