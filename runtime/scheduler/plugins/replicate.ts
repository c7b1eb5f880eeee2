// assign: a full copy to every chosen cluster. Pure.

import type { AssignPlugin } from "#scheduler/plugin.ts";

export const replicate: AssignPlugin = {
  name: "Replicate",
  assign: ({ subscription, clusters }) =>
    subscription.spec.schedulingStrategy === "Replication" ? { type: "assigned", clusters } : { type: "skip" },
};
