// filter: every taint of the cluster that keeps work away is tolerated. score: few taints that would rather keep it away. Pure.

import type { Taint, Toleration } from "#api/core-types.ts";
import { doesNotFit, fits } from "#scheduler/decision.ts";
import type { Plugin } from "#scheduler/plugin.ts";
import { fewerIsBetter } from "#scheduler/score.ts";

export const taintToleration: Plugin = {
  name: "TaintToleration",
  filter: ({ subscription, cluster }) => {
    const tolerations = subscription.spec.clusterTolerations ?? [];
    const taint = cluster.taints.find(
      (candidate) =>
        candidate.effect !== "PreferNoSchedule" && !tolerations.some((toleration) => tolerates(toleration, candidate)),
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
  normalise: ({ scores }) => fewerIsBetter(scores),
};

/** As Kubernetes defines it: an empty key with Exists tolerates everything, an empty effect every effect. */
export function tolerates({ key = "", operator = "Equal", value = "", effect }: Toleration, taint: Taint): boolean {
  if (effect !== undefined && effect !== taint.effect) return false;
  if (key !== "" && key !== taint.key) return false;
  if (operator === "Exists") return true;
  return key !== "" && value === (taint.value ?? "");
}

function taintText({ key, value, effect }: Taint): string {
  return value === undefined || value === "" ? `${key}:${effect}` : `${key}=${value}:${effect}`;
}
