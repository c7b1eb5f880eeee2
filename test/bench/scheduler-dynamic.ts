// Bindings by capacity: the real scheduler on a real parent, and children that it asks what fits (capacity-children.ts says what is real about
// them). All Subscriptions wait with their FeedInventories when the scheduler starts; the rate is that of bound ones once it runs.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FeedInventory } from "#api/apps/v1alpha1/feed-inventory.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { inParallel } from "#std/in-parallel.ts";
import { eventually } from "#test/framework/eventually.ts";
import { startCapacityChildren } from "./capacity-children.ts";
import { STOP_MS_MAX } from "./parent-components.ts";
import { processUse } from "./proxy-processes.ts";
import {
  clusterOf,
  FLEET_LABEL,
  SHOP,
  startSchedulerBed,
  WRITES_AT_A_TIME,
  type SchedulerBed,
  type Telling,
} from "./scheduler-bed.ts";

const CHILDREN = 10;
const REPLICAS = 6;
/** Different needs of a replica, and so different questions to each child. */
const NEEDS = 10;

export async function measureDynamic(subscriptions: number, { print, add }: Telling): Promise<void> {
  await using stack = new AsyncDisposableStack();
  print(`making ${String(CHILDREN)} children that tell their capacity and ${String(subscriptions)} Subscriptions`);
  const bed = await startSchedulerBed(stack);
  const { parent, signal } = bed;
  const fleet = Array.from({ length: CHILDREN }, (_, index) => clusterOf(index, CHILDREN));
  const children = stack.use(await startCapacityChildren(fleet.map(({ metadata }) => metadata.name)));
  for (const cluster of fleet) {
    const predictorAddress = children.addressOf(cluster.metadata.name);
    const status = { ...cluster.status, predictorEnabled: true, predictorDirectAccess: true, predictorAddress };
    await bed.makeCluster({ ...cluster, status: status });
  }
  const indexes = Array.from({ length: subscriptions }, (_, index) => index);
  await inParallel(indexes, { atATime: WRITES_AT_A_TIME, work: (index) => makeDivided(index, bed) }, signal);
  const caFile = join(bed.directory, "predictor-ca.pem");
  await writeFile(caFile, children.caPem);
  const scheduler = await bed.start([`--predictor-ca-file=${caFile}`]);
  await scheduler.decides(1);
  const startedAt = performance.now();
  const before = (await scheduler.figures()).attempts;
  await scheduler.hasDecided(subscriptions);
  // The last few are being written.
  await eventually("every Subscription is bound", async () => {
    const { items } = await parent.list(Subscription, { namespace: SHOP }, signal);
    const bound = items.filter(({ status }) => (status?.bindingClusters ?? []).length > 0).length;
    if (bound === subscriptions) return true;
    throw new Error(`${String(bound)} of ${String(subscriptions)} are bound`);
  });
  const seconds = (performance.now() - startedAt) / 1_000;
  const rate = (subscriptions - before) / seconds;
  add("dynamic.bindings_per_s", rate, "1/s");
  // Of the scheduler alone, its start among it: says more than the rate where the machine is shared.
  add("dynamic.cpu_ms_per_binding", (await processUse(scheduler.process.pid)).cpuMs / subscriptions, "ms");
  await scheduler.process.stop(STOP_MS_MAX);
  const ceiling = await statusWritesPerSecond(bed);
  add("dynamic.ceiling_writes_per_s", ceiling, "1/s");
  add("dynamic.of_ceiling", rate / ceiling, "ratio");
}

/** What this parent takes when nobody decides anything: the statuses that are there, each written whole once more. */
async function statusWritesPerSecond({ parent, signal }: SchedulerBed): Promise<number> {
  const { items } = await parent.list(Subscription, { namespace: SHOP }, signal);
  const write = async ({ metadata: { name }, status }: Subscription): Promise<void> => {
    const body = { status: { ...status, specHash: (status?.specHash ?? 0) + 1, desiredReleases: 0 } };
    await parent.patch(Subscription, { namespace: SHOP, name }, { type: "merge", body, subresource: "status" }, signal);
  };
  const startedAt = performance.now();
  await inParallel(items, { atATime: WRITES_AT_A_TIME, work: write }, signal);
  return items.length / ((performance.now() - startedAt) / 1_000);
}

async function makeDivided(index: number, { parent, signal }: SchedulerBed): Promise<void> {
  const metadata = { namespace: SHOP, name: `app-${String(index)}` };
  const feed = { apiVersion: "apps/v1", kind: "Deployment", namespace: SHOP, name: metadata.name };
  const cpu = `${String(100 * (1 + (index % NEEDS)))}m`;
  const replicaRequirements = { resources: { requests: { cpu, memory: "256Mi" } } };
  const inventory = { feeds: [{ ...feed, desiredReplicas: REPLICAS, replicaRequirements, replicaJsonPath: "/spec/replicas" }] };
  const { apiVersion } = FeedInventory;
  await parent.create(FeedInventory, { apiVersion, kind: FeedInventory.kind, metadata, spec: inventory }, signal);
  const spec = {
    schedulingStrategy: "Dividing",
    dividingScheduling: { type: "Dynamic", dynamicDividing: { strategy: "Spread" } },
    subscribers: [{ clusterAffinity: { matchLabels: FLEET_LABEL } }],
    feeds: [feed],
  } as unknown as Subscription["spec"];
  await parent.create(Subscription, { apiVersion, kind: Subscription.kind, metadata, spec }, signal);
}
