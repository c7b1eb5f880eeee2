// An approved child -> the objects that it must have on the parent. Pure; names are deterministic, so a stale cache cannot create twins.

import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { registrationRequestName } from "#api/clusters/v1beta1/cluster-name.ts";
import { apiVersionOf, type ObjectMeta } from "#api/meta.ts";
import {
  annotations,
  bootstrappingValues,
  createdByValues,
  finalizers,
  groups,
  labels,
  roles,
  serviceAccounts,
} from "#api/names.ts";
import type {
  ClusterRole,
  ClusterRoleBinding,
  Namespace,
  RbacRule,
  Role,
  RoleBinding,
  ServiceAccount,
} from "#kube/builtin-kinds.ts";
import { canonicalJson } from "#std/canonical-json.ts";
import type { ApprovedChild } from "./plan.ts";

const RBAC_API_VERSION = "rbac.authorization.k8s.io/v1";
const RBAC_GROUP = "rbac.authorization.k8s.io";

export function childNamespace(child: ApprovedChild): Namespace {
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: {
      name: child.namespace,
      labels: ownLabels(child),
      // Tokens can be made only in namespaces with this annotation (install/admission.ts).
      annotations: { [annotations.reservedFor]: child.originalName ?? child.clusterName },
    },
  };
}

export function childAccount(child: ApprovedChild): ServiceAccount {
  return {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: serviceAccounts.agent, namespace: child.namespace, labels: ownLabels(child) },
    automountServiceAccountToken: false,
  };
}

/** (CHI-1) In its own namespace a child reads what it must deliver, and writes status, Events and its own token. */
export function childRole(child: ApprovedChild, { upstreamAgents }: { readonly upstreamAgents: boolean }): Role {
  return {
    apiVersion: RBAC_API_VERSION,
    kind: "Role",
    metadata: rbacMetadata(child, { name: roles.child, namespace: child.namespace }),
    rules: child.keyFingerprint === undefined && upstreamAgents ? upstreamRules() : childRules(child),
  };
}

function childRules({ clusterName }: ApprovedChild): readonly RbacRule[] {
  const read = ["get", "list", "watch"];
  const delivered = ["descriptions", "helmreleases"];
  return [
    // Its name limits list and watch too: an agent asks with the field selector metadata.name.
    { apiGroups: [groups.clusters], resources: ["managedclusters"], verbs: read, resourceNames: [clusterName] },
    {
      apiGroups: [groups.clusters],
      resources: ["managedclusters/status"],
      verbs: ["patch", "update"],
      resourceNames: [clusterName],
    },
    { apiGroups: [groups.apps], resources: [...delivered, "helmcharts"], verbs: read },
    { apiGroups: [groups.apps], resources: delivered.map((plural) => `${plural}/status`), verbs: ["patch", "update"] },
    { apiGroups: [""], resources: ["events"], verbs: ["create", "patch"] },
    { apiGroups: [""], resources: ["serviceaccounts/token"], verbs: ["create"], resourceNames: [serviceAccounts.agent] },
  ];
}

/** What an upstream agent writes in its namespace; still no `*`, which would be Pods on the parent. */
function upstreamRules(): readonly RbacRule[] {
  return [
    {
      apiGroups: [groups.apps],
      resources: ["descriptions", "helmreleases", "helmcharts", "bases"],
      verbs: ["get", "list", "watch", "patch"],
    },
    { apiGroups: [groups.apps], resources: ["descriptions/status", "helmreleases/status"], verbs: ["get", "patch", "update"] },
    { apiGroups: [groups.clusters], resources: ["managedclusters"], verbs: ["get", "list", "watch", "patch"] },
    { apiGroups: [groups.clusters], resources: ["managedclusters/status"], verbs: ["get", "patch", "update"] },
    { apiGroups: [""], resources: ["events"], verbs: ["create", "patch"] },
  ];
}

export function childRoleBinding(child: ApprovedChild): RoleBinding {
  return {
    apiVersion: RBAC_API_VERSION,
    kind: "RoleBinding",
    metadata: rbacMetadata(child, { name: roles.child, namespace: child.namespace }),
    roleRef: { apiGroup: RBAC_GROUP, kind: "Role", name: roles.child },
    subjects: [accountSubject(child)],
  };
}

/** (CHI-2) Outside of its namespace a child reaches its own tunnel and its own request, by name. */
export function childClusterRole(child: ApprovedChild): ClusterRole {
  const { clusterId, keyFingerprint } = child;
  const requests = [
    registrationRequestName(clusterId),
    ...(keyFingerprint === undefined ? [] : [registrationRequestName(clusterId, keyFingerprint)]),
  ];
  return {
    apiVersion: RBAC_API_VERSION,
    kind: "ClusterRole",
    metadata: rbacMetadata(child, { name: clusterRoleName(clusterId) }),
    rules: [
      { apiGroups: [groups.proxies], resources: ["sockets/attach"], verbs: ["get", "create"], resourceNames: [clusterId] },
      ...(keyFingerprint === undefined
        ? [{ apiGroups: [groups.proxies], resources: ["sockets"], verbs: ["get"], resourceNames: [clusterId] }]
        : []),
      { apiGroups: [groups.clusters], resources: ["clusterregistrationrequests"], verbs: ["get"], resourceNames: requests },
    ],
  };
}

export function childClusterRoleBinding(child: ApprovedChild): ClusterRoleBinding {
  const name = clusterRoleName(child.clusterId);
  return {
    apiVersion: RBAC_API_VERSION,
    kind: "ClusterRoleBinding",
    metadata: rbacMetadata(child, { name }),
    roleRef: { apiGroup: RBAC_GROUP, kind: "ClusterRole", name },
    subjects: [accountSubject(child)],
  };
}

export function childManagedCluster(child: ApprovedChild): ManagedCluster {
  return {
    apiVersion: apiVersionOf(ManagedCluster),
    kind: ManagedCluster.kind,
    metadata: {
      name: child.clusterName,
      namespace: child.namespace,
      // Ours last: what was granted never overrides them.
      labels: { ...child.labels, ...ownLabels(child) },
      annotations: clusterAnnotations(child),
      finalizers: [finalizers.apps],
    },
    spec: { clusterId: child.clusterId, clusterType: child.clusterType, syncMode: child.syncMode },
  };
}

/** Labels to set, and with null to remove: only labels that an earlier grant set and this one does not. */
export function clusterLabelChanges(
  child: ApprovedChild,
  grantedBefore: Readonly<Record<string, string>>,
): Readonly<Record<string, string | null>> {
  const gone = Object.keys(grantedBefore).filter((key) => !(key in child.labels));
  return { ...Object.fromEntries(gone.map((key) => [key, null])), ...child.labels, ...ownLabels(child) };
}

export function clusterAnnotations(child: ApprovedChild): Readonly<Record<string, string>> {
  return {
    [annotations.grantedLabels]: canonicalJson(child.labels),
    ...(child.keyFingerprint === undefined ? {} : { [annotations.agentKey]: child.keyFingerprint }),
    ...(child.grantName === undefined ? {} : { [annotations.joinGrant]: child.grantName }),
    ...(child.originalName === undefined ? {} : { [annotations.originalName]: child.originalName }),
  };
}

export function clusterRoleName(clusterId: string): string {
  return `${roles.childClusterPrefix}${clusterId}`;
}

function ownLabels({ clusterId, clusterName }: ApprovedChild): Readonly<Record<string, string>> {
  return {
    [labels.createdBy]: createdByValues.agent,
    [labels.clusterId]: clusterId,
    [labels.clusterName]: clusterName,
  };
}

function rbacMetadata(child: ApprovedChild, place: { readonly name: string; readonly namespace?: string }): ObjectMeta {
  return {
    ...place,
    labels: {
      ...ownLabels(child),
      [labels.createdBy]: createdByValues.controllerManager,
      [labels.bootstrapping]: bootstrappingValues.rbac,
    },
    annotations: { [annotations.autoUpdate]: "true" },
  };
}

function accountSubject({ namespace }: ApprovedChild): {
  readonly kind: "ServiceAccount";
  readonly name: string;
  readonly namespace: string;
} {
  return { kind: "ServiceAccount", name: serviceAccounts.agent, namespace };
}
