// The in-tree plugins, in the order they run: an array, so that the first reason is the same every time.

import type { Plugin, SchedulingOptions } from "./plugin.ts";
import { clusterAffinity } from "./plugins/cluster-affinity.ts";
import { clusterReady } from "./plugins/cluster-ready.ts";
import { defaultBinder } from "./plugins/default-binder.ts";
import { divideDynamic } from "./plugins/divide-dynamic.ts";
import { divideStatic } from "./plugins/divide-static.ts";
import { feedInventoryReady } from "./plugins/feed-inventory-ready.ts";
import { leastBound } from "./plugins/least-bound.ts";
import { preferredClusters } from "./plugins/preferred-clusters.ts";
import { replicate } from "./plugins/replicate.ts";
import { schedulingGates } from "./plugins/scheduling-gates.ts";
import { taintToleration } from "./plugins/taint-toleration.ts";
import { defaultSchedulingOptions, pluginsAtTheirPoints, type Profile } from "./profile.ts";

export const defaultPlugins: readonly Plugin[] = [
  schedulingGates,
  clusterAffinity,
  taintToleration,
  clusterReady,
  leastBound,
  preferredClusters,
  replicate,
  feedInventoryReady,
  divideStatic,
  divideDynamic,
  defaultBinder,
];

/** TaintToleration's as in upstream. */
export const defaultScoreWeights: Readonly<Record<string, number>> = { TaintToleration: 3 };

export function defaultProfile(schedulerName: string, options: Partial<SchedulingOptions> = {}): Profile {
  return {
    schedulerName,
    plugins: pluginsAtTheirPoints(defaultPlugins),
    scoreWeights: defaultScoreWeights,
    options: { ...defaultSchedulingOptions, ...options },
  };
}
