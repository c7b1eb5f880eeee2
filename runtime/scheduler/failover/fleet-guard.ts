// What the whole fleet allows: nothing moves while too many clusters are silent at once, and never too much in a minute.
//
// Its memory may be lost. Who starts to lead treats that moment as the end of a hold, so silence is proven once more before it counts, and
// at most one more minute's worth of evictions begins.

import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { readyOf } from "#scheduler/snapshot.ts";

const MINUTE_MS = 60_000;

export interface FleetLimits {
  /** Clusters that Subscriptions begin to leave in a minute, all together; 0: none ever. */
  readonly evictionsPerMinute: number;
  /** While a larger share of the clusters is silent, nothing is evicted; 100: whatever their share. */
  readonly silentPercentMax: number;
  /** Fewer silent clusters than this hold nothing, whatever their share: a fleet of two has a cluster that may fail. */
  readonly silentClustersMin: number;
}

export const defaultFleetLimits: FleetLimits = { evictionsPerMinute: 30, silentPercentMax: 30, silentClustersMin: 2 };

/** For one decision. Times are milliseconds since the epoch. */
export interface FleetView {
  /** Why nothing may be evicted now. */
  readonly held?: string;
  /** Silence counts from then at the earliest: before that it may have been ours. */
  readonly notBefore: number;
  /** Evictions that may begin now. */
  readonly free: number;
  /** When the next one may begin, when none may now. */
  readonly nextAt: number;
}

export function holdOf(clusters: readonly ManagedCluster[], limits: FleetLimits): string | undefined {
  const counted = clusters.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const silent = counted.filter(({ status }) => readyOf(status) === "Unknown").length;
  const isOver = silent * 100 > limits.silentPercentMax * counted.length;
  if (!isOver || silent < limits.silentClustersMin) return undefined;
  return `${String(silent)} of ${String(counted.length)} clusters are silent`;
}

/** For somebody who does not lead and remembers nothing: a command that explains. */
export function fleetAsSeen(clusters: readonly ManagedCluster[], limits: FleetLimits, now: number): FleetView {
  const held = holdOf(clusters, limits);
  return { ...(held === undefined ? {} : { held }), notBefore: 0, free: limits.evictionsPerMinute, nextAt: now };
}

export class FleetGuard {
  readonly #limits: FleetLimits;
  readonly #begun: number[] = [];
  #held: string | undefined;
  #notBefore = Number.POSITIVE_INFINITY;

  constructor(limits: FleetLimits) {
    this.#limits = limits;
  }

  /** This process begins to decide. */
  start(clusters: readonly ManagedCluster[], now: number): void {
    this.#notBefore = now;
    this.#held = holdOf(clusters, this.#limits);
  }

  /** A cluster changed. True when a hold began or ended: what waited for that is decided again. */
  observe(clusters: readonly ManagedCluster[], now: number): boolean {
    const before = this.#held;
    this.#held = holdOf(clusters, this.#limits);
    // Those that come back last must not pay for the whole outage.
    if (before !== undefined) this.#notBefore = now;
    return (before === undefined) !== (this.#held === undefined);
  }

  view(now: number): FleetView {
    const recent = this.#begun.filter((at) => at > now - MINUTE_MS);
    this.#begun.splice(0, this.#begun.length, ...recent);
    const free = Math.max(0, this.#limits.evictionsPerMinute - recent.length);
    const nextAt = (recent[recent.length - this.#limits.evictionsPerMinute] ?? Number.POSITIVE_INFINITY) + MINUTE_MS;
    const held = this.#held === undefined ? {} : { held: this.#held };
    return { ...held, notBefore: this.#held === undefined ? this.#notBefore : now, free, nextAt: free > 0 ? now : nextAt };
  }

  /** So many evictions were decided. */
  spend(count: number, now: number): void {
    for (let index = 0; index < count; index += 1) this.#begun.push(now);
  }

  /** They were not carried out after all. */
  refund(count: number): void {
    this.#begun.splice(this.#begun.length - count, count);
  }
}
