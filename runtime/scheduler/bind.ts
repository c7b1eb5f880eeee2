// Writes a Decision to Subscription.status; nothing when it is there already.

import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { specHash } from "#api/apps/v1alpha1/spec-hash.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { parseKey, type Condition } from "#api/meta.ts";
import type { Client } from "#kube/client.ts";
import { setCondition } from "#kube/conditions.ts";
import { patchStatusIfChanged, type StatusMembers } from "#kube/write-if-changed.ts";
import { deepEqual } from "#std/canonical-json.ts";
import { unbound, type Decision } from "./decision.ts";
import { failoverCondition, type FailoverReport } from "./failover/report.ts";
import { balancedCondition } from "./rebalance/report.ts";
import { scheduledCondition } from "./scheduled-condition.ts";
import { clusterOf, type Snapshot } from "./snapshot.ts";

export interface BindOptions {
  readonly client: Client;
  readonly decision: Decision;
  readonly snapshot: Snapshot;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface Bound {
  readonly subscription: Subscription;
  /** false: everything was there already, and nothing was written. */
  readonly changed: boolean;
}

/** Fails with Conflict when the Subscription changed since the decision: then it is decided again. */
export async function bind(subscription: Subscription, options: BindOptions, signal: AbortSignal): Promise<Bound> {
  const { client, decision, now } = options;
  await confirmUnbinding(options, signal);
  const status = statusOf(subscription, decision, now);
  const written = await patchStatusIfChanged(client, { type: Subscription, object: subscription, status }, signal);
  return { subscription: written, changed: written !== subscription };
}

export function statusOf(subscription: Subscription, decision: Decision, now: number): StatusMembers<Subscription> {
  const condition = { ...scheduledCondition(decision), observedGeneration: subscription.metadata.generation ?? 0 };
  const conditions = setCondition(subscription.status?.conditions, condition, now);
  // Who is refused or waits keeps bindings and hash as they are: whoever reads them still sees what was scheduled last.
  if (decision.type !== "bound") return { conditions };
  const { clusters, replicas, failover, preemption, rebalance } = decision;
  const bindings = { bindingClusters: clusters, replicas, desiredReleases: clusters.length };
  const lost = preemption === undefined ? {} : { preempted: preemption.lost.length === 0 ? undefined : preemption.lost };
  const bound = { ...bindings, ...lost, specHash: specHash(subscription.spec), conditions };
  const moved = failover === undefined ? bound : { ...bound, ...failoverStatus(subscription, failover, { conditions, now }) };
  if (rebalance?.stated === undefined) return moved;
  const stated = setCondition(moved.conditions, balancedCondition(subscription, rebalance.stated), now);
  return { ...moved, rebalance: rebalance.stated.status, conditions: stated };
}

interface Stated {
  readonly conditions: readonly Condition[];
  readonly now: number;
}

function failoverStatus(
  subscription: Subscription,
  report: FailoverReport,
  { conditions, now }: Stated,
): Pick<StatusMembers<Subscription>, "failover"> & Pick<Stated, "conditions"> {
  const { moves } = report;
  const condition = failoverCondition(subscription, report);
  return {
    failover: moves.length === 0 ? undefined : moves,
    conditions: condition === undefined ? conditions : setCondition(conditions, condition, now),
  };
}

/** What we are about to take away is asked for once more, live: a cache that lags behind must not remove anything. */
async function confirmUnbinding({ client, decision, snapshot }: BindOptions, signal: AbortSignal): Promise<void> {
  if (decision.type !== "bound") return;
  for (const { cluster } of unbound(decision)) {
    const live = await client.get(ManagedCluster, parseKey(cluster), signal);
    const known = snapshot.get(cluster);
    const isLeft = decision.failover?.unbound.includes(cluster) === true;
    // Left because it does not work: then it must still be so.
    const isSame = isLeft ? deepEqual : sameForSelection;
    const isAsKnown = live === undefined ? known === undefined || known.isDeleting : isSame(clusterOf(live), known);
    if (!isAsKnown) throw new Error(`ManagedCluster ${cluster} is not what the cache says: not unbinding it`);
  }
}

function sameForSelection(live: ReturnType<typeof clusterOf>, known: ReturnType<typeof clusterOf> | undefined): boolean {
  return known !== undefined && live.isDeleting === known.isDeleting && deepEqual(live.labels, known.labels);
}
