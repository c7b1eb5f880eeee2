// Filter: how many requests at once. Short and long-running ones are counted apart, so that many watches leave room for a GET.

import type { Metrics } from "#std/metrics.ts";
import type { Filter } from "./handler-chain.ts";
import { isHealthPath } from "./health-paths.ts";
import { RequestError } from "./respond.ts";

export interface InFlightOptions {
  readonly shortMax: number;
  readonly longRunningMax: number;
  readonly metrics: Metrics;
}

/** What a refused client is asked to wait. */
const RETRY_AFTER_SECONDS = 1;

export interface InFlight {
  readonly filter: Filter;
  /** Resolves when nothing is being served, tunnels included, or the signal aborts. */
  readonly whenIdle: (signal: AbortSignal) => Promise<void>;
}

export function createInFlight({ shortMax, longRunningMax, metrics }: InFlightOptions): InFlight {
  const running = { short: 0, long: 0 };
  const waiting = new Set<() => void>();
  metrics.gauge({ name: "clusternet_hub_requests_in_flight", help: "Short requests being served", collect: () => running.short });
  metrics.gauge({
    name: "clusternet_hub_long_running_requests_in_flight",
    help: "Watches, log follows, upgrades and tunnels being served",
    collect: () => running.long,
  });
  const filter: Filter = ({ info, onSettled }) => {
    if (isHealthPath(info)) return undefined;
    const kind = info.isLongRunning ? "long" : "short";
    const max = info.isLongRunning ? longRunningMax : shortMax;
    if (running[kind] >= max) {
      throw new RequestError("TooManyRequests", {
        message: `The hub already serves ${String(max)} ${info.isLongRunning ? "long-running " : ""}requests; try again, or raise --max-${info.isLongRunning ? "long-running-" : ""}requests-in-flight`,
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    }
    running[kind] += 1;
    onSettled.push(() => {
      running[kind] -= 1;
      if (running.short + running.long === 0) for (const wake of waiting) wake();
    });
    return undefined;
  };
  const whenIdle = async (signal: AbortSignal): Promise<void> => {
    if (running.short + running.long === 0 || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const wake = (): void => {
      resolve(undefined);
    };
    waiting.add(wake);
    signal.addEventListener("abort", wake, { once: true });
    await promise;
    waiting.delete(wake);
    signal.removeEventListener("abort", wake);
  };
  return { filter, whenIdle };
}
