// The real scheduler with as many clusters and Subscriptions as it is made for: memory, and the time to look at all of them again.

import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { inParallel } from "#std/in-parallel.ts";
import { STOP_MS_MAX } from "./parent-components.ts";
import { processUse } from "./proxy-processes.ts";
import {
  clusterOf,
  GROUP_SIZE,
  SHOP,
  startSchedulerBed,
  WRITES_AT_A_TIME,
  type SchedulerBed,
  type Telling,
} from "./scheduler-bed.ts";

interface FleetSize {
  readonly clusters: number;
  readonly subscriptions: number;
}

export async function measureFleet({ clusters, subscriptions }: FleetSize, { print, add }: Telling): Promise<void> {
  await using stack = new AsyncDisposableStack();
  print(`making ${String(clusters)} clusters and ${String(subscriptions)} Subscriptions on a real parent`);
  const bed = await startSchedulerBed(stack);
  await makeFleet({ clusters, subscriptions }, bed);
  const first = await bed.start();
  const seconds = await secondsOf(() => first.hasDecided(subscriptions));
  add("first.drain_s", seconds, "s");
  add("first.bindings_per_s", subscriptions / seconds, "1/s");
  await first.process.stop(STOP_MS_MAX);
  const again = await bed.start();
  const drainSeconds = await secondsOf(() => again.hasDecided(subscriptions));
  add("restart.drain_s", drainSeconds, "s");
  add("restart.cycles_per_s", subscriptions / drainSeconds, "1/s");
  const { peakRssBytes } = await processUse(again.process.pid);
  add("memory.peak_rss_bytes", peakRssBytes, "bytes");
}

async function makeFleet({ clusters, subscriptions }: FleetSize, bed: SchedulerBed): Promise<void> {
  const { parent, signal } = bed;
  const groups = Math.max(1, Math.floor(clusters / GROUP_SIZE));
  const makeSubscription = async (index: number): Promise<void> => {
    const group = `group-${String(index % groups)}`;
    const spec = {
      subscribers: [{ clusterAffinity: { matchLabels: { group } } }],
      feeds: [{ apiVersion: "v1", kind: "ConfigMap", namespace: SHOP, name: "settings" }],
    } as unknown as Subscription["spec"];
    const { apiVersion, kind } = Subscription;
    const metadata = { namespace: SHOP, name: `app-${String(index)}` };
    await parent.create(Subscription, { apiVersion, kind, metadata, spec }, signal);
  };
  const options = { atATime: WRITES_AT_A_TIME };
  const fleet = Array.from({ length: clusters }, (_, index) => clusterOf(index, clusters));
  await inParallel(fleet, { ...options, work: (cluster) => bed.makeCluster(cluster) }, signal);
  const indexes = Array.from({ length: subscriptions }, (_, index) => index);
  await inParallel(indexes, { ...options, work: makeSubscription }, signal);
}

/** From the start of a process on. */
async function secondsOf(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1_000;
}
