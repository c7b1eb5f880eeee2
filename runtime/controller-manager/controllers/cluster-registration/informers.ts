// What the registration of children watches on the parent, beside the ManagedClusters: requests, join grants, and every object that an
// approved child must have. Only objects that belong to children are cached.

import { ClusterRegistrationRequest } from "#api/clusters/v1beta1/cluster-registration-request.ts";
import { annotations, labels } from "#api/names.ts";
import type { KubeObject, ResourceType } from "#api/meta.ts";
import { ClusterRole, ClusterRoleBinding, ConfigMap, Namespace, Role, RoleBinding, ServiceAccount } from "#kube/builtin-kinds.ts";
import { createInformer, type Informer } from "#kube/informer.ts";
import type { Client } from "#kube/client.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { Metrics } from "#std/metrics.ts";

/** Indexes of requests. */
export const BY_CLUSTER_ID = "clusterId";
export const BY_CREATOR = "creator";

/** Who made the request, as an admission policy guarantees; empty when it does not say. */
export function creatorOf({ metadata }: ClusterRegistrationRequest): string {
  return metadata.annotations?.[annotations.requestedBy] ?? "";
}

export interface RegistrationInformers {
  readonly requests: Informer<ClusterRegistrationRequest>;
  /** ConfigMaps of the system namespace with the join-grant label. */
  readonly grants: Informer<ConfigMap>;
  readonly namespaces: Informer<Namespace>;
  readonly accounts: Informer<ServiceAccount>;
  readonly roles: Informer<Role>;
  readonly roleBindings: Informer<RoleBinding>;
  readonly clusterRoles: Informer<ClusterRole>;
  readonly clusterRoleBindings: Informer<ClusterRoleBinding>;
}

export interface RegistrationInformersOptions {
  readonly systemNamespace: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: Metrics;
}

export function createRegistrationInformers(
  client: Client,
  { systemNamespace, ...options }: RegistrationInformersOptions,
): RegistrationInformers {
  const ofChildren = <T extends KubeObject>(type: ResourceType<T>): Informer<T> =>
    createInformer(client, type, { ...options, labelSelector: labels.clusterId });
  return {
    requests: createInformer(client, ClusterRegistrationRequest, {
      ...options,
      indexes: { [BY_CLUSTER_ID]: ({ spec }) => [spec.clusterId], [BY_CREATOR]: (request) => [creatorOf(request)] },
    }),
    grants: createInformer(client, ConfigMap, {
      ...options,
      namespace: systemNamespace,
      labelSelector: `${labels.joinGrant}=true`,
    }),
    // All of them: one that a program made for a child carries an annotation, which a selector cannot ask for.
    namespaces: createInformer(client, Namespace, options),
    accounts: ofChildren(ServiceAccount),
    roles: ofChildren(Role),
    roleBindings: ofChildren(RoleBinding),
    clusterRoles: ofChildren(ClusterRole),
    clusterRoleBindings: ofChildren(ClusterRoleBinding),
  };
}
