// filter: the cluster has a live heartbeat and says that it works. Pure.

import { taints } from "#api/names.ts";
import { doesNotFit, fits } from "#scheduler/decision.ts";
import { tolerates } from "#kube/tolerations.ts";
import type { Plugin } from "#scheduler/plugin.ts";

export const clusterReady: Plugin = {
  name: "ClusterReady",
  filter: ({ subscription, cluster }) => {
    if (cluster.ready === "True") return fits;
    // Who tolerates the taint that such a cluster gets asks for it all the same.
    const taint = { key: taints.unschedulable, effect: "NoSchedule" } as const;
    const asksForIt = (subscription.spec.clusterTolerations ?? []).some(
      (toleration) => toleration.operator === "Exists" && tolerates(toleration, taint),
    );
    return asksForIt ? fits : doesNotFit(cluster.ready === "False" ? "it is not ready" : "it has no live heartbeat");
  },
};
