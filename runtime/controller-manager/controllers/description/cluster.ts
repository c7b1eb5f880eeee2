// The cluster that something in a dedicated namespace is for, and which of its changes matter to who delivers. Pure.

import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { KubeObject } from "#api/meta.ts";
import { conditionTypes, labels } from "#api/names.ts";
import { by, type DeliveryInformers } from "#controller-manager/informers.ts";
import { findCondition } from "#kube/conditions.ts";
import type { Change } from "#kube/informer.ts";

export function clusterOf(
  { metadata }: KubeObject,
  { managedClusters }: Pick<DeliveryInformers, "managedClusters">,
): ManagedCluster | undefined {
  const inNamespace = managedClusters.byIndex(by.namespace, metadata.namespace ?? "");
  const name = metadata.labels?.[labels.clusterName];
  return inNamespace.find((cluster) => cluster.metadata.name === name) ?? inNamespace[0];
}

/** Who delivers, or whether the child is heard of; not every heartbeat. */
export function changesDelivery(change: Change<ManagedCluster>): boolean {
  if (change.type !== "updated") return true;
  const { object, previous } = change;
  const readiness = ({ status }: ManagedCluster): string | undefined =>
    findCondition(status?.conditions, conditionTypes.ready)?.status;
  return (
    object.spec.syncMode !== previous.spec.syncMode ||
    object.status?.appPusher !== previous.status?.appPusher ||
    readiness(object) !== readiness(previous)
  );
}
