// What a decision costs: snapshot from the cache and the full default profile, in one process without any I/O; then the real scheduler as a
// process on a real parent: with as many clusters and Subscriptions as it is made for (scheduler-fleet.ts), and with children that it asks
// for their capacity (scheduler-dynamic.ts).

import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { Capacities } from "#scheduler/capacity.ts";
import { defaultProfile } from "#scheduler/default-plugins.ts";
import type { FeedNeed } from "#scheduler/plugin.ts";
import { schedule } from "#scheduler/schedule.ts";
import { SnapshotCache } from "#scheduler/snapshot-cache.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { mean, quantile } from "./quantile.ts";
import type { Measurement } from "./run.ts";
import { clusterOf, FLEET_LABEL, type Add } from "./scheduler-bed.ts";
import { measureDynamic } from "./scheduler-dynamic.ts";
import { measureFleet } from "./scheduler-fleet.ts";

const SIZES = [100, 1_000, 5_000] as const;
const FEEDS = 3;
const DECISIONS = { 100: 2_000, 1_000: 400, 5_000: 100 } as const;
const COLD_DECISIONS = 20;
/** 0: that part is not measured. */
const FLEET = Number(process.env["BENCH_CLUSTERS"] ?? 5_000);
const SUBSCRIPTIONS = Number(process.env["BENCH_SUBSCRIPTIONS"] ?? 5_000);
const DIVIDED = Number(process.env["BENCH_DYNAMIC"] ?? 2_000);

export async function run(print: (line: string) => void): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  const add: Add = (name, value, unit) => {
    measurements.push({ name: `scheduler.${name}`, value, unit });
    print(`${name} ${value.toFixed(3)} ${unit}`);
  };
  const medians = SIZES.map((size) => measureDecisions(size, add));
  const [least = 1, , most = 1] = medians;
  add("growth.n5000_of_n100", most / least / (SIZES[2] / SIZES[0]), "ratio");
  if (DIVIDED > 0) await measureDynamic(DIVIDED, { print, add });
  if (FLEET > 0) await measureFleet({ clusters: FLEET, subscriptions: SUBSCRIPTIONS }, { print, add });
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

function withLabel(cluster: ManagedCluster, key: string, value: string): ManagedCluster {
  return { ...cluster, metadata: { ...cluster.metadata, labels: { ...cluster.metadata.labels, [key]: value } } };
}

function dividing(round: number): Subscription {
  return {
    apiVersion: Subscription.apiVersion,
    kind: Subscription.kind,
    metadata: { namespace: "shop", name: `app-${String(round)}`, generation: 1 },
    spec: {
      schedulerName: "default",
      schedulingStrategy: "Dividing",
      dividingScheduling: { type: "Dynamic", dynamicDividing: { strategy: round % 2 === 0 ? "Spread" : "Binpack" } },
      subscribers: [{ clusterAffinity: { matchLabels: FLEET_LABEL } }],
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
