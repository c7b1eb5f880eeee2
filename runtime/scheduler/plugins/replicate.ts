// assign: a full copy to every chosen cluster. Pure.

import type { Plugin } from "#scheduler/plugin.ts";

export const replicate: Plugin = {
  name: "Replicate",
  assign: ({ subscription, candidates }) =>
    subscription.spec.schedulingStrategy === "Replication"
      ? { type: "assigned", clusters: candidates.map(({ cluster }) => cluster.key) }
      : { type: "skip" },
};
