// What the controllers of registration, lifecycle and removal may do on the parent, as data. permissions.ts of the component adds them.
// Whoever creates a role must hold what it grants: the rules for a child's own identity are here for that reason.

import { groups } from "#api/names.ts";
import type { PolicyRule } from "#api/rbac.ts";

const RBAC = "rbac.authorization.k8s.io";

export const clusterControllerRules: readonly PolicyRule[] = [
  { apiGroups: [groups.clusters], resources: ["clusterregistrationrequests"], verbs: ["get", "list", "watch", "delete"] },
  { apiGroups: [groups.clusters], resources: ["clusterregistrationrequests/status"], verbs: ["get", "update", "patch"] },
  {
    apiGroups: [groups.clusters],
    resources: ["managedclusters"],
    verbs: ["get", "list", "watch", "create", "update", "patch", "delete"],
  },
  { apiGroups: [groups.clusters], resources: ["managedclusters/status"], verbs: ["get", "update", "patch"] },
  // No update and no patch: it can neither mark a namespace as a child's nor unmark one (see install/admission.ts).
  { apiGroups: [""], resources: ["namespaces"], verbs: ["get", "list", "watch", "create", "delete"] },
  { apiGroups: [""], resources: ["serviceaccounts"], verbs: ["get", "list", "watch", "create", "update", "patch", "delete"] },
  // An admission policy limits it to accounts of dedicated namespaces.
  { apiGroups: [""], resources: ["serviceaccounts/token"], verbs: ["create"] },
  { apiGroups: [""], resources: ["events"], verbs: ["create", "patch"] },
  {
    apiGroups: [RBAC],
    resources: ["roles", "rolebindings", "clusterroles", "clusterrolebindings"],
    verbs: ["get", "list", "watch", "create", "update", "patch", "delete"],
  },
  // Granted to children, so held:
  {
    apiGroups: [groups.apps],
    resources: ["bases", "descriptions", "helmreleases", "helmcharts"],
    verbs: ["get", "list", "watch", "patch", "delete"],
  },
  {
    apiGroups: [groups.apps],
    resources: ["descriptions/status", "helmreleases/status"],
    verbs: ["get", "update", "patch"],
  },
  { apiGroups: [groups.proxies], resources: ["sockets/attach"], verbs: ["get", "create"] },
];

/** Join grants, in the system namespace. */
export const clusterControllerNamespaceRules: readonly PolicyRule[] = [
  { apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list", "watch", "update", "patch"] },
];

/** Only with `--upstream-agents`: long-lived tokens live in Secrets. */
export const upstreamAgentRules: readonly PolicyRule[] = [
  { apiGroups: [""], resources: ["secrets"], verbs: ["get", "create"] },
  // Upstream's tunnel; granted to children, so held.
  { apiGroups: [groups.proxies], resources: ["sockets"], verbs: ["get"] },
];
