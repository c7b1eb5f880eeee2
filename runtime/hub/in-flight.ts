// Filter: how many requests at once. Short and long-running ones are counted apart, so that many watches leave room for a GET.

import type { Metrics } from "#std/metrics.ts";
import type { Filter } from "./handler-chain.ts";
import { RequestError } from "./respond.ts";

export interface InFlightOptions {
  readonly shortMax: number;
  readonly longRunningMax: number;
  readonly metrics: Metrics;
}

/** What a refused client is asked to wait. */
const RETRY_AFTER_SECONDS = 1;
/** Probes must be answered when the hub is full: a restart would make it worse. */
const ALWAYS_SERVED: ReadonlySet<string> = new Set(["/livez", "/readyz", "/healthz"]);

export function createInFlight({ shortMax, longRunningMax, metrics }: InFlightOptions): Filter {
  const running = { short: 0, long: 0 };
  metrics.gauge({ name: "clusternet_hub_requests_in_flight", help: "Short requests being served", collect: () => running.short });
  metrics.gauge({
    name: "clusternet_hub_long_running_requests_in_flight",
    help: "Watches, log follows, upgrades and tunnels being served",
    collect: () => running.long,
  });
  return ({ info, onSettled }) => {
    if (info.type === "path" && ALWAYS_SERVED.has(info.path)) return undefined;
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
    });
    return undefined;
  };
}
