// score: how much of what preferredClusters asks for a cluster has, by its labels. Pure.

import { matchesNodeTerms } from "#kube/node-selector.ts";
import { sum } from "#scheduler/divide/apportion.ts";
import type { Plugin } from "#scheduler/plugin.ts";

const SCORE_MAX = 100;

/** Part of the weights whose preference holds; 0 for all when nothing is preferred. */
export const preferredClusters: Plugin = {
  name: "PreferredClusters",
  score: ({ subscription, cluster }) => {
    const terms = subscription.spec.dividingScheduling?.dynamicDividing?.preferredClusters ?? [];
    if (terms.length === 0) return 0;
    const all = sum(terms.map(({ weight }) => weight));
    const name = cluster.key.slice(cluster.key.indexOf("/") + 1);
    const has = terms.filter(({ preference }) => matchesNodeTerms([preference], { name, labels: cluster.labels }));
    return all === 0 ? 0 : (SCORE_MAX * sum(has.map(({ weight }) => weight))) / all;
  },
};
