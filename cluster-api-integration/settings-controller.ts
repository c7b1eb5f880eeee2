// Holds the settings with a finalizer until nothing of ours is left in any workload cluster, and says when they cannot be used.

import type { ResourceType } from "#api/meta.ts";
import { annotations, finalizers, labels } from "#api/names.ts";
import { ConfigMap } from "#kube/builtin-kinds.ts";
import type { Client } from "#kube/client.ts";
import { after, createController, done, ownKey, source, type Controller } from "#kube/controller.ts";
import type { EventRecorder } from "#kube/events.ts";
import { addFinalizer, removeFinalizer } from "#kube/finalizers.ts";
import type { Informer } from "#kube/informer.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { Metrics } from "#std/metrics.ts";
import type { CapiCluster } from "./contract.ts";
import { removePlaces } from "./remove.ts";
import { readSettings } from "./settings.ts";

export interface SettingsControllerOptions {
  readonly client: Client;
  readonly clusterType: ResourceType<CapiCluster>;
  readonly informers: {
    readonly settings: Informer<ConfigMap>;
    readonly clusters: Informer<CapiCluster>;
    readonly grants: Informer<ConfigMap>;
  };
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

const LOOK_AGAIN_MS = 2_000;

export function createSettingsController(options: SettingsControllerOptions): Controller {
  const { client, clusterType, informers, events, clock, log, metrics } = options;
  const { settings, clusters, grants } = informers;
  const everySettings = (): readonly string[] => settings.list().flatMap(ownKey);
  return createController({
    name: "cluster-api-settings",
    sources: [source(settings, ownKey), source(clusters, everySettings), source(grants, everySettings)],
    reconcile: async (key, signal) => {
      const object = settings.get(key);
      if (object === undefined) return done;
      const change = { type: ConfigMap, object, finalizer: finalizers.clusterApi };
      if (object.metadata.deletionTimestamp === undefined) {
        const read = readSettings(object);
        if (read.state === "invalid") {
          const message = `Nothing is installed or changed with these settings: ${read.problem}`;
          log.warn("cluster-api.settings-invalid", { settings: key, problem: read.problem });
          events.record(object, { type: "Warning", reason: "InvalidSettings", message });
        }
        await addFinalizer(client, change, signal);
        return done;
      }
      // Of the server, not of the cache: a finalizer that was added a moment ago counts (install.ts, isStillWanted).
      const { items } = await client.list(clusterType, {}, signal);
      const isHeld = items.some(({ metadata }) => metadata.finalizers?.includes(finalizers.clusterApi) === true);
      if (isHeld || grants.list().some(isForClusterApi)) return after(LOOK_AGAIN_MS);
      await removeFinalizer(client, change, signal);
      return done;
    },
    clock,
    log,
    metrics,
  });
}

function isForClusterApi({ metadata }: ConfigMap): boolean {
  return metadata.annotations?.[annotations.clusterApiCluster] !== undefined;
}

/** Cluster API may be gone before we are: then no Cluster holds anything, and settings that are being deleted must not wait for it. */
export async function releaseWithoutClusterApi(
  { client, namespace }: { readonly client: Client; readonly namespace: string },
  signal: AbortSignal,
): Promise<void> {
  const settings = await client.list(ConfigMap, { namespace, labelSelector: `${labels.clusterApiSettings}=true` }, signal);
  for (const object of settings.items) {
    if (object.metadata.deletionTimestamp === undefined) continue;
    const grants = await client.list(ConfigMap, { namespace, labelSelector: `${labels.joinGrant}=true` }, signal);
    const keys = grants.items.flatMap(({ metadata }) => metadata.annotations?.[annotations.clusterApiCluster] ?? []);
    const gone = await Promise.all(keys.map((key) => removePlaces(key, { client, namespace }, signal)));
    if (gone.includes(false)) continue;
    await removeFinalizer(client, { type: ConfigMap, object, finalizer: finalizers.clusterApi }, signal);
  }
}
