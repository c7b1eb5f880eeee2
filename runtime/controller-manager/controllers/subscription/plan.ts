// Which Bases a Subscription needs, and which have to go. Pure.

import { specHash } from "#api/apps/v1alpha1/spec-hash.ts";
import { Base } from "#api/apps/v1alpha1/base.ts";
import type { Feed } from "#api/apps/v1alpha1/feed.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { annotations, finalizers } from "#api/names.ts";
import { baseLabels, baseName } from "#delivery/names.ts";
import { withPolicy } from "#delivery/policy.ts";
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
  /** A ManagedCluster by `namespace/name`. */
  cluster(key: string): ManagedCluster | undefined;
}

/**
 * (SUB-1) A Base goes only because its Subscription is being deleted, or because the scheduler decided on this very spec and left the
 *         cluster out. A status that is missing or old removes nothing.
 * (SUB-2) A cluster that is gone or going gets nothing new.
 */
export function planBases(subscription: Subscription, world: World): readonly BaseAction[] {
  if (subscription.metadata.deletionTimestamp !== undefined)
    return world.bases.filter(isLive).map(toDelete(subscription, "the Subscription is being deleted"));
  if (!isDecided(subscription)) return [];
  const bound = subscription.status?.bindingClusters ?? [];
  const namespaces = new Set(bound.map(namespaceOfBinding));
  const stale = world.bases.filter((base) => isLive(base) && !namespaces.has(base.metadata.namespace ?? ""));
  return [
    ...bound.flatMap((binding) => planOne(subscription, binding, world)),
    ...stale.map(toDelete(subscription, "no longer bound")),
  ];
}

/** The scheduler has looked at the spec as it is now. */
function isDecided({ spec, status }: Subscription): boolean {
  return status?.bindingClusters !== undefined && status.specHash === specHash(spec);
}

function planOne(subscription: Subscription, binding: string, world: World): readonly BaseAction[] {
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
      ...withPolicy(subscription.spec.delivery),
    },
  };
  if (current === undefined) return [{ type: "create", base, reason: "bound by the scheduler" }];
  if (!isLive(current)) return [];
  const reason = difference(current, base);
  return reason === undefined ? [] : [{ type: "update", base, current, reason }];
}

function difference(current: Base, base: Base): string | undefined {
  if (!deepEqual(current.spec.feeds, base.spec.feeds)) return "feeds changed";
  if (!deepEqual(current.spec.delivery, base.spec.delivery)) return "delivery policy changed";
  const has = current.metadata.labels ?? {};
  if (Object.entries(base.metadata.labels ?? {}).some(([key, value]) => has[key] !== value)) return "labels changed";
  return current.metadata.finalizers?.includes(finalizers.apps) === true ? undefined : "finalizer is missing";
}

/** (SUB-3) A policy that was changed together with the deletion is handed on first: it may say that the objects stay. */
function toDelete({ spec: { delivery } }: Subscription, reason: string): (base: Base) => BaseAction {
  return (current) => {
    if (deepEqual(current.spec.delivery, delivery)) return { type: "delete", base: current, reason };
    const base = { ...current, spec: { feeds: current.spec.feeds, ...withPolicy(delivery) } };
    return { type: "update", base, current, reason: "delivery policy changed" };
  };
}

function isLive({ metadata }: Base): boolean {
  return metadata.deletionTimestamp === undefined;
}

function namespaceOfBinding(binding: string): string {
  return binding.split("/", 1)[0] ?? "";
}
