// Subscriptions that share clusters with so many cpus, decided in whole cycles: who leads, what clusters answer, and children that do as they are
// told when a test says so.

import { feedKey } from "#api/apps/v1alpha1/feed.ts";
import { FeedInventory } from "#api/apps/v1alpha1/feed-inventory.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { keyTextOf } from "#kube/object.ts";
import { CapacityClient } from "#scheduler/capacity-client.ts";
import { createCycle } from "#scheduler/cycle.ts";
import { defaultPlugins, defaultProfile } from "#scheduler/default-plugins.ts";
import { createGuardedScheduling } from "#scheduler/failover/guarded.ts";
import { defaultFleetLimits } from "#scheduler/failover/fleet-guard.ts";
import { needsOf } from "#scheduler/feed-needs.ts";
import type { Plugin } from "#scheduler/plugin.ts";
import { pluginsAtTheirPoints } from "#scheduler/profile.ts";
import { createPreemptingScheduling } from "#scheduler/preempt/preempting.ts";
import { OwnBindings } from "#scheduler/own-bindings.ts";
import { SchedulingQueue } from "#scheduler/queue.ts";
import { SnapshotCache } from "#scheduler/snapshot-cache.ts";
import { silentLogger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";
import { createFakeClock, type FakeClock } from "./fake-clock.ts";
import { createMemoryCluster } from "./memory-cluster.ts";
import { clustersOf, subscriptionOf } from "./scheduler-story.ts";
import { createStubInformer } from "./stub-informer.ts";

interface App {
  readonly priority?: number;
  readonly policy?: "PreemptNever";
  readonly replicas: number;
  /** Of one replica. */
  readonly cpu: number;
}

export interface SharedFleet extends AsyncDisposable {
  readonly clock: FakeClock;
  readonly events: readonly string[];
  /** Patches of statuses so far. */
  writes(): number;
  /** Time passes, and whatever is due is decided. */
  settle(seconds: number): Promise<void>;
  /** The children do as they were told: from then on they run these shares. */
  follow(): void;
  add(name: string, app: App): void;
  edit(name: string, spec: object): void;
  remove(name: string): void;
  shares(name: string): string;
  scheduled(name: string): string;
  preempted(name: string): unknown;
  metrics(): Promise<string>;
  /** Another process leads, and remembers nothing. */
  newLeader(): Promise<void>;
}

const feedOf = (name: string): Subscription["spec"]["feeds"][number] => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  namespace: "shop",
  name,
});

interface SharedFleetOptions {
  readonly perMinute?: number;
  /** Beside those that are built in. */
  readonly plugins?: readonly Plugin[];
}

/** Clusters by their number of cpus. */
export function createSharedFleet(
  cpus: Readonly<Record<string, number>>,
  { perMinute = 100, plugins = [] }: SharedFleetOptions = {},
): SharedFleet {
  const clock = createFakeClock();
  const parent = createMemoryCluster([]);
  const apps = new Map<string, App>();
  const informers = {
    subscriptions: createStubInformer(Subscription),
    managedClusters: createStubInformer(ManagedCluster),
    feedInventories: createStubInformer(FeedInventory),
  };
  const clusters = clustersOf({
    clusters: Object.fromEntries(Object.keys(cpus).map((name) => [name, { labels: { fleet: "yes" } }])),
    subscription: {},
  });
  informers.managedClusters.listed(...clusters);
  const events: string[] = [];
  /** Cluster -> feed -> replicas with a node. */
  const running = new Map<string, Map<string, number>>();
  const current = (name: string): Subscription | undefined => parent.object("Subscription", name) as Subscription | undefined;
  const cpuOf = (feed: string): number => [...apps].find(([name]) => feedKey(feedOf(name)) === feed)?.[1].cpu ?? 0;
  const free = (cluster: string): number => {
    const used = [...(running.get(cluster) ?? [])].reduce((sum, [feed, replicas]) => sum + replicas * cpuOf(feed), 0);
    return (cpus[cluster.split("/", 1)[0] ?? ""] ?? 0) - used;
  };

  const profile = { ...defaultProfile("default"), plugins: pluginsAtTheirPoints([...plugins, ...defaultPlugins]) };
  let metrics = createMetrics();
  let stop = (): Promise<void> => Promise.resolve();
  function start(): void {
    metrics = createMetrics();
    const queue = new SchedulingQueue(clock);
    const enqueue = (subscription: Subscription): void => {
      queue.add(keyTextOf(subscription), subscription.spec.priority ?? 0);
    };
    const scheduling = createPreemptingScheduling({
      scheduling: createGuardedScheduling(defaultFleetLimits, clock),
      replicasPerMinute: perMinute,
      clock,
      metrics,
      subscriptions: () => informers.subscriptions.list(),
      needsOf: (key) => needsOf(informers.feedInventories.get(key)),
      wake: (key) => {
        const subscription = informers.subscriptions.get(key);
        if (subscription !== undefined) enqueue(subscription);
      },
    });
    const capacity = new CapacityClient({
      ask: ({ metadata }, { resources, feeds }) => {
        const cluster = `${metadata.namespace ?? ""}/${metadata.name}`;
        const fitting = Math.max(0, Math.floor(free(cluster) / Number(resources?.requests?.["cpu"] ?? 1)));
        const placed = Object.fromEntries((feeds ?? []).map((feed) => [feed, running.get(cluster)?.get(feed) ?? 0]));
        return Promise.resolve({ replicas: { default: fitting }, placed });
      },
      heldAgainst: scheduling.heldAgainst,
      timeoutMs: 1_000,
      cacheMs: 5_000,
      reservationMs: 60_000,
      atATimeMax: 8,
      clock,
      log: silentLogger,
      metrics,
    });
    const snapshots = new SnapshotCache();
    for (const object of clusters) snapshots.onCluster({ type: "added", object });
    const cycle = createCycle({
      snapshots,
      client: parent.client,
      ...informers,
      queue,
      events: {
        record: ({ metadata }, { reason, message }) => void events.push(`${metadata.name} ${reason}: ${message}`),
        flush: () => Promise.resolve(),
      },
      metrics,
      clock,
      log: silentLogger,
      bindings: { of: () => 0 },
      capacity,
      own: new OwnBindings(),
      scheduling,
      profileOf: () => profile,
    });
    scheduling.start(clusters);
    const stops = [
      informers.subscriptions.subscribe(scheduling.onSubscription),
      informers.subscriptions.subscribe((change) => {
        if (change.type === "deleted") queue.remove(keyTextOf(change.previous));
        else if (change.type === "added" || change.object.metadata.generation !== change.previous.metadata.generation)
          enqueue(change.object);
      }),
    ];
    const leading = new AbortController();
    const decide = async ({ signal }: AbortController): Promise<void> => {
      for (let key = await queue.take(signal); key !== undefined; key = await queue.take(signal)) {
        await cycle(key, signal);
        refresh();
      }
    };
    const deciding = decide(leading);
    stop = async () => {
      for (const each of stops) each();
      leading.abort(new Error("Another one leads"));
      await deciding;
    };
  }
  start();

  const refresh = (): void => {
    informers.subscriptions.listed(...[...apps.keys()].flatMap((name) => current(name) ?? []));
  };
  const inventories = (): void => {
    informers.feedInventories.listed(
      ...[...apps].map(([name, { replicas, cpu }]): FeedInventory => ({
        apiVersion: "apps.clusternet.io/v1alpha1",
        kind: "FeedInventory",
        metadata: { namespace: "shop", name },
        spec: {
          feeds: [
            {
              ...feedOf(name),
              desiredReplicas: replicas,
              replicaRequirements: { resources: { requests: { cpu: String(cpu) } } },
            },
          ],
        },
      })),
    );
  };
  return {
    clock,
    events,
    newLeader: async () => {
      await stop();
      start();
    },
    [Symbol.asyncDispose]: () => stop(),
    metrics: () => metrics.text(),
    writes: () => parent.writes().length,
    settle: async (seconds) => {
      for (let tick = 0; tick < seconds * 5; tick += 1) await clock.advance(200);
    },
    follow: () => {
      running.clear();
      for (const [name] of apps) {
        const { bindingClusters = [], replicas = {} } = current(name)?.status ?? {};
        for (const [index, cluster] of bindingClusters.entries()) {
          const feeds = running.get(cluster) ?? new Map<string, number>();
          running.set(cluster, feeds.set(feedKey(feedOf(name)), replicas[feedKey(feedOf(name))]?.[index] ?? 0));
        }
      }
    },
    add: (name, app) => {
      apps.set(name, app);
      const { priority, policy = "PreemptLowerPriority" } = app;
      const object = subscriptionOf({
        subscription: {
          schedulingStrategy: "Dividing",
          dividingScheduling: { type: "Dynamic", dynamicDividing: { strategy: "Spread" } },
          feeds: [feedOf(name)],
          preemptionPolicy: policy,
          ...(priority === undefined ? {} : { priority }),
        },
      });
      parent.make({ ...object, metadata: { ...object.metadata, name }, status: {} }, "test");
      inventories();
      refresh();
    },
    edit: (name, spec) => {
      parent.edit("Subscription", name, {
        by: "test",
        change: (object) => {
          object["spec"] = { ...(object["spec"] as object), ...spec };
          object.metadata["generation"] = Number(object.metadata["generation"] ?? 0) + 1;
        },
      });
      refresh();
    },
    remove: (name) => {
      parent.remove("Subscription", name);
      apps.delete(name);
      inventories();
      refresh();
    },
    shares: (name) => {
      const { bindingClusters = [], replicas = {} } = current(name)?.status ?? {};
      return bindingClusters
        .map((cluster, index) => `${cluster.split("/", 1)[0] ?? ""}=${String(replicas[feedKey(feedOf(name))]?.[index])}`)
        .join(" ");
    },
    scheduled: (name) => {
      const said = current(name)?.status?.conditions?.find(({ type }) => type === "Scheduled");
      return `${String(said?.status)} ${String(said?.reason)}: ${String(said?.message)}`;
    },
    preempted: (name) => current(name)?.status?.preempted,
  };
}
