// A parent and one child in memory, with the parent's delivery controllers and the child's agent running between them: for stories with
// more turns than real control planes have time for. There is no scheduler: the one Subscription is bound to the one cluster.

import { Base } from "#api/apps/v1alpha1/base.ts";
import { Description } from "#api/apps/v1alpha1/description.ts";
import { feedKey } from "#api/apps/v1alpha1/feed.ts";
import { FeedInventory } from "#api/apps/v1alpha1/feed-inventory.ts";
import { Globalization } from "#api/apps/v1alpha1/globalization.ts";
import { HelmChart } from "#api/apps/v1alpha1/helm-chart.ts";
import { Localization } from "#api/apps/v1alpha1/localization.ts";
import { Manifest } from "#api/apps/v1alpha1/manifest.ts";
import { specHash } from "#api/apps/v1alpha1/spec-hash.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { KubeObject } from "#api/meta.ts";
import { labels } from "#api/names.ts";
import { deliveryControllers } from "#agent/controllers/delivery.ts";
import { baseController } from "#controller-manager/controllers/base/controller.ts";
import { descriptionController } from "#controller-manager/controllers/description/controller.ts";
import { feedProtectionControllers } from "#controller-manager/controllers/feed-protection/controller.ts";
import { subscriptionController } from "#controller-manager/controllers/subscription/controller.ts";
import { by, type DeliveryInformers } from "#controller-manager/informers.ts";
import { manifestFeedKeys } from "#delivery/feeds.ts";
import { ConfigMap } from "#kube/builtin-kinds.ts";
import { silentLogger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";
import { createFakeClock, type FakeClock } from "./fake-clock.ts";
import { createMemoryCluster, DELETED_AT, type MemoryCluster } from "./memory-cluster.ts";
import { createStubInformer, type StubInformer } from "./stub-informer.ts";

const { apiVersion } = Subscription;
const feed = { apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name: "settings" };
const spec = { subscribers: [{ clusterAffinity: {} }], feeds: [feed] } as unknown as Subscription["spec"];
const template = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace: "shop", name: "settings" },
  data: { colour: "blue" },
};

/** What is on the parent, by the informer that shows it. */
export const fleetObjects = {
  subscriptions: { type: Subscription, namespace: "shop", name: "web" },
  bases: { type: Base, namespace: "paris", name: "web.shop" },
  descriptions: { type: Description, namespace: "paris", name: "web.shop-generic" },
  manifests: { type: Manifest, namespace: "clusternet-reserved", name: "configmaps.shop.settings" },
  globalizations: { type: Globalization, namespace: undefined, name: "louder" },
  managedClusters: { type: ManagedCluster, namespace: "paris", name: "paris" },
} as const;
export type FleetKey = keyof typeof fleetObjects;
export const fleetKeys = Object.keys(fleetObjects) as readonly FleetKey[];

export interface MemoryFleet extends AsyncDisposable {
  readonly parent: MemoryCluster;
  readonly child: MemoryCluster;
  readonly clock: FakeClock;
  readonly informers: Readonly<Record<FleetKey, StubInformer<never>>>;
  /** Messages of the Events that the parent's controllers recorded. */
  readonly events: readonly string[];
  /** Two seconds pass; the caches of these kinds follow what the parent has. */
  settle(told?: readonly FleetKey[]): Promise<void>;
  /** As kubectl delete. */
  delete(key: FleetKey): Promise<void>;
  /** The agent starts, as after an outage. */
  startAgent(): void;
}

export interface MemoryFleetOptions {
  readonly lostClusterGraceMs?: number;
  /** Goes on where this one stopped: the same clusters, new processes. */
  readonly from?: MemoryFleet;
}

export function createMemoryFleet({ lostClusterGraceMs = 1_000, from }: MemoryFleetOptions = {}): MemoryFleet {
  const parent = from?.parent ?? createMemoryCluster([]);
  const child = from?.child ?? createMemoryCluster([ConfigMap]);
  const clock = from?.clock ?? createFakeClock({ startAt: Date.parse(DELETED_AT) });
  const informers = stubs();
  const events: string[] = [];
  const stopping = new AbortController();
  const running: Promise<unknown>[] = [];
  const run = (controllers: readonly { run(signal: AbortSignal): Promise<void> }[]): void => {
    running.push(...controllers.map((controller) => controller.run(stopping.signal)));
  };
  const shared = {
    informers: informers as unknown as DeliveryInformers,
    events: {
      record: (_object: KubeObject, { message }: { message: string }) => void events.push(message),
      flush: () => Promise.resolve(),
    },
    clock,
    log: silentLogger,
    metrics: createMetrics(),
  };
  if (from === undefined) fill(parent);

  const tell = (key: FleetKey): void => {
    const { type, name } = fleetObjects[key];
    const object = parent.object(type.kind, name);
    // What nothing holds any more is gone.
    const isGone = object?.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers ?? []).length === 0;
    if (isGone) parent.remove(type.kind, name);
    informers[key].listed(...((object === undefined || isGone ? [] : [object]) as never[]));
  };
  for (const key of fleetKeys) tell(key);
  const common = { ...shared, client: parent.client, concurrency: 2, crossNamespaceFeeds: false };
  const children = { of: () => ({ client: child.client, discovery: child.discovery }) };
  run([
    subscriptionController({
      ...common,
      crossNamespaceFeeds: false,
      fleetPercentMax: 100,
      interpreters: { current: () => new Map() },
    }),
    baseController(common),
    descriptionController({ ...common, children, lostClusterGraceMs }),
    ...feedProtectionControllers(common),
  ]);
  return {
    parent,
    child,
    clock,
    informers,
    events,
    settle: async (told = fleetKeys) => {
      for (let round = 0; round < 10; round += 1) {
        await clock.advance(200);
        for (const key of told) tell(key);
      }
    },
    delete: async (key) => {
      const { type, namespace, name } = fleetObjects[key];
      const objectKey = namespace === undefined ? { name } : { namespace, name };
      await parent.client.delete(type, objectKey, {}, stopping.signal);
    },
    startAgent: () => {
      run(deliveryControllers({ ...shared, parent: parent.client, child: child.client, childAs: () => child.client }));
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort(new Error("The test is over"));
      await Promise.all(running);
    },
  };
}

function fill(parent: MemoryCluster): void {
  const metadataOf = (key: FleetKey): { namespace?: string; name: string } => {
    const { namespace, name } = fleetObjects[key];
    return namespace === undefined ? { name } : { namespace, name };
  };
  parent.make({ apiVersion, kind: "Manifest", metadata: metadataOf("manifests"), template }, "test");
  const louder = { type: "MergePatch", value: '{"data":{"volume":"11"}}' };
  const globalization = { overridePolicy: "ApplyNow", priority: 500, feed, overrides: [louder] };
  parent.make({ apiVersion, kind: "Globalization", metadata: metadataOf("globalizations"), spec: globalization }, "test");
  parent.make(
    {
      apiVersion: ManagedCluster.apiVersion,
      kind: "ManagedCluster",
      metadata: metadataOf("managedClusters"),
      spec: { clusterId: "id", syncMode: "Pull" },
    },
    "test",
  );
  const status = { bindingClusters: ["paris/paris"], specHash: specHash(spec) };
  parent.make({ apiVersion, kind: "Subscription", metadata: metadataOf("subscriptions"), spec, status }, "test");
}

const uidOf = ({ metadata: { uid } }: KubeObject): readonly string[] => (uid === undefined ? [] : [uid]);
const namespaceOf = ({ metadata: { namespace = "" } }: KubeObject): readonly string[] => [namespace];
const labelOf =
  (key: string) =>
  ({ metadata }: KubeObject): readonly string[] => [metadata.labels?.[key] ?? ""];
const feedsOf = ({ spec: { feeds } }: { spec: { feeds: readonly (typeof feed)[] } }): readonly string[] => feeds.map(feedKey);

function stubs(): Readonly<Record<FleetKey, StubInformer<never>>> {
  const bases = {
    [by.uid]: uidOf,
    [by.feed]: feedsOf as never,
    [by.namespace]: namespaceOf,
    [by.subscription]: labelOf(labels.subscriptionUid),
  };
  const descriptions = {
    [by.namespace]: namespaceOf,
    [by.subscription]: labelOf(labels.subscriptionUid),
    [by.base]: labelOf(labels.configUid),
  };
  return {
    subscriptions: createStubInformer(Subscription, {
      [by.uid]: uidOf,
      [by.feed]: feedsOf as never,
      [by.binding]: ({ status }) => status?.bindingClusters ?? [],
    }),
    bases: createStubInformer(Base, bases),
    descriptions: createStubInformer(Description, descriptions),
    manifests: createStubInformer(Manifest, { [by.feed]: manifestFeedKeys }),
    helmCharts: createStubInformer(HelmChart),
    globalizations: createStubInformer(Globalization),
    localizations: createStubInformer(Localization, { [by.namespace]: namespaceOf }),
    managedClusters: createStubInformer(ManagedCluster, { [by.namespace]: namespaceOf }),
    feedInventories: createStubInformer(FeedInventory),
  } as unknown as Readonly<Record<FleetKey, StubInformer<never>>>;
}
