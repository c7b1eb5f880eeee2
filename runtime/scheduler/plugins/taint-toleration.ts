// filter: every taint of the cluster that keeps work away is tolerated. score: few taints that would rather keep it away. Pure.

import type { Taint } from "#api/core-types.ts";
import { tolerates, untolerated } from "#kube/tolerations.ts";
import { doesNotFit, fits } from "#scheduler/decision.ts";
import type { Plugin } from "#scheduler/plugin.ts";
import { fewerIsBetter } from "#scheduler/score.ts";

export const taintToleration: Plugin = {
  name: "TaintToleration",
  filter: ({ subscription, cluster }) => {
    const taint = untolerated(cluster.taints, subscription.spec.clusterTolerations ?? []);
    return taint === undefined ? fits : doesNotFit(`taint ${taintText(taint)} is not tolerated`);
  },
  score: ({ subscription, cluster }) => {
    const tolerations = subscription.spec.clusterTolerations ?? [];
    return cluster.taints.filter(
      (candidate) =>
        candidate.effect === "PreferNoSchedule" && !tolerations.some((toleration) => tolerates(toleration, candidate)),
    ).length;
  },
  normalise: ({ scores }) => fewerIsBetter(scores),
};

function taintText({ key, value, effect }: Taint): string {
  return value === undefined || value === "" ? `${key}:${effect}` : `${key}=${value}:${effect}`;
}
