// Leaves without losing a request: unready, a moment later GOAWAY to the agents and no new connections, then the rest in bounded time.

import type { Clock } from "#std/clock.ts";
import { errorChain } from "#std/errors.ts";
import type { Logger } from "#std/log.ts";
import type { HubOptions } from "./options.ts";
import type { HubServer } from "./server.ts";
import type { HubState } from "./hub-state.ts";
import type { Sessions } from "./sockets/sessions.ts";

export interface ShutDownOptions {
  readonly options: Pick<HubOptions, "shutdownDelay" | "shutdownTimeout">;
  readonly state: HubState;
  readonly server: HubServer;
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly log: Logger;
}

export async function shutDown({ options, state, server, sessions, clock, log }: ShutDownOptions): Promise<void> {
  const startedAtMs = clock.monotonic();
  state.leave();
  log.info("hub.leaving", { tunnels: sessions.size, delayMs: options.shutdownDelay, timeoutMs: options.shutdownTimeout });
  // Endpoints, the parent's apiserver among them, stop sending before the hub stops taking.
  await clock.sleep(options.shutdownDelay, new AbortController().signal);
  const timeLimit = new AbortController();
  const limit = clock.sleep(options.shutdownTimeout, timeLimit.signal).then(() => {
    timeLimit.abort(new Error("The time for shutting down is over"));
  });
  try {
    await Promise.all([sessions.drain("The hub is shutting down", timeLimit.signal), server.drain(timeLimit.signal)]);
  } catch (error) {
    log.warn("hub.drain-failed", { error: errorChain(error) });
  }
  timeLimit.abort();
  await limit;
  log.info("hub.drained", { tookMs: Math.round(clock.monotonic() - startedAtMs) });
}
