// What running helm takes: the executable, the proxy to clusters and the charts on disk. Made when the first release needs it.

import { join } from "node:path";
import type { Clock } from "#std/clock.ts";
import type { Metrics } from "#std/metrics.ts";
import { createChartStore, type ChartStore } from "./charts/chart-store.ts";
import { findChart } from "./charts/find-chart.ts";
import { startClusterProxy, type ClusterProxy } from "./cluster-proxy.ts";
import { createHelm, type Helm } from "./helm-process.ts";

export interface HelmTools {
  readonly helm: Helm;
  readonly proxy: ClusterProxy;
  readonly charts: ChartStore;
}

export interface LazyHelmTools extends AsyncDisposable {
  get(): Promise<HelmTools>;
}

export interface HelmToolsOptions {
  /** Path of helm, or its name in `searchPath`. */
  readonly binary: string;
  readonly searchPath: string;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

export function createHelmTools({ binary, searchPath, metrics, clock }: HelmToolsOptions): LazyHelmTools {
  const stack = new AsyncDisposableStack();
  let opened: Promise<HelmTools> | undefined;
  const open = async (): Promise<HelmTools> => {
    const helm = stack.use(await createHelm({ binary, searchPath, metrics }));
    const proxy = stack.use(await startClusterProxy({ directory: helm.directory }));
    const charts = createChartStore({ directory: join(helm.directory, "charts"), find: findChart, clock });
    return { helm, proxy, charts };
  };
  return {
    get: () => {
      opened ??= open();
      opened.catch(() => {
        opened = undefined;
      });
      return opened;
    },
    [Symbol.asyncDispose]: async () => {
      await opened?.catch(() => undefined);
      await stack.disposeAsync();
    },
  };
}
