// What the scheduler may do on the parent, as data: read clusters, Subscriptions, their FeedInventories and Bases, write a Subscription's status, nothing else.

import { groups, leases } from "#api/names.ts";
import type { ComponentPermissions } from "#api/rbac.ts";

export const SchedulerPermissions: ComponentPermissions = {
  clusterRules: [
    { apiGroups: [groups.apps], resources: ["subscriptions"], verbs: ["get", "list", "watch"] },
    { apiGroups: [groups.apps], resources: ["subscriptions/status"], verbs: ["patch"] },
    { apiGroups: [groups.apps], resources: ["bases"], verbs: ["list"] },
    { apiGroups: [groups.apps], resources: ["feedinventories"], verbs: ["get", "list", "watch"] },
    { apiGroups: [groups.clusters], resources: ["managedclusters"], verbs: ["get", "list", "watch"] },
    // To ask the agents for capacity, through the tunnels; a child lets this account in nowhere else.
    { apiGroups: [groups.proxies], resources: ["sockets/proxy"], verbs: ["create"] },
    { apiGroups: [""], resources: ["events"], verbs: ["create", "patch"] },
  ],
  namespaceRules: [
    // A name cannot be checked on create, and there is only one Lease to create.
    { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["create"] },
    {
      apiGroups: ["coordination.k8s.io"],
      resources: ["leases"],
      resourceNames: [leases.scheduler],
      verbs: ["get", "update", "patch"],
    },
  ],
};
