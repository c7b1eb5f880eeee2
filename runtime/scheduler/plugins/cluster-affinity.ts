// select: the labels of the cluster match a subscriber of the Subscription. Pure.

import { matchesSelector } from "#kube/selector.ts";
import { doesNotFit, fits } from "#scheduler/decision.ts";
import type { SelectPlugin } from "#scheduler/plugin.ts";

export const clusterAffinity: SelectPlugin = {
  name: "ClusterAffinity",
  select: ({ subscription, cluster }) =>
    subscription.spec.subscribers.some(({ clusterAffinity: selector }) => matchesSelector(selector, cluster.labels))
      ? fits
      : doesNotFit("its labels match no subscriber"),
};
