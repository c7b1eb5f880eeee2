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
import { deepEqual } from "#std/canonical-json.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { Metrics } from "#std/metrics.ts";
import { bind } from "./bind.ts";
import type { CapacityClient } from "./capacity-client.ts";
import { isDividedByCapacity } from "./capacity-questions.ts";
import { carryOut, type CarriedOut } from "./carry-out.ts";
import { unbound, type BoundDecision, type Decision } from "./decision.ts";
import { basesOf, clustersOf, withReplicasOf } from "./existing-bases.ts";
import { announceMoves, lookAgainDelayMs, type GuardedScheduling } from "./failover/guarded.ts";
import { needsOf } from "./feed-needs.ts";
import type { OwnBindings } from "./own-bindings.ts";
import { announcePreemption, isAwaitingRoom } from "./preempt/report.ts";
import type { SchedulingQueue } from "./queue.ts";
import { PluginError } from "./plugin-error.ts";
import type { Bindings, SubscriptionInput } from "./plugin.ts";
import type { Profile } from "./profile.ts";
import { subscriptionInput } from "./schedule.ts";
import { problemOf } from "./scheduled-condition.ts";
import { schedulingMeasures, type SchedulingMeasures } from "./measures.ts";
import type { SnapshotCache } from "./snapshot-cache.ts";

export interface CycleDeps {
  readonly client: Client;
  readonly subscriptions: Informer<Subscription>;
  readonly managedClusters: Informer<ManagedCluster>;
  /** Of the clusters in `managedClusters`. */
  readonly snapshots: Pick<SnapshotCache, "current">;
  readonly feedInventories: Informer<FeedInventory>;
  readonly queue: SchedulingQueue;
  readonly events: EventRecorder;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Logger;
  readonly bindings: Bindings;
  readonly scheduling: GuardedScheduling;
  readonly own: Pick<OwnBindings, "expect" | "forget">;
  readonly capacity: Pick<CapacityClient, "ask" | "reserve">;
  /** undefined: it is another scheduler's. */
  readonly profileOf: (subscription: Subscription) => Profile | undefined;
}

/** Nobody tells the parent when pods end in a child: whoever lacks room asks again after so long. */
const ROOM_CHECK_MS = 30_000;
/** Room is being freed for it: it is soon there. */
const FREED_CHECK_MS = 10_000;

/** A plugin may hold a decision this long; then it is refused. */
const PERMIT_WAIT_MS_MAX = 15 * 60_000;

type CycleReason =
  | "PluginFailed" // a plugin threw, answered too late, or broke its contract; tried again
  | "PermitTimedOut"; // a plugin held the decision for longer than 15 minutes

interface Settled {
  readonly decision: Decision;
  readonly changed: boolean;
  /** It is tried again after a back-off. */
  readonly isRetried?: boolean;
}

/** Never fails: what goes wrong is logged and tried again. */
export function createCycle(deps: CycleDeps): (key: string, signal: AbortSignal) => Promise<void> {
  const { subscriptions, queue, log, profileOf } = deps;
  const measures = schedulingMeasures(deps.metrics, deps.clock);
  const heldSince = new Map<string, number>();
  return async (key, signal) => {
    const subscription = subscriptions.get(key);
    const ours = subscription === undefined ? undefined : profileOf(subscription);
    if (subscription === undefined || ours === undefined) {
      heldSince.delete(key);
      queue.done(key);
      return;
    }
    const profile = measures.timed(ours);
    const priority = subscription.spec.priority ?? 0;
    const attempt = measures.attempt(profile.schedulerName);
    try {
      const {
        decision,
        changed,
        isRetried = false,
      } = await scheduleOne({ subscription, profile, deps, measures, heldSince }, signal);
      attempt.ends(decision);
      deps.scheduling.carriedOut?.(decision);
      if (changed) {
        measures.rebalance(decision);
        announce(subscription, { decision, deps });
      }
      const delayMs = lookAgainDelayMs(decision, deps.clock.now());
      const isParked = isLookedAtAgain(decision);
      const roomMs = isParked ? roomCheckMs(subscription, decision) : undefined;
      if (isRetried) queue.retry(key, priority);
      else if (delayMs !== undefined) queue.later(key, { priority, delayMs: Math.min(delayMs, roomMs ?? Infinity) });
      else if (isParked) queue.park(key, priority, roomMs);
      else queue.done(key);
    } catch (error) {
      if (signal.aborted) return;
      attempt.fails();
      // Somebody wrote it meanwhile, or our cache is behind: decided again with what comes.
      if (!isConflict(error)) log.warn("scheduling.failed", { subscription: key, error });
      queue.retry(key, priority);
    }
  };
}

interface Attempt {
  readonly subscription: Subscription;
  readonly profile: Profile;
  readonly deps: CycleDeps;
  readonly measures: SchedulingMeasures;
  /** When a plugin first held the decision of a Subscription back. */
  readonly heldSince: Map<string, number>;
}

async function scheduleOne(attempt: Attempt, signal: AbortSignal): Promise<Settled> {
  const { subscription, profile, measures } = attempt;
  const { client, managedClusters, snapshots, feedInventories, bindings, scheduling, own, capacity, clock, log } = attempt.deps;
  const key = keyTextOf(subscription);
  const bases = await basesOf(subscription, client, signal);
  const needs = needsOf(feedInventories.get(key));
  const capacities = await capacity.ask(subscription, { clusters: managedClusters.list(), needs }, signal);
  const snapshot = snapshots.current;
  const existing = clustersOf(bases, snapshot);
  const input = { snapshot, profile, existing, bindings, needs, capacities, stage: measures.stage };
  const known = withReplicasOf(subscription, bases, existing);
  const write = async (decision: Decision, writeSignal: AbortSignal): Promise<Settled> => {
    own.expect(subscription, decision);
    let changed = false;
    try {
      ({ changed } = await bind(subscription, { client, decision, snapshot, now: clock.now() }, writeSignal));
    } finally {
      if (!changed) own.forget(key);
    }
    return { decision, changed };
  };
  let decision: Decision | undefined;
  try {
    decision = measures.algorithm(() => scheduling.schedule(known, input));
    capacity.reserve(subscription, { decision, needs });
    if (decision.type !== "bound" || !changesBindings(subscription, decision)) {
      attempt.heldSince.delete(key);
      return await write(decision, signal);
    }
    return await carryOutBound({ attempt, decision, input: subscriptionInput(known, input), write }, signal);
  } catch (error) {
    scheduling.undo(decision);
    if (!(error instanceof PluginError)) throw error;
    log.warn("scheduling.plugin-failed", { subscription: key, error });
    const reason: CycleReason = "PluginFailed";
    return { ...(await write({ type: "waiting", reason, message: error.message }, signal)), isRetried: true };
  }
}

interface BoundAttempt {
  readonly attempt: Attempt;
  readonly decision: BoundDecision;
  readonly input: SubscriptionInput;
  readonly write: (decision: Decision, signal: AbortSignal) => Promise<Settled>;
}

async function carryOutBound({ attempt, decision, input, write }: BoundAttempt, signal: AbortSignal): Promise<Settled> {
  const { subscription, profile, heldSince, measures } = attempt;
  const { clock, log } = attempt.deps;
  const key = keyTextOf(subscription);
  // A binder of its own may write nothing here: then something changed elsewhere.
  let settled: Settled = { decision, changed: true };
  const writeStatus = async (writeSignal: AbortSignal): Promise<void> => {
    settled = await write(decision, writeSignal);
  };
  const result = await carryOut({ ...input, decision, writeStatus }, { profile, log }, signal);
  if (result.type !== "wait") {
    measures.permitWait(heldSince.has(key) ? clock.monotonic() - (heldSince.get(key) ?? 0) : undefined);
    heldSince.delete(key);
  }
  if (result.type === "bound") return settled;
  const held = await heldBack(result, { attempt, write }, signal);
  attempt.deps.scheduling.undo(decision);
  return held;
}

/** A plugin does not permit it (yet): bindings stay as they are. */
async function heldBack(
  { type, reason, message }: Exclude<CarriedOut, { type: "bound" }>,
  { attempt: { subscription, heldSince, deps }, write }: Pick<BoundAttempt, "attempt" | "write">,
  signal: AbortSignal,
): Promise<Settled> {
  if (type === "refuse") return write({ type: "refused", reason, message }, signal);
  const { clock } = deps;
  const key = keyTextOf(subscription);
  const since = heldSince.get(key) ?? clock.monotonic();
  heldSince.set(key, since);
  if (clock.monotonic() - since < PERMIT_WAIT_MS_MAX) {
    return { ...(await write({ type: "waiting", reason, message }, signal)), isRetried: true };
  }
  heldSince.delete(key);
  const timedOut: CycleReason = "PermitTimedOut";
  const text = `${message} (${reason}) for longer than ${String(PERMIT_WAIT_MS_MAX / 60_000)} minutes`;
  return write({ type: "waiting", reason: timedOut, message: text }, signal);
}

/** Who only says something else in its conditions goes past nobody. */
function changesBindings({ status }: Subscription, { clusters, replicas }: BoundDecision): boolean {
  return !deepEqual(status?.bindingClusters, clusters) || !deepEqual(status?.replicas, replicas);
}

/** Something outside of the Subscription may change what is decided. */
function isLookedAtAgain(decision: Decision): boolean {
  if (decision.type !== "bound") return decision.type === "waiting";
  return decision.clusters.length === 0 || decision.shortfall !== undefined;
}

function roomCheckMs(subscription: Subscription, decision: Decision): number | undefined {
  if (!isDividedByCapacity(subscription)) return undefined;
  return isAwaitingRoom(decision) ? FREED_CHECK_MS : ROOM_CHECK_MS;
}

function announce(
  subscription: Subscription,
  { decision, deps: { events, log } }: { readonly decision: Decision; readonly deps: CycleDeps },
): void {
  const key = keyTextOf(subscription);
  const problem = problemOf(decision);
  if (problem !== undefined) {
    log.info("scheduling.no-cluster", { subscription: key, reason: problem.message });
    events.record(subscription, { type: "Warning", reason: warningEventReasons.failedScheduling, message: problem.message });
  }
  announceMoves(subscription, decision, { events, log });
  announcePreemption(subscription, decision, { events, log });
  if (decision.type !== "bound") return;
  for (const { cluster, verdict } of unbound(decision))
    log.info("scheduling.unbound", { subscription: key, cluster, reason: verdict.reason });
  if (decision.clusters.length === 0) return;
  log.info("scheduling.bound", { subscription: key, clusters: decision.clusters.length });
  const message = `Successfully bound ${key} to ${decision.clusters.join(",")}`;
  events.record(subscription, {
    type: "Normal",
    reason: normalEventReasons.scheduled,
    message,
  });
}
