// select: the labels of the cluster match a subscriber of the Subscription. Pure.

import { doesNotFit, fits } from "#scheduler/decision.ts";
import type { Plugin } from "#scheduler/plugin.ts";

export const clusterAffinity: Plugin = {
  name: "ClusterAffinity",
  select: ({ subscribers }) => (subscribers.length > 0 ? fits : doesNotFit("its labels match no subscriber")),
};
