// One scheduling cycle: a Subscription off the queue -> snapshot -> decision -> its status; then back into the queue, or out of it.

import type { FeedInventory } from "#api/apps/v1alpha1/feed-inventory.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { normalEventReasons, warningEventReasons } from "#api/event-reasons.ts";
import type { Client } from "#kube/client.ts";
import { isConflict } from "#kube/errors.ts";
import type { EventRecorder } from "#kube/events.ts";
import type { Informer } from "#kube/informer.ts";
import { keyTextOf } from "#kube/object.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { Metrics } from "#std/metrics.ts";
import { bind } from "./bind.ts";
import type { CapacityClient } from "./capacity-client.ts";
import { isDividedByCapacity } from "./capacity-questions.ts";
import { unbound, type Decision } from "./decision.ts";
import { basesOf, clustersOf, withReplicasOf } from "./existing-bases.ts";
import { announceFailover, failoverDelayMs, type GuardedScheduling } from "./failover/guarded.ts";
import { needsOf } from "./feed-needs.ts";
import type { SchedulingQueue } from "./queue.ts";
import type { Bindings } from "./plugin.ts";
import type { Profile } from "./profile.ts";
import { problemOf } from "./scheduled-condition.ts";
import { takeSnapshot } from "./snapshot.ts";

export interface CycleDeps {
  readonly client: Client;
  readonly subscriptions: Informer<Subscription>;
  readonly managedClusters: Informer<ManagedCluster>;
  readonly feedInventories: Informer<FeedInventory>;
  readonly queue: SchedulingQueue;
  readonly events: EventRecorder;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Logger;
  readonly bindings: Bindings;
  readonly scheduling: GuardedScheduling;
  readonly capacity: Pick<CapacityClient, "ask" | "reserve">;
  /** undefined: it is another scheduler's. */
  readonly profileOf: (subscription: Subscription) => Profile | undefined;
}

/** An Event holds 1 KiB. */
const EVENT_MESSAGE_MAX = 1_000;

/** Nobody tells the parent when pods end in a child: whoever lacks room asks again after so long. */
const ROOM_CHECK_MS = 30_000;

/** Never fails: what goes wrong is logged and tried again. */
export function createCycle(deps: CycleDeps): (key: string, signal: AbortSignal) => Promise<void> {
  const { client, subscriptions, managedClusters, feedInventories, queue, metrics, clock, log, profileOf } = deps;
  const { bindings, scheduling, capacity } = deps;
  const decisionSeconds = metrics.histogram({
    name: "clusternet_scheduler_decision_seconds",
    help: "Time from taking a Subscription off the queue to its decision, without asking clusters and writing it",
    buckets: [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1],
  });
  return async (key, signal) => {
    const subscription = subscriptions.get(key);
    const profile = subscription === undefined ? undefined : profileOf(subscription);
    if (subscription === undefined || profile === undefined) {
      queue.done(key);
      return;
    }
    const priority = subscription.spec.priority ?? 0;
    let decision: Decision | undefined;
    try {
      const bases = await basesOf(subscription, client, signal);
      const needs = needsOf(feedInventories.get(key));
      const capacities = await capacity.ask(subscription, { clusters: managedClusters.list(), needs }, signal);
      const startedAt = clock.monotonic();
      const snapshot = takeSnapshot(managedClusters.list());
      const existing = clustersOf(bases, snapshot);
      const known = withReplicasOf(subscription, bases, existing);
      decision = scheduling.schedule(known, { snapshot, profile, existing, bindings, needs, capacities });
      capacity.reserve(subscription, { decision, needs });
      decisionSeconds.observe((clock.monotonic() - startedAt) / 1_000);
      const { changed } = await bind(subscription, { client, decision, snapshot, now: clock.now() }, signal);
      if (changed) announce(subscription, { decision, deps });
      const delayMs = failoverDelayMs(decision, clock.now());
      if (delayMs !== undefined) queue.later(key, { priority, delayMs });
      else if (isLookedAtAgain(decision))
        queue.park(key, priority, isDividedByCapacity(subscription) ? ROOM_CHECK_MS : undefined);
      else queue.done(key);
    } catch (error) {
      scheduling.undo(decision);
      if (signal.aborted) return;
      // Somebody wrote it meanwhile, or our cache is behind: decided again with what comes.
      if (!isConflict(error)) log.warn("scheduling.failed", { subscription: key, error });
      queue.retry(key, priority);
    }
  };
}

/** Something outside of the Subscription may change what is decided. */
function isLookedAtAgain(decision: Decision): boolean {
  if (decision.type !== "bound") return decision.type === "waiting";
  return decision.clusters.length === 0 || decision.shortfall !== undefined;
}

function announce(
  subscription: Subscription,
  { decision, deps: { events, log } }: { readonly decision: Decision; readonly deps: CycleDeps },
): void {
  const key = keyTextOf(subscription);
  const problem = problemOf(decision);
  if (problem !== undefined) {
    const message = problem.message.slice(0, EVENT_MESSAGE_MAX);
    log.info("scheduling.no-cluster", { subscription: key, reason: message });
    events.record(subscription, { type: "Warning", reason: warningEventReasons.failedScheduling, message });
  }
  announceFailover(subscription, decision, { events, log });
  if (decision.type !== "bound") return;
  for (const { cluster, verdict } of unbound(decision))
    log.info("scheduling.unbound", { subscription: key, cluster, reason: verdict.reason });
  if (decision.clusters.length === 0) return;
  log.info("scheduling.bound", { subscription: key, clusters: decision.clusters.length });
  const message = `Successfully bound ${key} to ${decision.clusters.join(",")}`;
  events.record(subscription, {
    type: "Normal",
    reason: normalEventReasons.scheduled,
    message: message.slice(0, EVENT_MESSAGE_MAX),
  });
}
