// What the controller-manager may do on the parent, as data. Not cluster-admin: it handles our own kinds and, for the identities of
// children, accounts and roles within what it holds itself. It reads no Secret; in a child it is what that child makes of it.

import {
  clusterControllerNamespaceRules,
  clusterControllerRules,
} from "#controller-manager/controllers/cluster-registration/permissions.ts";
import { groups, leases } from "#api/names.ts";
import type { ComponentPermissions, PolicyRule } from "#api/rbac.ts";

/** Subscription to Description, overrides and templates. */
const deliveryRules: readonly PolicyRule[] = [
  { apiGroups: [groups.apps], resources: ["subscriptions"], verbs: ["get", "list", "watch", "patch"] },
  {
    apiGroups: [groups.apps],
    resources: ["subscriptions/status", "bases/status", "descriptions/status", "helmreleases/status", "helmcharts/status"],
    verbs: ["patch"],
  },
  {
    apiGroups: [groups.apps],
    resources: ["bases", "descriptions", "helmreleases"],
    verbs: ["get", "list", "watch", "create", "patch", "delete"],
  },
  // patch: the finalizer and the message of feed protection.
  { apiGroups: [groups.apps], resources: ["manifests", "helmcharts"], verbs: ["get", "list", "watch", "patch"] },
  {
    apiGroups: [groups.apps],
    resources: ["feedinventories"],
    verbs: ["get", "list", "watch", "create", "patch", "delete"],
  },
  { apiGroups: [groups.apps], resources: ["globalizations", "localizations"], verbs: ["get", "list", "watch"] },
  { apiGroups: [groups.apps], resources: ["globalizations/status", "localizations/status"], verbs: ["patch"] },
];

/** Push: a request into a child, which decides for itself whether and as whom it answers. */
const pushRules: readonly PolicyRule[] = [
  { apiGroups: [groups.proxies], resources: ["sockets/proxy"], verbs: ["get", "create", "update", "patch", "delete"] },
];

export const ControllerManagerPermissions: ComponentPermissions = {
  clusterRules: [...deliveryRules, ...pushRules, ...clusterControllerRules],
  namespaceRules: [
    // A name cannot be checked on create, and there is only one Lease to create.
    { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["create"] },
    {
      apiGroups: ["coordination.k8s.io"],
      resources: ["leases"],
      resourceNames: [leases.controllerManager],
      verbs: ["get", "update", "patch"],
    },
    ...clusterControllerNamespaceRules,
  ],
};
