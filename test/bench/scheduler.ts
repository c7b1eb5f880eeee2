// What a decision costs: snapshot from the cache and the full default profile, in one process without any I/O; then the real scheduler as a
// process on a real parent with as many clusters and Subscriptions as it is made for: memory, and the time to look at all of them again.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { crdObjects } from "#install/crds.ts";
import { MALLOC_ARENAS_MAX, NODE_OPTIONS } from "#install/deployment.ts";
import { CustomResourceDefinition, Namespace } from "#kube/builtin-kinds.ts";
import { createClient, type Client } from "#kube/client.ts";
import { connectKubeconfig } from "#kube/connection.ts";
import type { Capacities } from "#scheduler/capacity.ts";
import { defaultProfile } from "#scheduler/default-plugins.ts";
import type { FeedNeed } from "#scheduler/plugin.ts";
import { schedule } from "#scheduler/schedule.ts";
import { SnapshotCache } from "#scheduler/snapshot-cache.ts";
import { inParallel } from "#std/in-parallel.ts";
import { freePort } from "#test/framework/address-slot.ts";
import { startControlPlane } from "#test/framework/control-plane.ts";
import { eventually } from "#test/framework/eventually.ts";
import { processUse } from "./proxy-processes.ts";
import type { Measurement } from "./run.ts";

const SIZES = [100, 1_000, 5_000] as const;
const LABELS = 20;
const FEEDS = 3;
const DECISIONS = { 100: 2_000, 1_000: 400, 5_000: 100 } as const;
const COLD_DECISIONS = 20;
/** 0: the real scheduler is not measured. */
const FLEET = Number(process.env["BENCH_CLUSTERS"] ?? 5_000);
const SUBSCRIPTIONS = Number(process.env["BENCH_SUBSCRIPTIONS"] ?? 5_000);
/** Each Subscription selects this many clusters. */
const SELECTED = 10;
const WRITES_AT_A_TIME = 16;
const DRAINED_MS_MAX = 900_000;
const FLEET_NAMESPACE = "fleet";
const LOOPBACK = "127.0.0.1";

type Add = (name: string, value: number, unit: string) => void;

export async function run(print: (line: string) => void): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  const add: Add = (name, value, unit) => {
    measurements.push({ name: `scheduler.${name}`, value, unit });
    print(`${name} ${value.toFixed(3)} ${unit}`);
  };
  const medians = SIZES.map((size) => measureDecisions(size, add));
  const [least = 1, , most = 1] = medians;
  add("growth.n5000_of_n100", most / least / (SIZES[2] / SIZES[0]), "ratio");
  if (FLEET > 0) await measureFleet(print, add);
  return measurements;
}

// One process, no I/O.

function measureDecisions(size: (typeof SIZES)[number], add: Add): number {
  const clusters = Array.from({ length: size }, (_, index) => clusterOf(index, size));
  const profile = defaultProfile("default");
  const answers = new Map(
    clusters.map(({ metadata: { namespace = "", name } }, index) => [
      `${namespace}/${name}`,
      { type: "fits", replicas: (index * 7) % 40 } as const,
    ]),
  );
  const capacities: Capacities = { of: (cluster) => answers.get(cluster) };
  const snapshots = new SnapshotCache();
  for (const object of clusters) snapshots.onCluster({ type: "added", object });
  const decide = (round: number): number => {
    const previous = clusters[round % size] ?? clusterOf(0, size);
    const startedAt = performance.now();
    // Between two decisions one cluster changes, so that each decision sees a new snapshot.
    snapshots.onCluster({ type: "updated", previous, object: withLabel(previous, "round", String(round)) });
    const { current: snapshot } = snapshots;
    const decision = schedule(dividing(round), { snapshot, profile, needs: needsOf(round), capacities });
    if (decision.type !== "bound") throw new Error(`Not bound: ${decision.message}`);
    return performance.now() - startedAt;
  };
  const cold = Array.from({ length: COLD_DECISIONS }, (_, round) => decide(round));
  const warm = Array.from({ length: DECISIONS[size] }, (_, round) => decide(round)).toSorted((a, b) => a - b);
  const name = `n${String(size)}`;
  add(`${name}.cold_cycles_per_s`, 1_000 / mean(cold), "1/s");
  add(`${name}.warm_cycles_per_s`, 1_000 / mean(warm), "1/s");
  add(`${name}.p50_ms`, quantile(warm, 0.5), "ms");
  add(`${name}.p99_ms`, quantile(warm, 0.99), "ms");
  return quantile(warm, 0.5);
}

function clusterOf(index: number, size: number): ManagedCluster {
  const name = `cluster-${String(index)}`;
  const more = Array.from({ length: LABELS - 3 }, (_, label) => [
    `example.com/label-${String(label)}`,
    `value-${String(index % (label + 2))}`,
  ]);
  const labels = {
    ...(Object.fromEntries(more) as Record<string, string>),
    fleet: "yes",
    zone: `zone-${String(index % 3)}`,
    group: `group-${String(Math.floor(index / SELECTED))}`,
  };
  return {
    apiVersion: ManagedCluster.apiVersion,
    kind: ManagedCluster.kind,
    metadata: { namespace: FLEET_NAMESPACE, name, labels, uid: `${name}-of-${String(size)}` },
    spec: { clusterId: `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`, syncMode: "Pull" },
    status: { conditions: [ready] } as unknown as NonNullable<ManagedCluster["status"]>,
  };
}

function withLabel(cluster: ManagedCluster, key: string, value: string): ManagedCluster {
  return { ...cluster, metadata: { ...cluster.metadata, labels: { ...cluster.metadata.labels, [key]: value } } };
}

const ready = {
  type: "Ready",
  status: "True",
  reason: "ManagedClusterReady",
  message: "",
  lastTransitionTime: "2026-01-01T00:00:00Z",
};

function dividing(round: number): Subscription {
  return {
    apiVersion: Subscription.apiVersion,
    kind: Subscription.kind,
    metadata: { namespace: "shop", name: `app-${String(round)}`, generation: 1 },
    spec: {
      schedulerName: "default",
      schedulingStrategy: "Dividing",
      dividingScheduling: { type: "Dynamic", dynamicDividing: { strategy: round % 2 === 0 ? "Spread" : "Binpack" } },
      subscribers: [{ clusterAffinity: { matchLabels: { fleet: "yes" } } }],
      feeds: needsOf(round).map(({ feed }) => ({
        apiVersion: "apps/v1",
        kind: "Deployment",
        namespace: "shop",
        name: feed.slice(feed.lastIndexOf("/") + 1),
      })),
    },
  } as unknown as Subscription;
}

function needsOf(round: number): readonly FeedNeed[] {
  return Array.from({ length: FEEDS }, (_, index) => ({
    feed: `apps/v1/Deployment/shop/web-${String(index)}`,
    desiredReplicas: 50 + ((round * 13 + index * 7) % 200),
  }));
}

// The real scheduler.

async function measureFleet(print: (line: string) => void, add: Add): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const { signal } = new AbortController();
  print(`making ${String(FLEET)} clusters and ${String(SUBSCRIPTIONS)} Subscriptions on a real parent`);
  const controlPlane = stack.use(await startControlPlane({ name: "parent", controllerManager: false }));
  const { adminKubeconfig } = controlPlane;
  const parent = createClient(stack.use(await connectKubeconfig({ path: adminKubeconfig })), { component: "bench" });
  await makeFleet(parent, signal);
  const healthPort = await freePort(LOOPBACK, 0);
  const start = (): ChildProcess => startScheduler(adminKubeconfig, healthPort);
  let scheduler = start();
  stack.defer(() => stop(scheduler));
  const startedAt = performance.now();
  await drained(healthPort);
  const seconds = (performance.now() - startedAt) / 1_000;
  add("first.drain_s", seconds, "s");
  add("first.bindings_per_s", SUBSCRIPTIONS / seconds, "1/s");
  await stop(scheduler);
  scheduler = start();
  const restartedAt = performance.now();
  await drained(healthPort);
  add("restart.drain_s", (performance.now() - restartedAt) / 1_000, "s");
  const { peakRssBytes } = await processUse(scheduler.pid ?? 0);
  add("memory.peak_rss_bytes", peakRssBytes, "bytes");
}

async function makeFleet(parent: Client, signal: AbortSignal): Promise<void> {
  const manager = { fieldManager: "bench", force: true };
  for (const crd of crdObjects())
    await parent.apply(CustomResourceDefinition, crd as unknown as CustomResourceDefinition, manager, signal);
  for (const name of [FLEET_NAMESPACE, "shop"])
    await parent.apply(Namespace, { apiVersion: "v1", kind: "Namespace", metadata: { name } }, manager, signal);
  await eventually("our kinds are served", async () => {
    await Promise.all([parent.list(Subscription, {}, signal), parent.list(ManagedCluster, {}, signal)]);
    return true;
  });
  const makeCluster = async (index: number): Promise<void> => {
    const { status, metadata, ...rest } = clusterOf(index, FLEET);
    const { uid: _uid, ...own } = metadata;
    const made = await parent.create(ManagedCluster, { ...rest, metadata: own }, signal);
    const patch = { type: "merge", body: { status }, subresource: "status" } as const;
    await parent.patch(ManagedCluster, { namespace: FLEET_NAMESPACE, name: made.metadata.name }, patch, signal);
  };
  const makeSubscription = async (index: number): Promise<void> => {
    const group = `group-${String(index % Math.max(1, Math.floor(FLEET / SELECTED)))}`;
    const spec = {
      subscribers: [{ clusterAffinity: { matchLabels: { group } } }],
      feeds: [{ apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name: "settings" }],
    } as unknown as Subscription["spec"];
    const { apiVersion, kind } = Subscription;
    await parent.create(
      Subscription,
      { apiVersion, kind, metadata: { namespace: "shop", name: `app-${String(index)}` }, spec },
      signal,
    );
  };
  const options = { atATime: WRITES_AT_A_TIME };
  await inParallel(range(FLEET), { ...options, work: makeCluster }, signal);
  await inParallel(range(SUBSCRIPTIONS), { ...options, work: makeSubscription }, signal);
}

function startScheduler(kubeconfig: string, healthPort: number): ChildProcess {
  const main = join(import.meta.dirname, "../../runtime/main.ts");
  const flags = [`--kubeconfig=${kubeconfig}`, "--leader-elect=false", `--health-port=${String(healthPort)}`, "--log-level=warn"];
  return spawn(process.execPath, [...NODE_OPTIONS.split(" "), main, "scheduler", ...flags], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, MALLOC_ARENA_MAX: MALLOC_ARENAS_MAX },
  });
}

async function stop(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return;
  process.kill("SIGTERM");
  await once(process, "exit");
}

/** Every Subscription was decided, and none waits. */
async function drained(healthPort: number): Promise<void> {
  await eventually(
    "every Subscription is decided",
    async () => {
      const metrics = await (await fetch(`http://${LOOPBACK}:${String(healthPort)}/metrics`)).text();
      const valueOf = (name: string): number =>
        Number(new RegExp(`^${name}(?:{[^}]*})? (\\S+)$`, "m").exec(metrics)?.[1] ?? Number.NaN);
      const decided = valueOf("clusternet_scheduler_scheduling_algorithm_duration_seconds_count");
      const waiting = ["active", "backoff"].map((place) => valueOf(`clusternet_scheduler_queue_${place}`));
      if (decided >= SUBSCRIPTIONS && waiting.every((count) => count === 0)) return true;
      throw new Error(`${String(decided)} decided, ${waiting.join(" and ")} wait`);
    },
    { timeoutMs: DRAINED_MS_MAX, intervalMs: 200 },
  );
  await pause(0);
}

function range(length: number): readonly number[] {
  return Array.from({ length }, (_, index) => index);
}

function mean(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length;
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
