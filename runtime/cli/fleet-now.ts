// What the fleet allows at this moment, as far as one sees who does not lead: with the scheduler's default limits, and without its memory.

import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { defaultFleetLimits, fleetAsSeen, type FleetView } from "#scheduler/failover/fleet-guard.ts";
import { realClock } from "#std/clock.ts";

export function fleetNow(clusters: readonly ManagedCluster[]): { readonly now: number; readonly fleet: FleetView } {
  const now = realClock.now();
  return { now, fleet: fleetAsSeen(clusters, defaultFleetLimits, now) };
}
