// What the scheduler may do on the parent, as data: read clusters, Subscriptions, their FeedInventories and Bases, write a Subscription's status, nothing else.

import { groups, leases } from "#api/names.ts";
import type { ComponentPermissions, PolicyRule } from "#api/rbac.ts";

const clusterRules: readonly PolicyRule[] = [
  { apiGroups: [groups.apps], resources: ["subscriptions"], verbs: ["get", "list", "watch"] },
  { apiGroups: [groups.apps], resources: ["subscriptions/status"], verbs: ["patch"] },
  { apiGroups: [groups.apps], resources: ["bases"], verbs: ["list"] },
  { apiGroups: [groups.apps], resources: ["feedinventories"], verbs: ["get", "list", "watch"] },
  { apiGroups: [groups.clusters], resources: ["managedclusters"], verbs: ["get", "list", "watch"] },
  // To ask the agents for capacity, through the tunnels; a child lets this account in nowhere else.
  { apiGroups: [groups.proxies], resources: ["sockets/proxy"], verbs: ["create"] },
  { apiGroups: [""], resources: ["events"], verbs: ["create", "patch"] },
];

export const SchedulerPermissions = schedulerPermissions(leases.scheduler);

/** Schedulers side by side each lead by a Lease of their own. */
export function schedulerPermissions(leaseName: string): ComponentPermissions {
  return { clusterRules, namespaceRules: leaseRules(leaseName) };
}

function leaseRules(leaseName: string): readonly PolicyRule[] {
  return [
    // A name cannot be checked on create, and there is only one Lease to create.
    { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["create"] },
    {
      apiGroups: ["coordination.k8s.io"],
      resources: ["leases"],
      resourceNames: [leaseName],
      verbs: ["get", "update", "patch"],
    },
  ];
}
