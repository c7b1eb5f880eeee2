// Which Bases a Subscription needs, and which have to go. Pure.

import { specHash } from "#api/apps/v1alpha1/spec-hash.ts";
import { Base, type Share } from "#api/apps/v1alpha1/base.ts";
import { feedKey, type Feed } from "#api/apps/v1alpha1/feed.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { annotations, finalizers } from "#api/names.ts";
import { baseLabels, baseName } from "#delivery/names.ts";
import { withPolicy } from "#delivery/policy.ts";
import { sharesAt } from "#delivery/share.ts";
import { deepEqual } from "#std/canonical-json.ts";

export type BaseAction =
  | { readonly type: "create"; readonly base: Base; readonly reason: string }
  | { readonly type: "update"; readonly base: Base; readonly current: Base; readonly reason: string }
  | { readonly type: "delete"; readonly base: Base; readonly reason: string };

export interface World {
  /** Bases that were made for this Subscription, anywhere. */
  readonly bases: readonly Base[];
  /** Any Base by `namespace/name`. */
  base(key: string): Base | undefined;
  /** What is taken along to the cluster of a namespace, besides the feeds. */
  followed(namespace: string, current: Base | undefined): readonly Feed[];
  /** JSON pointer of the field with the replicas of a divided feed; undefined: nobody knows. */
  replicasPath(feed: Feed): string | undefined;
  /** A ManagedCluster by `namespace/name`. */
  cluster(key: string): ManagedCluster | undefined;
}

/**
 * (SUB-1) A Base goes only because its Subscription is being deleted, or because the scheduler decided on this very spec and left the
 *         cluster out. A status that is missing or old removes nothing.
 * (SUB-2) A cluster that is gone or going gets nothing new.
 * (SUB-4) A Base of a divided Subscription says from its first moment how many replicas its cluster gets: nobody gets all of them
 *         because the scheduler has not divided yet.
 */
export function planBases(subscription: Subscription, world: World): readonly BaseAction[] {
  if (subscription.metadata.deletionTimestamp !== undefined)
    return world.bases.filter(isLive).map(toDelete(subscription, "the Subscription is being deleted"));
  if (!isDecided(subscription)) return [];
  const bound = subscription.status?.bindingClusters ?? [];
  const namespaces = new Set(bound.map(namespaceOfBinding));
  const stale = world.bases.filter((base) => isLive(base) && !namespaces.has(base.metadata.namespace ?? ""));
  return [
    ...bound.flatMap((binding, index) => planOne(subscription, { binding, index }, world)),
    ...stale.map(toDelete(subscription, "no longer bound")),
  ];
}

/** The scheduler has looked at the spec as it is now. */
function isDecided({ spec, status }: Subscription): boolean {
  if (status?.bindingClusters === undefined || status.specHash !== specHash(spec)) return false;
  const count = status.bindingClusters.length;
  return spec.schedulingStrategy !== "Dividing" || spec.feeds.every((feed) => isDivided(status.replicas?.[feedKey(feed)], count));
}

/** One number per cluster, or none at all for what cannot be divided. */
function isDivided(replicas: readonly number[] | undefined, clusters: number): boolean {
  return replicas !== undefined && (replicas.length === 0 || replicas.length === clusters);
}

interface Binding {
  readonly binding: string;
  readonly index: number;
}

function planOne(subscription: Subscription, { binding, index }: Binding, world: World): readonly BaseAction[] {
  const cluster = world.cluster(binding);
  if (cluster === undefined || cluster.metadata.deletionTimestamp !== undefined) return [];
  const namespace = namespaceOfBinding(binding);
  const name = baseName(subscription.metadata);
  // One that upstream made has a random name; it is taken over, so that its objects stay where they are.
  const current = world.base(`${namespace}/${name}`) ?? world.bases.find((other) => other.metadata.namespace === namespace);
  const isInit = subscription.metadata.annotations?.[annotations.defaultClusterInit];
  const base: Base = {
    apiVersion: Base.apiVersion,
    kind: Base.kind,
    metadata: {
      namespace,
      name,
      labels: baseLabels(subscription, cluster),
      finalizers: [finalizers.apps],
      ...(isInit === undefined ? {} : { annotations: { [annotations.defaultClusterInit]: isInit } }),
    },
    spec: {
      feeds: [...subscription.spec.feeds, ...world.followed(namespace, current)],
      ...withShares(subscription, index, world),
      ...withPolicy(subscription.spec.delivery),
    },
  };
  if (current === undefined) return [{ type: "create", base, reason: "bound by the scheduler" }];
  if (!isLive(current)) return [];
  const reason = difference(current, base);
  return reason === undefined ? [] : [{ type: "update", base, current, reason }];
}

function withShares(subscription: Subscription, index: number, world: World): Pick<Base["spec"], "shares"> {
  const paths = new Map(subscription.spec.feeds.map((feed) => [feedKey(feed), world.replicasPath(feed)]));
  const shares = sharesAt(subscription, index).map((share): Share => {
    const path = paths.get(share.feed);
    return path === undefined ? share : { ...share, path };
  });
  return shares.length === 0 ? {} : { shares };
}

function difference(current: Base, base: Base): string | undefined {
  if (!deepEqual(current.spec.feeds, base.spec.feeds)) return "feeds changed";
  if (!deepEqual(current.spec.shares, base.spec.shares)) return "replicas changed";
  if (!deepEqual(current.spec.delivery, base.spec.delivery)) return "delivery policy changed";
  const has = current.metadata.labels ?? {};
  if (Object.entries(base.metadata.labels ?? {}).some(([key, value]) => has[key] !== value)) return "labels changed";
  return current.metadata.finalizers?.includes(finalizers.apps) === true ? undefined : "finalizer is missing";
}

/** (SUB-3) A policy that was changed together with the deletion is handed on first: it may say that the objects stay. */
function toDelete({ spec: { delivery } }: Subscription, reason: string): (base: Base) => BaseAction {
  return (current) => {
    if (deepEqual(current.spec.delivery, delivery)) return { type: "delete", base: current, reason };
    const { delivery: _old, ...rest } = current.spec;
    const base = { ...current, spec: { ...rest, ...withPolicy(delivery) } };
    return { type: "update", base, current, reason: "delivery policy changed" };
  };
}

function isLive({ metadata }: Base): boolean {
  return metadata.deletionTimestamp === undefined;
}

function namespaceOfBinding(binding: string): string {
  return binding.split("/", 1)[0] ?? "";
}
