// Wires the scheduler: informers -> queue -> schedule -> bind.

import { FeedInventory } from "#api/apps/v1alpha1/feed-inventory.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { KubeObject } from "#api/meta.ts";
import { annotations, eventComponents, leases } from "#api/names.ts";
import { createClient } from "#kube/client.ts";
import { componentElection } from "#kube/component-election.ts";
import type { Connection } from "#kube/connection.ts";
import { createEventRecorder } from "#kube/events.ts";
import { createInformer, type Change, type Informer } from "#kube/informer.ts";
import { runManager } from "#kube/manager.ts";
import { keyTextOf } from "#kube/object.ts";
import { BindingCounts } from "#scheduler/binding-counts.ts";
import { createAskCluster } from "#scheduler/ask-predictor.ts";
import { CapacityClient, type CapacityLimits } from "#scheduler/capacity-client.ts";
import { createCycle } from "#scheduler/cycle.ts";
import { needsOf } from "#scheduler/feed-needs.ts";
import { createGuardedScheduling, isMoveReported, type GuardedScheduling } from "#scheduler/failover/guarded.ts";
import { fleetLimitsOf, type SchedulerOptions } from "#scheduler/options.ts";
import type { Profile } from "#scheduler/profile.ts";
import { createPreemptingScheduling, type PreemptingScheduling } from "#scheduler/preempt/preempting.ts";
import { RebalanceTurns } from "#scheduler/rebalance/turns.ts";
import { SchedulingQueue } from "#scheduler/queue.ts";
import { SnapshotCache } from "#scheduler/snapshot-cache.ts";
import { clustersToWakeFor, clusterWithOtherRoom, isAffected, waitsForRoom } from "#scheduler/wake.ts";
import { deepEqual } from "#std/canonical-json.ts";
import type { Clock } from "#std/clock.ts";
import { startHealthServer } from "#std/health-server.ts";
import type { Logger } from "#std/log.ts";
import { createMetrics, type Metrics } from "#std/metrics.ts";

export interface SchedulerDeps {
  /** The parent. */
  readonly connection: Connection;
  /** Each with a name of its own; Subscriptions of other names are left alone. */
  readonly profiles: readonly Profile[];
  /** Who signed the certificates of predictors that are asked straight; absent: none is. */
  readonly predictorCaPem?: string | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Scheduler {
  run(signal: AbortSignal): Promise<void>;
}

/** Subscriptions that are decided and bound at the same time: decisions are quick, writing them is a round trip. */
const WORKERS = 8;

export function createScheduler(options: SchedulerOptions, deps: SchedulerDeps): Scheduler {
  const { connection, profiles, predictorCaPem, clock, log } = deps;
  const client = createClient(connection, { component: "scheduler" });
  const metrics = createMetrics({ withProcessMetrics: true });
  const events = createEventRecorder({ client, component: eventComponents.scheduler, clock, log });
  const subscriptions = createInformer(client, Subscription, { clock, log, metrics });
  const managedClusters = createInformer(client, ManagedCluster, { clock, log, metrics });
  const feedInventories = createInformer(client, FeedInventory, { clock, log, metrics });
  const caches = { subscriptions, managedClusters, feedInventories };
  const informers = Object.values(caches);
  const queue = new SchedulingQueue(clock);
  const profileOf = profilesByName(profiles);
  const enqueue = (subscription: Subscription): void => {
    if (profileOf(subscription) !== undefined) queue.add(keyTextOf(subscription), subscription.spec.priority ?? 0);
    else queue.remove(keyTextOf(subscription));
  };

  const bindings = new BindingCounts();
  const turns = new RebalanceTurns(options.rebalanceParallel);
  reportSizes({ queue, turns }, metrics);
  const scheduling = schedulingOf(options, { caches, clock, metrics, enqueue, profileOf, turns });
  const shared = { client, ...caches, queue, events, metrics, clock, log };
  const ask = createAskCluster({ parent: client, predictorCaPem });
  const { heldAgainst } = scheduling;
  const capacity = new CapacityClient({ ...capacityLimits(options), ask, heldAgainst, clock, log, metrics });
  const snapshots = new SnapshotCache();
  const cycle = createCycle({ ...shared, snapshots, bindings, scheduling, capacity, profileOf });
  const wake = wakers(caches, { enqueue, queue, scheduling });

  async function runQueue(signal: AbortSignal): Promise<void> {
    // Clusters first: the first decision must already see all of them.
    await Promise.all(informers.map((informer) => informer.whenSynced(signal)));
    scheduling.start(managedClusters.list());
    const count = (change: Change<Subscription>): void => {
      bindings.onChange(change);
      turns.onChange(change);
    };
    const stops = [
      managedClusters.subscribe(snapshots.onCluster),
      managedClusters.subscribe(capacity.onCluster),
      // Every Subscription that is there is decided below: clusters that are there need not be matched with each of them.
      subscribeToLater(managedClusters, wake.onCluster),
      feedInventories.subscribe(wake.onInventory),
      subscriptions.subscribe(count),
      subscriptions.subscribe(scheduling.onSubscription),
      subscriptions.subscribe(wake.onSubscription),
    ];
    const work = async (): Promise<void> => {
      for (let key = await queue.take(signal); key !== undefined; key = await queue.take(signal)) await cycle(key, signal);
    };
    try {
      await Promise.all(Array.from({ length: WORKERS }, work));
    } finally {
      for (const stop of stops) stop();
    }
  }

  const leaderElection = componentElection(options, { client, leaseName: leases.scheduler, clock, log });

  return {
    async run(signal) {
      await using stack = new AsyncDisposableStack();
      stack.use(
        await startHealthServer({
          host: options.bindAddress,
          port: options.healthPort,
          metrics,
          readiness: { informers: () => (informers.every(({ synced }) => synced) ? undefined : "not every kind is cached yet") },
        }),
      );
      const tasks = [{ name: "scheduling-queue", run: runQueue }];
      await runManager({ informers, controllers: [], tasks, leaderElection, clock, log }, signal);
      await events.flush();
    },
  };
}

/** undefined: it is another scheduler's, or is being deleted. */
function profilesByName(profiles: readonly Profile[]): (subscription: Subscription) => Profile | undefined {
  const byName = new Map(profiles.map((profile) => [profile.schedulerName, profile]));
  return ({ spec, metadata }) => (metadata.deletionTimestamp === undefined ? byName.get(spec.schedulerName) : undefined);
}

interface SchedulingDeps {
  readonly caches: Caches & { readonly feedInventories: Informer<FeedInventory> };
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly enqueue: (subscription: Subscription) => void;
  readonly profileOf: (subscription: Subscription) => Profile | undefined;
  readonly turns: RebalanceTurns;
}

/** With what the fleet allows: failover within its limits, and room that is taken from others. */
function schedulingOf(
  options: SchedulerOptions,
  { caches, clock, metrics, enqueue, profileOf, turns }: SchedulingDeps,
): PreemptingScheduling {
  const { subscriptions, feedInventories } = caches;
  return createPreemptingScheduling({
    scheduling: createGuardedScheduling(fleetLimitsOf(options), clock, turns),
    replicasPerMinute: options.preemptionPerMinute,
    clock,
    metrics,
    subscriptions: () => subscriptions.list().filter((subscription) => profileOf(subscription) !== undefined),
    needsOf: (key) => needsOf(feedInventories.get(key)),
    wake: (key) => {
      const subscription = subscriptions.get(key);
      if (subscription !== undefined) enqueue(subscription);
    },
  });
}

function capacityLimits(options: SchedulerOptions): CapacityLimits {
  return {
    timeoutMs: options.capacityTimeout,
    cacheMs: options.capacityCache,
    reservationMs: options.capacityReservation,
    atATimeMax: options.capacityParallel,
  };
}

/** As subscribe, but nothing is told of what is there already. */
function subscribeToLater<T extends KubeObject>(informer: Informer<T>, listener: (change: Change<T>) => void): () => void {
  let isLater = false;
  const stop = informer.subscribe((change) => {
    if (isLater) listener(change);
  });
  isLater = true;
  return stop;
}

interface Wakers {
  readonly onSubscription: (change: Change<Subscription>) => void;
  readonly onCluster: (change: Change<ManagedCluster>) => void;
  readonly onInventory: (change: Change<FeedInventory>) => void;
}

interface Woken {
  readonly enqueue: (subscription: Subscription) => void;
  readonly queue: SchedulingQueue;
  readonly scheduling: GuardedScheduling;
}

interface Caches {
  readonly subscriptions: Informer<Subscription>;
  readonly managedClusters: Informer<ManagedCluster>;
}

/** Who has to be decided again when something changes. */
function wakers({ subscriptions, managedClusters }: Caches, { enqueue, queue, scheduling }: Woken): Wakers {
  return {
    onSubscription: (change) => {
      if (change.type === "deleted") queue.remove(keyTextOf(change.previous));
      else if (change.type === "added" || isScheduled(change) || isMoveReported(change) || isAsked(change))
        enqueue(change.object);
    },
    onCluster: (change) => {
      const versions = clustersToWakeFor(change);
      const roomy = clusterWithOtherRoom(change);
      if (versions.length === 0 && roomy === undefined) return;
      const isFleetChanged = versions.length > 0 && scheduling.observe(managedClusters.list());
      for (const subscription of subscriptions.list()) {
        const isHeldOrFree = isFleetChanged && mayBeHeld(subscription);
        const isMoved = versions.some((cluster) => isAffected(subscription, cluster));
        const isPlaced = roomy === undefined || !waitsForRoom(subscription) || !isAffected(subscription, roomy);
        if (isHeldOrFree || isMoved || !isPlaced) enqueue(subscription);
      }
    },
    onInventory: (change) => {
      if (change.type === "updated" && deepEqual(change.object.spec, change.previous.spec)) return;
      const inventory = change.type === "deleted" ? change.previous : change.object;
      const subscription = subscriptions.get(keyTextOf(inventory));
      if (subscription?.spec.schedulingStrategy === "Dividing") enqueue(subscription);
    },
  };
}

interface Sized {
  readonly queue: SchedulingQueue;
  readonly turns: RebalanceTurns;
}

function reportSizes({ queue, turns }: Sized, metrics: Metrics): void {
  metrics.gauge({
    name: "clusternet_scheduler_rebalances_running",
    help: "Subscriptions of which a plan is being carried out",
    collect: () => turns.moving,
  });
  for (const place of ["active", "backoff", "unschedulable"] as const) {
    metrics.gauge({
      name: `clusternet_scheduler_queue_${place}`,
      help: `Subscriptions that are ${place} in the scheduling queue`,
      collect: () => queue.sizes[place],
    });
  }
}

/** Something of it moves, or may have to. */
function mayBeHeld({ spec, status }: Subscription): boolean {
  return spec.failover?.enabled === true || status?.rebalance?.phase === "CarryingOut";
}

/** Somebody asks for a rebalance. */
function isAsked({ object, previous }: Extract<Change<Subscription>, { type: "updated" }>): boolean {
  const [now, before] = [object, previous].map(({ metadata }) => metadata.annotations?.[annotations.rebalance]);
  return now !== before;
}

/** A spec to decide on, or a binding that somebody else changed. Numbers and other conditions mean nothing here. */
function isScheduled({ object, previous }: Extract<Change<Subscription>, { type: "updated" }>): boolean {
  return (
    object.metadata.generation !== previous.metadata.generation ||
    object.metadata.deletionTimestamp !== previous.metadata.deletionTimestamp ||
    object.status?.specHash !== previous.status?.specHash ||
    String(object.status?.bindingClusters) !== String(previous.status?.bindingClusters) ||
    !deepEqual(object.status?.replicas, previous.status?.replicas)
  );
}
