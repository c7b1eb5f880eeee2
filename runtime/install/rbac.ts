// A component's permissions (data in its permissions.ts) -> its ServiceAccount, roles and bindings. Pure.

import type { ComponentPermissions, PolicyRule } from "#api/rbac.ts";
import type { InstallObject } from "./object.ts";

const RBAC = "rbac.authorization.k8s.io/v1";

export interface Account {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

export function accountObjects(account: Account, permissions: ComponentPermissions): readonly InstallObject[] {
  const { name, namespace, labels } = account;
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace, labels } },
    ...clusterRoleObjects(account, permissions.clusterRules),
    ...roleObjects(account, { namespace, name, rules: permissions.namespaceRules }),
    ...roleObjects(account, { namespace: "kube-system", name, rules: permissions.kubeSystemRules ?? [] }),
  ];
}

/** The colon form is the one of the system these roles come from: `clusternet:hub`. */
function clusterRoleName(accountName: string): string {
  return accountName.replace("-", ":");
}

function clusterRoleObjects(account: Account, rules: readonly PolicyRule[]): readonly InstallObject[] {
  if (rules.length === 0) return [];
  const metadata = { name: clusterRoleName(account.name), labels: account.labels };
  return [
    { apiVersion: RBAC, kind: "ClusterRole", metadata, rules: rules.map(withoutEmptyLists) },
    clusterRoleBinding(account, metadata.name),
  ];
}

export function clusterRoleBinding(account: Account, clusterRole: string, name: string = clusterRole): InstallObject {
  return {
    apiVersion: RBAC,
    kind: "ClusterRoleBinding",
    metadata: { name, labels: account.labels },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: clusterRole },
    subjects: [subjectOf(account)],
  };
}

export function roleObjects(
  account: Account,
  role: { readonly namespace: string; readonly name: string; readonly rules: readonly PolicyRule[] },
): readonly InstallObject[] {
  if (role.rules.length === 0) return [];
  const metadata = { name: role.name, namespace: role.namespace, labels: account.labels };
  return [
    { apiVersion: RBAC, kind: "Role", metadata, rules: role.rules.map(withoutEmptyLists) },
    {
      apiVersion: RBAC,
      kind: "RoleBinding",
      metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: role.name },
      subjects: [subjectOf(account)],
    },
  ];
}

/** A rule for URLs names no groups and resources; an empty list would be dropped by the API server, and then look like drift. */
function withoutEmptyLists(rule: PolicyRule): object {
  return Object.fromEntries(Object.entries(rule).filter(([, value]) => !Array.isArray(value) || value.length > 0));
}

function subjectOf({ name, namespace }: Account): Readonly<Record<string, string>> {
  return { kind: "ServiceAccount", name, namespace };
}
