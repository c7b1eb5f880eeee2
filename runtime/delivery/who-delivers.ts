// Who applies Descriptions in a cluster: its agent, or the parent's controller-manager. One answer for both. Pure.

import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";

export type Deliverer = "agent" | "controller-manager" | "nobody";

/**
 * Both sides read the ManagedCluster, so they never disagree for longer than one update takes; and as both apply with the same field
 * manager, an overlap does no harm.
 */
export function whoDelivers({ spec, status }: Pick<ManagedCluster, "spec" | "status">): Deliverer {
  const pushAllowed = status?.appPusher === true;
  switch (spec.syncMode) {
    case "Pull":
      return "agent";
    case "Push":
      return pushAllowed ? "controller-manager" : "nobody";
    case "Dual":
      return pushAllowed ? "controller-manager" : "agent";
    default:
      return spec.syncMode satisfies never;
  }
}
