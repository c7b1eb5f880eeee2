// What a component may do, as data: written in its permissions.ts, made into Roles by install/rbac.ts.

export type Verb =
  | "get"
  | "list"
  | "watch"
  | "create"
  | "update"
  | "patch"
  | "delete"
  | "deletecollection"
  | "impersonate"
  | "bind"
  | "escalate"
  | "approve"
  | "*";

export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly Verb[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

export interface ComponentPermissions {
  /** Everywhere. */
  readonly clusterRules: readonly PolicyRule[];
  /** In the component's own system namespace. */
  readonly namespaceRules: readonly PolicyRule[];
  /** In kube-system. */
  readonly kubeSystemRules?: readonly PolicyRule[];
}
