// Cluster API Cluster -> joined ManagedCluster, and back: observe, plan (plan.ts), act (install.ts, remove.ts).

import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { keyText, parseKey } from "#api/meta.ts";
import { annotations, finalizers, joinGrantKeys } from "#api/names.ts";
import { ConfigMap } from "#kube/builtin-kinds.ts";
import { after, createController, done, ownKey, source, type Controller, type Result } from "#kube/controller.ts";
import { removeFinalizer } from "#kube/finalizers.ts";
import type { Informer } from "#kube/informer.ts";
import { canonicalHash } from "#std/canonical-json.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { Metrics } from "#std/metrics.ts";
import type { CapiCluster } from "./contract.ts";
import { installAgent, type InstallShell } from "./install.ts";
import { clusterKeyOf, isMadeFor, nameCandidates, type ClusterNames } from "./names.ts";
import { labelsTextOf, planCluster } from "./plan.ts";
import { removePlaces, removeAgent } from "./remove.ts";
import { readSettings, type ReadSettings } from "./settings.ts";
import { FIELD_MANAGER, stagesFor } from "./workload-objects.ts";

export interface ClusterControllerOptions extends InstallShell {
  readonly informers: {
    readonly clusters: Informer<CapiCluster>;
    readonly settings: Informer<ConfigMap>;
    readonly grants: Informer<ConfigMap>;
    readonly managedClusters: Informer<ManagedCluster>;
  };
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** Workload clusters that do not answer hold a worker for up to a minute each. */
const CLUSTERS_AT_ONCE = 16;
/** The deletion of a grant ends with an event of its own; this is for the case that it is missed. */
const REMOVAL_LOOK_AGAIN_MS = 5_000;

export function createClusterController(options: ClusterControllerOptions): Controller {
  const { informers, clock, log, metrics } = options;
  const clusterOf = ({ metadata }: ConfigMap): readonly string[] => {
    const cluster = metadata.annotations?.[annotations.clusterApiCluster];
    return cluster === undefined ? [] : [cluster];
  };
  const everyCluster = (): readonly string[] => [
    ...informers.clusters.list().flatMap(ownKey),
    ...informers.grants.list().flatMap(clusterOf),
  ];
  return createController({
    name: "cluster-api",
    sources: [source(informers.clusters, ownKey), source(informers.settings, everyCluster), source(informers.grants, clusterOf)],
    reconcile: (key, signal) => reconcile(key, options, signal),
    concurrency: CLUSTERS_AT_ONCE,
    clock,
    log,
    metrics,
  });
}

async function reconcile(clusterKey: string, options: ClusterControllerOptions, signal: AbortSignal): Promise<Result> {
  const { informers, clock, log } = options;
  const cluster = informers.clusters.get(clusterKey);
  const settings = readSettings(informers.settings.list()[0]);
  if (cluster === undefined) return removeOrphan(clusterKey, { ...options, settings }, signal);
  const grant = informers.grants.list().find((each) => isMadeFor(clusterKey, each));
  const names = namesOfGrant(clusterKey, grant);
  const plan = planCluster({
    cluster,
    settings: settings.state,
    isOurs: cluster.metadata.finalizers?.includes(finalizers.clusterApi) === true,
    ...(grant === undefined ? {} : { installed: installedOf(grant) }),
    wantedHash: names === undefined || settings.state !== "ready" ? "" : canonicalHash(stagesFor(names, settings.settings)),
    isRegistered:
      names !== undefined &&
      informers.managedClusters.get(keyText({ namespace: names.namespace, name: names.clusterName })) !== undefined,
    nowMs: clock.now(),
  });
  const reason = "reason" in plan ? plan.reason : "";
  log.debug("cluster-api.planned", { cluster: clusterKey, plan: plan.type, reason });
  switch (plan.type) {
    case "install":
      if (settings.state !== "ready") return done;
      return installAgent({ cluster, settings: settings.settings, reason }, options, signal);
    case "relabel":
      if (grant !== undefined) await relabel(options, { grant, cluster }, signal);
      return done;
    case "remove":
      return remove({ cluster, reason }, options, signal);
    case "settled":
      return after(plan.checkAgainInMs);
    default:
      return done;
  }
}

/** Only names that this Cluster can have: a grant that says otherwise was edited by somebody, and is made anew. */
function namesOfGrant(clusterKey: string, grant: ConfigMap | undefined): ClusterNames | undefined {
  return nameCandidates(clusterKey).find((names) => names.grant === grant?.metadata.name);
}

function installedOf({ metadata, data }: ConfigMap): { hash: string; labelsText: string; tokenExpiresAtMs: number } {
  return {
    hash: metadata.annotations?.[annotations.installedHash] ?? "",
    labelsText: data?.[joinGrantKeys.clusterLabels] ?? "",
    tokenExpiresAtMs: Date.parse(metadata.annotations?.[annotations.joinTokenExpires] ?? "") || 0,
  };
}

async function relabel(
  { client }: ClusterControllerOptions,
  { grant, cluster }: { readonly grant: ConfigMap; readonly cluster: CapiCluster },
  signal: AbortSignal,
): Promise<void> {
  const { namespace = "", name, uid, resourceVersion } = grant.metadata;
  const body = { metadata: { uid, resourceVersion }, data: { [joinGrantKeys.clusterLabels]: labelsTextOf(cluster) } };
  await client.patch(ConfigMap, { namespace, name }, { type: "merge", body, fieldManager: FIELD_MANAGER }, signal);
}

/** Deregisters first, while the agent is there to clean up its cluster; then removes the agent; then lets the Cluster go. */
async function remove(
  { cluster, reason }: { readonly cluster: CapiCluster; readonly reason: string },
  options: ClusterControllerOptions,
  signal: AbortSignal,
): Promise<Result> {
  const clusterKey = clusterKeyOf(cluster);
  const isGone = await removePlaces(clusterKey, { ...options, uninstall: () => removeAgent(cluster, options, signal) }, signal);
  if (!isGone) return after(REMOVAL_LOOK_AGAIN_MS);
  const { client, clusterType } = options;
  const current = await client.get(clusterType, parseKey(clusterKey), signal);
  if (current !== undefined)
    await removeFinalizer(client, { type: clusterType, object: current, finalizer: finalizers.clusterApi }, signal);
  options.log.info("cluster-api.removed", { cluster: clusterKey, reason });
  return done;
}

/** Somebody took our finalizer off a Cluster, which then went. What we made for it goes with the integration, not before. */
async function removeOrphan(
  clusterKey: string,
  options: ClusterControllerOptions & { readonly settings: ReadSettings },
  signal: AbortSignal,
): Promise<Result> {
  if (options.settings.state !== "uninstalling") return done;
  return (await removePlaces(clusterKey, options, signal)) ? done : after(REMOVAL_LOOK_AGAIN_MS);
}
