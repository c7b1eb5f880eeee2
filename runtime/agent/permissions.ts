// What the agent and the two accounts that it may speak for may do in the child, as data.
//
// (PER-1) The agent's own account changes nothing in the child but its own Secret, Lease and Events.
// (PER-2) It may request tokens of exactly two accounts: the proxy, which may impersonate, and the deployer, which has the role that the
//         child's administrator chose.

import { leases, secretNames, serviceAccounts } from "#api/names.ts";
import type { ComponentPermissions, PolicyRule } from "#api/rbac.ts";

export const AgentPermissions: ComponentPermissions = {
  clusterRules: [
    { apiGroups: [""], resources: ["nodes"], verbs: ["get", "list", "watch"] },
    // What runs where, and what a namespace may still ask for: the room that is left.
    { apiGroups: [""], resources: ["pods", "resourcequotas"], verbs: ["list", "watch"] },
    // How many volumes a node attaches.
    { apiGroups: ["storage.k8s.io"], resources: ["csinodes", "storageclasses"], verbs: ["list", "watch"] },
    { apiGroups: ["metrics.k8s.io"], resources: ["nodes", "pods"], verbs: ["get", "list"] },
    // Its uid is the cluster's id.
    { apiGroups: [""], resources: ["namespaces"], verbs: ["get"], resourceNames: ["kube-system"] },
    { apiGroups: [], resources: [], verbs: ["get"], nonResourceURLs: ["/version", "/healthz", "/livez", "/readyz"] },
  ],
  namespaceRules: [
    { apiGroups: [""], resources: ["secrets"], verbs: ["get", "update", "patch"], resourceNames: [secretNames.parentCluster] },
    // A create cannot be limited by name.
    { apiGroups: [""], resources: ["secrets"], verbs: ["create"] },
    {
      apiGroups: [""],
      resources: ["serviceaccounts/token"],
      verbs: ["create"],
      resourceNames: [serviceAccounts.proxy, serviceAccounts.appDeployer],
    },
    {
      apiGroups: ["coordination.k8s.io"],
      resources: ["leases"],
      verbs: ["get", "update", "patch"],
      resourceNames: [leases.agent],
    },
    { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["create"] },
    { apiGroups: [""], resources: ["events"], verbs: ["create", "patch"] },
  ],
  // Flags of the control plane's pods say which address ranges the cluster uses.
  kubeSystemRules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get", "list"] }],
};

/** Callers keep their own identity in the child: the proxy account impersonates them. Whom it may not, access-policy.ts decides. */
export const ProxyPermissions: ComponentPermissions = {
  clusterRules: [
    { apiGroups: [""], resources: ["users", "groups", "serviceaccounts"], verbs: ["impersonate"] },
    // RBAC has no wildcard for `userextras/<key>`: only the whole group, which holds uids and extras, covers every key.
    { apiGroups: ["authentication.k8s.io"], resources: ["*"], verbs: ["impersonate"] },
  ],
  namespaceRules: [],
};

/**
 * The default role of the deployer, for a child whose administrator chose no other: workloads and what they need, in every namespace;
 * no RBAC, no admission, no nodes.
 */
export const appDeployerClusterRole: { readonly rules: readonly PolicyRule[] } = {
  rules: [
    {
      apiGroups: [""],
      resources: [
        "configmaps",
        "endpoints",
        "limitranges",
        "namespaces",
        "persistentvolumeclaims",
        "pods",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "serviceaccounts",
        "services",
      ],
      verbs: ["*"],
    },
    {
      apiGroups: ["apps", "autoscaling", "batch", "networking.k8s.io", "policy", "discovery.k8s.io"],
      resources: ["*"],
      verbs: ["*"],
    },
    { apiGroups: [""], resources: ["events"], verbs: ["create", "patch"] },
  ],
};
