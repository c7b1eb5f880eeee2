// Wires the scheduler: informers -> queue -> schedule -> bind.

import { FeedInventory } from "#api/apps/v1alpha1/feed-inventory.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { KubeObject } from "#api/meta.ts";
import { eventComponents } from "#api/names.ts";
import { createClient, type Client } from "#kube/client.ts";
import { componentElection } from "#kube/component-election.ts";
import type { Connection } from "#kube/connection.ts";
import { createEventRecorder } from "#kube/events.ts";
import { createInformer, type Change, type Informer, type InformerOptions } from "#kube/informer.ts";
import { runManager } from "#kube/manager.ts";
import { keyTextOf } from "#kube/object.ts";
import { BindingCounts } from "#scheduler/binding-counts.ts";
import { createAskCluster } from "#scheduler/ask-predictor.ts";
import { CapacityClient, type CapacityLimits } from "#scheduler/capacity-client.ts";
import { createCycle } from "#scheduler/cycle.ts";
import { needsOf } from "#scheduler/feed-needs.ts";
import { createGuardedScheduling } from "#scheduler/failover/guarded.ts";
import { fleetLimitsOf, type SchedulerOptions } from "#scheduler/options.ts";
import type { Profile } from "#scheduler/profile.ts";
import { createPreemptingScheduling, type PreemptingScheduling } from "#scheduler/preempt/preempting.ts";
import { OwnBindings } from "#scheduler/own-bindings.ts";
import { createWakers } from "#scheduler/wakers.ts";
import { RebalanceTurns } from "#scheduler/rebalance/turns.ts";
import { SchedulingQueue } from "#scheduler/queue.ts";
import type { StraightConnections } from "#scheduler/straight-connections.ts";
import { SnapshotCache } from "#scheduler/snapshot-cache.ts";
import type { Clock } from "#std/clock.ts";
import { startHealthServer } from "#std/health-server.ts";
import type { Logger } from "#std/log.ts";
import { createMetrics, type Metrics } from "#std/metrics.ts";

export interface SchedulerDeps {
  /** The parent. */
  readonly connection: Connection;
  /** Each with a name of its own; Subscriptions of other names are left alone. */
  readonly profiles: readonly Profile[];
  /** For predictors that are asked straight; absent: none is. */
  readonly straight?: StraightConnections | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Scheduler {
  run(signal: AbortSignal): Promise<void>;
}

/** Subscriptions that are decided and bound at the same time: a decision takes a millisecond, writing it a round trip of many. */
const WORKERS = 32;

export function createScheduler(options: SchedulerOptions, deps: SchedulerDeps): Scheduler {
  const { connection, profiles, straight, clock, log } = deps;
  const client = createClient(connection, { component: "scheduler" });
  const metrics = createMetrics({ withProcessMetrics: true });
  const events = createEventRecorder({ client, component: eventComponents.scheduler, clock, log });
  const caches = cachesOf(client, { clock, log, metrics });
  const { subscriptions, managedClusters, feedInventories } = caches;
  const informers = [subscriptions, managedClusters, feedInventories];
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
  const ask = createAskCluster({ parent: client, straight });
  const { heldAgainst } = scheduling;
  const capacity = new CapacityClient({ ...capacityLimits(options), ask, heldAgainst, clock, log, metrics });
  const snapshots = new SnapshotCache();
  const own = new OwnBindings();
  const cycle = createCycle({ ...shared, snapshots, bindings, scheduling, own, capacity, profileOf });
  const wake = createWakers(caches, { enqueue, queue, scheduling, own });

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

  const leaderElection = componentElection(options, { client, clock, log });

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

interface AllCaches {
  readonly subscriptions: Informer<Subscription>;
  readonly managedClusters: Informer<ManagedCluster>;
  readonly feedInventories: Informer<FeedInventory>;
}

function cachesOf(client: Client, options: Pick<InformerOptions<KubeObject>, "clock" | "log" | "metrics">): AllCaches {
  return {
    subscriptions: createInformer(client, Subscription, options),
    managedClusters: createInformer(client, ManagedCluster, options),
    feedInventories: createInformer(client, FeedInventory, options),
  };
}

/** undefined: it is another scheduler's, or is being deleted. */
function profilesByName(profiles: readonly Profile[]): (subscription: Subscription) => Profile | undefined {
  const byName = new Map(profiles.map((profile) => [profile.schedulerName, profile]));
  return ({ spec, metadata }) => (metadata.deletionTimestamp === undefined ? byName.get(spec.schedulerName) : undefined);
}

interface SchedulingDeps {
  readonly caches: AllCaches;
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
