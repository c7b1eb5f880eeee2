// Wires the integration, top to bottom: connect, find Cluster API, watch, and run two controllers under one leader lock.

import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { ResourceType } from "#api/meta.ts";
import { labels } from "#api/names.ts";
import { ConfigMap } from "#kube/builtin-kinds.ts";
import { createClient, type Client } from "#kube/client.ts";
import { connectInCluster, connectKubeconfig } from "#kube/connection.ts";
import { createDiscovery } from "#kube/discovery.ts";
import { createEventRecorder } from "#kube/events.ts";
import { createInformer } from "#kube/informer.ts";
import { componentElection } from "#kube/component-election.ts";
import { runManager } from "#kube/manager.ts";
import type { Clock } from "#std/clock.ts";
import { startHealthServer } from "#std/health-server.ts";
import type { Logger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";
import type { Environment } from "#std/options.ts";
import { apiVersionFor, CLUSTER_KIND, CONTRACT_VERSIONS, type CapiCluster } from "./contract.ts";
import { createClusterController } from "./controller.ts";
import type { IntegrationOptions } from "./options.ts";
import { createSettingsController, releaseWithoutClusterApi } from "./settings-controller.ts";

interface Surroundings {
  readonly env: Environment;
  readonly log: Logger;
  readonly clock: Clock;
}

const COMPONENT = "cluster-api-integration";
/** How often Cluster API is looked for on a parent that does not have it yet. */
const LOOK_FOR_CLUSTER_API_MS = 15_000;

export async function runIntegration(
  options: IntegrationOptions,
  { env, log, clock }: Surroundings,
  signal: AbortSignal,
): Promise<void> {
  const metrics = createMetrics({ withProcessMetrics: true });
  await using connection =
    options.kubeconfig === "" ? await connectInCluster(env) : await connectKubeconfig({ path: options.kubeconfig });
  const client = createClient(connection, { component: COMPONENT });
  // A parent without Cluster API is a parent without work: ready all the same.
  const state: { caches: readonly { readonly synced: boolean }[] } = { caches: [] };
  const readiness = { caches: () => (state.caches.every(({ synced }) => synced) ? undefined : "still reading") };
  await using _health = await startHealthServer({ host: options.bindAddress, port: options.healthPort, metrics, readiness });
  const namespace = options.leaderElectResourceNamespace;
  const clusterType = await findClusterApi({ client, log, clock, namespace }, signal);
  if (clusterType === undefined) return;
  const watch = { clock, log, metrics };
  const informers = {
    clusters: createInformer(client, clusterType, watch),
    settings: createInformer(client, ConfigMap, { ...watch, namespace, labelSelector: `${labels.clusterApiSettings}=true` }),
    grants: createInformer(client, ConfigMap, { ...watch, namespace, labelSelector: `${labels.joinGrant}=true` }),
    managedClusters: createInformer(client, ManagedCluster, watch),
  };
  state.caches = Object.values(informers);
  const events = createEventRecorder({ client, component: `clusternet-${COMPONENT}`, clock, log });
  const clusterController = createClusterController({
    client,
    clusterType,
    informers,
    namespace,
    joinTokenLifetimeMs: options.joinTokenLifetime,
    discoveryOf: (workload) => createDiscovery({ client: workload, clock }),
    events,
    clock,
    log,
    metrics,
  });
  const settingsController = createSettingsController({ client, clusterType, informers, events, clock, log, metrics });
  await runManager(
    {
      informers: Object.values(informers),
      controllers: [clusterController, settingsController],
      clock,
      log,
      leaderElection: componentElection(options, { client, clock, log }),
    },
    signal,
  );
  await events.flush();
}

/** Waits until the parent serves Clusters; undefined when told to stop before. */
async function findClusterApi(
  {
    client,
    log,
    clock,
    namespace,
  }: { readonly client: Client; readonly log: Logger; readonly clock: Clock; readonly namespace: string },
  signal: AbortSignal,
): Promise<ResourceType<CapiCluster> | undefined> {
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    const discovery = createDiscovery({ client, clock });
    for (const version of CONTRACT_VERSIONS) {
      const type = await discovery.resolve(apiVersionFor(version), CLUSTER_KIND, signal);
      if (type !== undefined) return type;
    }
    if (attempt === 0) log.info("cluster-api.not-installed", { lookAgainInMs: LOOK_FOR_CLUSTER_API_MS });
    await releaseWithoutClusterApi({ client, namespace }, signal);
    await clock.sleep(LOOK_FOR_CLUSTER_API_MS, signal);
  }
  return undefined;
}
