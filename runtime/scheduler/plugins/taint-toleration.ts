// filter: every taint of the cluster that keeps work away is tolerated. score: few taints that would rather keep it away. Pure.

import type { Taint } from "#api/core-types.ts";
import { tolerates, untolerated } from "#kube/tolerations.ts";
import { taints } from "#api/names.ts";
import { doesNotFit, fits } from "#scheduler/decision.ts";
import type { Plugin } from "#scheduler/plugin.ts";

export const taintToleration: Plugin = {
  name: "TaintToleration",
  filter: ({ subscription, cluster }) => {
    if (cluster.taints.length === 0) return fits;
    const taint = untolerated(
      cluster.taints.filter((each) => !isClock(each, cluster.taints)),
      subscription.spec.clusterTolerations ?? [],
    );
    return taint === undefined ? fits : doesNotFit(`taint ${taintText(taint)} is not tolerated`);
  },
  score: ({ subscription, cluster }) => {
    const tolerations = subscription.spec.clusterTolerations ?? [];
    return cluster.taints.filter(
      (candidate) =>
        candidate.effect === "PreferNoSchedule" && !tolerations.some((toleration) => tolerates(toleration, candidate)),
    ).length;
  },
  scale: "fewer-is-better",
};

/** A cluster that does not work has two taints: NoSchedule keeps new work away, NoExecute only says since when, for failover. */
function isClock({ key, effect }: Taint, all: readonly Taint[]): boolean {
  const hasTwin = all.some((other) => other.key === key && other.effect === "NoSchedule");
  return key === taints.unschedulable && effect === "NoExecute" && hasTwin;
}

function taintText({ key, value, effect }: Taint): string {
  return value === undefined || value === "" ? `${key}:${effect}` : `${key}=${value}:${effect}`;
}
