// The only place that knows Cluster API's field paths. Pure. Versions v1beta2 (current) and v1beta1 (still served by many).

import type { KubeObject, ResourceType } from "#api/meta.ts";

export interface CapiCluster extends KubeObject {
  readonly spec?: { readonly paused?: boolean };
  readonly status?: {
    /** v1beta2 */
    readonly initialization?: { readonly controlPlaneInitialized?: boolean };
    /** v1beta1 */
    readonly controlPlaneReady?: boolean;
  };
}

const GROUP = "cluster.x-k8s.io";
/** Newest first: the first that the server has is used. */
export const CONTRACT_VERSIONS = ["v1beta2", "v1beta1"] as const;
export const CLUSTER_KIND = "Cluster";

export function apiVersionFor(version: (typeof CONTRACT_VERSIONS)[number]): string {
  return `${GROUP}/${version}`;
}

/** For permissions: every version's Clusters are the same resource. */
export const CLUSTERS: Pick<ResourceType, "group" | "plural"> = { group: GROUP, plural: "clusters" };

/** The control plane answers: from now on there is something to install into. */
export function isControlPlaneReady({ status }: CapiCluster): boolean {
  return status?.initialization?.controlPlaneInitialized === true || status?.controlPlaneReady === true;
}

/** Its owner asked that nobody touches it or what belongs to it, as while it moves to another management cluster. */
export function isPaused({ spec, metadata }: CapiCluster): boolean {
  return spec?.paused === true || metadata.annotations?.["cluster.x-k8s.io/paused"] !== undefined;
}

export function isBeingDeleted({ metadata }: CapiCluster): boolean {
  return metadata.deletionTimestamp !== undefined;
}

/** Cluster API keeps an administrator's kubeconfig of each workload cluster in this Secret, beside the Cluster. */
export function kubeconfigSecretName(clusterName: string): string {
  return `${clusterName}-kubeconfig`;
}

export const KUBECONFIG_SECRET_KEY = "value";

/** Labels that say something about the cluster itself; those of Cluster API and Kubernetes are machinery. */
export function meaningfulLabels({ metadata }: CapiCluster): Readonly<Record<string, string>> {
  const isMachinery = (key: string): boolean => /(^|\.)(x-k8s\.io|k8s\.io|kubernetes\.io|clusternet\.io)\//.test(key);
  return Object.fromEntries(Object.entries(metadata.labels ?? {}).filter(([key]) => !isMachinery(key)));
}
