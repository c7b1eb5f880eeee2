// Counts and times requests by verb, kind and code: never by cluster, user or path, so that a scrape stays small.

import type { Counter, Histogram, Metrics } from "#std/metrics.ts";
import type { NonResourceRequest, ResourceRequest } from "./request-info.ts";

export interface RequestMetrics {
  observe(info: ResourceRequest | NonResourceRequest, code: number, durationMs: number): void;
}

const VERBS = new Set([
  "get",
  "list",
  "watch",
  "create",
  "update",
  "patch",
  "delete",
  "deletecollection",
  "post",
  "put",
  "head",
  "options",
]);
const SUBRESOURCES = new Set(["", "attach", "proxy"]);
const SECONDS_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

type CounterChild = ReturnType<Counter["labels"]>;
type HistogramChild = ReturnType<Histogram["labels"]>;

export function createRequestMetrics(metrics: Metrics): RequestMetrics {
  const requests = metrics.counter({
    name: "clusternet_hub_requests_total",
    help: "Requests by verb, resource, and HTTP code; code 0: the client left before an answer",
    labels: ["verb", "resource", "code"],
  });
  const durations = metrics.histogram({
    name: "clusternet_hub_request_duration_seconds",
    help: "Time from the first byte of a request to the last of its answer; long-running requests are not in it",
    labels: ["verb", "resource"],
    buckets: SECONDS_BUCKETS,
  });
  // prom-client hashes its labels on every call; the few combinations that occur are remembered.
  const counters = new Map<string, CounterChild>();
  const timers = new Map<string, HistogramChild>();
  return {
    observe: (info, code, durationMs) => {
      const verb = VERBS.has(info.verb) ? info.verb : "other";
      const resource = resourceLabel(info);
      const key = `${verb} ${resource}`;
      remember(counters, `${key} ${String(code)}`, () => requests.labels(verb, resource, String(code))).inc();
      if (!info.isLongRunning) remember(timers, key, () => durations.labels(verb, resource)).observe(durationMs / 1_000);
    },
  };
}

function resourceLabel(info: ResourceRequest | NonResourceRequest): string {
  if (info.type === "path") return "none";
  if (info.resource !== "sockets" || !SUBRESOURCES.has(info.subresource)) return "other";
  return info.subresource === "" ? "sockets" : `sockets/${info.subresource}`;
}

function remember<T>(map: Map<string, T>, key: string, make: () => T): T {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
