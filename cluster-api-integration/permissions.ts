// What the integration may do on the parent, as data. In a workload cluster it uses the kubeconfig that Cluster API keeps for it.

import { groups, leases } from "#api/names.ts";
import type { ComponentPermissions, PolicyRule } from "#api/rbac.ts";
import { CLUSTERS } from "./contract.ts";

export const IntegrationPermissions: ComponentPermissions = {
  clusterRules: [
    // The finalizer on a Cluster is why an agent is always removed before its cluster.
    { apiGroups: [CLUSTERS.group], resources: [CLUSTERS.plural], verbs: ["get", "list", "watch", "patch"] },
    // Cluster API keeps <cluster>-kubeconfig beside each Cluster, in any namespace; RBAC cannot match the end of a name.
    { apiGroups: [""], resources: ["secrets"], verbs: ["get"] },
    { apiGroups: [""], resources: ["namespaces"], verbs: ["get", "create", "delete"] },
    { apiGroups: [groups.clusters], resources: ["managedclusters"], verbs: ["get", "list", "watch"] },
    { apiGroups: [""], resources: ["events"], verbs: ["create", "patch"] },
  ],
  namespaceRules: [
    { apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list", "watch", "create", "update", "patch", "delete"] },
    {
      apiGroups: ["coordination.k8s.io"],
      resources: ["leases"],
      verbs: ["get", "update", "patch"],
      resourceNames: [leases.clusterApiIntegration],
    },
    { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["create"] },
  ],
};

/** In the namespace of the accounts that agents ask to join with. */
export const joiningNamespaceRules: readonly PolicyRule[] = [
  { apiGroups: [""], resources: ["serviceaccounts"], verbs: ["get", "create", "delete"] },
  { apiGroups: [""], resources: ["serviceaccounts/token"], verbs: ["create"] },
];
