// The in-tree plugins, in the order they run: an array, so that the first reason is the same every time.

import type { Plugins } from "./plugin.ts";
import { clusterAffinity } from "./plugins/cluster-affinity.ts";
import { clusterReady } from "./plugins/cluster-ready.ts";
import { replicate } from "./plugins/replicate.ts";
import { taintToleration } from "./plugins/taint-toleration.ts";

export const defaultPlugins: Plugins = {
  select: [clusterAffinity],
  filter: [taintToleration, clusterReady],
  assign: [replicate],
};
