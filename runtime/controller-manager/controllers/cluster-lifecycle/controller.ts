// Missed heartbeats -> conditions and taints of ManagedClusters.
//
// When a report arrived is measured here, on a clock that never jumps: a report is new when its lastObservedTime differs from the one
// before, whatever the child's clock says. After a restart every cluster gets one full grace period: silence is proven, not assumed.

import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { conditionTypes } from "#api/names.ts";
import type { Client } from "#kube/client.ts";
import { findCondition } from "#kube/conditions.ts";
import { after, createController, done, ownKey, source, type Controller, type Result } from "#kube/controller.ts";
import type { EventRecorder } from "#kube/events.ts";
import type { Informer } from "#kube/informer.ts";
import { keyOf, keyTextOf } from "#kube/object.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { Metrics } from "#std/metrics.ts";
import { planLifecycle, type LifecyclePlan } from "./plan.ts";

export interface ClusterLifecycleDeps {
  readonly client: Client;
  readonly informers: { readonly managedClusters: Informer<ManagedCluster> };
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

interface Observation {
  readonly uid: string;
  readonly lastObservedTime: string | undefined;
  /** On the monotonic clock. */
  readonly atMs: number;
}

export function clusterLifecycleController(deps: ClusterLifecycleDeps): Controller {
  const { informers, clock, log, metrics } = deps;
  // One entry per cluster; forgotten with it.
  const observations = new Map<string, Observation>();
  metrics.gauge({
    name: "clusternet_managed_clusters_ready",
    help: "ManagedClusters with Ready=True",
    collect: () => informers.managedClusters.list().filter((cluster) => readyOf(cluster)?.status === "True").length,
  });
  return createController({
    name: "cluster-lifecycle",
    sources: [source(informers.managedClusters, ownKey)],
    reconcile: async (key, signal): Promise<Result> => {
      const cluster = informers.managedClusters.get(key);
      if (cluster === undefined || cluster.metadata.deletionTimestamp !== undefined) {
        observations.delete(key);
        return done;
      }
      const observation = observe(cluster, { before: observations.get(key), clock });
      observations.set(key, observation);
      const plan = planLifecycle(cluster, { ageMs: clock.monotonic() - observation.atMs, now: clock.now() });
      await carryOut(deps, { cluster, plan }, signal);
      return after(plan.checkAgainInMs);
    },
    clock,
    log,
    metrics,
  });
}

function observe(
  { metadata, status }: ManagedCluster,
  { before, clock }: { readonly before: Observation | undefined; readonly clock: Clock },
): Observation {
  const uid = metadata.uid ?? "";
  const lastObservedTime = status?.lastObservedTime;
  if (before !== undefined && before.uid === uid && before.lastObservedTime === lastObservedTime) return before;
  return { uid, lastObservedTime, atMs: clock.monotonic() };
}

async function carryOut(
  { client, events, log }: ClusterLifecycleDeps,
  { cluster, plan }: { readonly cluster: ManagedCluster; readonly plan: LifecyclePlan },
  signal: AbortSignal,
): Promise<void> {
  const { conditions, health, taints, reason } = plan;
  let current = cluster;
  if (conditions !== undefined || health !== undefined) {
    const status = { ...(conditions === undefined ? {} : { conditions }), ...health };
    current = await patch(client, { cluster: current, body: { status }, subresource: "status" }, signal);
  }
  if (taints !== undefined) current = await patch(client, { cluster: current, body: { spec: { taints } } }, signal);
  if (current === cluster) return;
  const ready = readyOf(current);
  log.info("cluster.lifecycle-changed", { cluster: keyTextOf(cluster), ready: ready?.status, taints: taints?.length, reason });
  if (ready?.status !== "Unknown" || readyOf(cluster)?.status === "Unknown") return;
  events.record(cluster, { type: "Warning", reason: ready.reason, message: ready.message });
}

/** A change computed from an old object is a Conflict; the controller looks again. */
function patch(
  client: Client,
  { cluster, body, subresource }: { readonly cluster: ManagedCluster; readonly body: object; readonly subresource?: "status" },
  signal: AbortSignal,
): Promise<ManagedCluster> {
  const { uid, resourceVersion } = cluster.metadata;
  const options = { type: "merge", body: { metadata: { uid, resourceVersion }, ...body } } as const;
  return client.patch(ManagedCluster, keyOf(cluster), subresource === undefined ? options : { ...options, subresource }, signal);
}

function readyOf({ status }: ManagedCluster): ReturnType<typeof findCondition> {
  return findCondition(status?.conditions, conditionTypes.ready);
}
