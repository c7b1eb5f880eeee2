// The metrics registry (prom-client) as we use it. Every metric of ours starts with `clusternet_`; labels have a bounded set of values
// (never a cluster id, a path or a user), so that a scrape stays small with thousands of clusters.

import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";

export type { Counter, Gauge, Histogram } from "prom-client";

interface MetricOptions<TLabel extends string> {
  readonly name: `clusternet_${string}`;
  readonly help: string;
  readonly labels?: readonly TLabel[];
}

export interface Metrics {
  counter<TLabel extends string>(options: MetricOptions<TLabel>): Counter<TLabel>;
  gauge<TLabel extends string>(options: MetricOptions<TLabel> & { readonly collect?: () => number }): Gauge<TLabel>;
  /** Buckets are in the unit that the name ends in. */
  histogram<TLabel extends string>(options: MetricOptions<TLabel> & { readonly buckets: readonly number[] }): Histogram<TLabel>;
  /** The text exposition of everything registered. */
  text(): Promise<string>;
}

export function createMetrics({ withProcessMetrics = false }: { readonly withProcessMetrics?: boolean } = {}): Metrics {
  const registry = new Registry();
  if (withProcessMetrics) collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    counter: ({ name, help, labels = [] }) => new Counter({ name, help, labelNames: [...labels], registers }),
    gauge: ({ name, help, labels = [], collect }) =>
      new Gauge({
        name,
        help,
        labelNames: [...labels],
        registers,
        ...(collect === undefined
          ? {}
          : {
              collect(): void {
                this.set(collect());
              },
            }),
      }),
    histogram: ({ name, help, labels = [], buckets }) =>
      new Histogram({ name, help, labelNames: [...labels], buckets: [...buckets], registers }),
    text: () => registry.metrics(),
  };
}
