// The built-in kinds we use: where they live, and the fields we read. Fields not listed here survive all the same.

import type { Condition, KubeObject, LabelSelector, ObjectKey, ResourceType } from "#api/meta.ts";

type Labels = Readonly<Record<string, string>>;
type Place = Omit<ResourceType, "scope" | "object">;

function namespaced<T extends KubeObject>(place: Place): ResourceType<T> {
  return { ...place, scope: "Namespaced" };
}

function clusterScoped<T extends KubeObject>(place: Place): ResourceType<T> {
  return { ...place, scope: "Cluster" };
}

export interface Namespace extends KubeObject {
  readonly status?: { readonly phase?: "Active" | "Terminating" };
}
export const Namespace = clusterScoped<Namespace>({ group: "", version: "v1", kind: "Namespace", plural: "namespaces" });

export interface Secret extends KubeObject {
  readonly type?: string;
  /** Base64. */
  readonly data?: Labels;
  readonly stringData?: Labels;
  readonly immutable?: boolean;
}
export const Secret = namespaced<Secret>({ group: "", version: "v1", kind: "Secret", plural: "secrets" });

export interface ConfigMap extends KubeObject {
  readonly data?: Labels;
  readonly binaryData?: Labels;
  readonly immutable?: boolean;
}
export const ConfigMap = namespaced<ConfigMap>({ group: "", version: "v1", kind: "ConfigMap", plural: "configmaps" });

export interface ServiceAccount extends KubeObject {
  readonly secrets?: readonly { readonly name?: string }[];
  readonly automountServiceAccountToken?: boolean;
}
export const ServiceAccount = namespaced<ServiceAccount>({
  group: "",
  version: "v1",
  kind: "ServiceAccount",
  plural: "serviceaccounts",
});

export interface ServicePort {
  readonly name?: string;
  readonly port: number;
  readonly protocol?: string;
  readonly targetPort?: number | string;
  readonly nodePort?: number;
}
export interface Service extends KubeObject {
  readonly spec?: {
    readonly type?: string;
    readonly clusterIP?: string;
    readonly selector?: Labels;
    readonly ports?: readonly ServicePort[];
  };
}
export const Service = namespaced<Service>({ group: "", version: "v1", kind: "Service", plural: "services" });

/** Of `core/v1`: unlike metav1.Condition, reason and message may be absent. */
export interface SimpleCondition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

/** Quantities as text, for example `250m` or `64Mi`. */
export type ResourceList = Readonly<Record<string, string>>;

export interface Container {
  readonly name: string;
  readonly image?: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: Readonly<Record<string, unknown>>;
  }[];
  readonly resources?: { readonly requests?: ResourceList; readonly limits?: ResourceList };
  readonly [field: string]: unknown;
}
export interface PodSpec {
  readonly nodeName?: string;
  readonly nodeSelector?: Labels;
  readonly serviceAccountName?: string;
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly overhead?: ResourceList;
  readonly [field: string]: unknown;
}
export interface Pod extends KubeObject {
  readonly spec: PodSpec;
  readonly status?: {
    readonly phase?: "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";
    readonly podIP?: string;
    readonly hostIP?: string;
    readonly conditions?: readonly SimpleCondition[];
    readonly containerStatuses?: readonly { readonly name: string; readonly ready: boolean; readonly restartCount: number }[];
  };
}
export const Pod = namespaced<Pod>({ group: "", version: "v1", kind: "Pod", plural: "pods" });

export interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
  readonly timeAdded?: string;
}
export interface Node extends KubeObject {
  readonly spec?: { readonly unschedulable?: boolean; readonly taints?: readonly Taint[]; readonly podCIDR?: string };
  readonly status?: {
    readonly capacity?: ResourceList;
    readonly allocatable?: ResourceList;
    readonly conditions?: readonly SimpleCondition[];
    readonly addresses?: readonly { readonly type: string; readonly address: string }[];
    readonly nodeInfo?: Readonly<Record<string, string>>;
  };
}
export const Node = clusterScoped<Node>({ group: "", version: "v1", kind: "Node", plural: "nodes" });

export interface ObjectReference {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
}
export interface Event extends KubeObject {
  readonly involvedObject: ObjectReference;
  readonly type?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly count?: number;
  readonly firstTimestamp?: string | null;
  readonly lastTimestamp?: string | null;
  readonly source?: { readonly component?: string; readonly host?: string };
  readonly reportingComponent?: string;
  readonly reportingInstance?: string;
}
export const Event = namespaced<Event>({ group: "", version: "v1", kind: "Event", plural: "events" });

interface PodTemplate {
  readonly metadata?: { readonly labels?: Labels; readonly annotations?: Labels };
  readonly spec?: PodSpec;
}
export interface Deployment extends KubeObject {
  readonly spec?: { readonly replicas?: number; readonly selector?: LabelSelector; readonly template?: PodTemplate };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly readyReplicas?: number;
    readonly availableReplicas?: number;
    readonly unavailableReplicas?: number;
    readonly conditions?: readonly SimpleCondition[];
  };
}
export const Deployment = namespaced<Deployment>({ group: "apps", version: "v1", kind: "Deployment", plural: "deployments" });

export interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string | null;
    readonly leaseDurationSeconds?: number | null;
    /** MicroTime: RFC 3339 with exactly six digits of a second. */
    readonly acquireTime?: string | null;
    readonly renewTime?: string | null;
    readonly leaseTransitions?: number | null;
  };
}
export const Lease = namespaced<Lease>({ group: "coordination.k8s.io", version: "v1", kind: "Lease", plural: "leases" });

export interface EndpointSlice extends KubeObject {
  readonly addressType: "IPv4" | "IPv6" | "FQDN";
  readonly endpoints?: readonly {
    readonly addresses: readonly string[];
    readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean };
    readonly targetRef?: ObjectReference;
    readonly nodeName?: string;
  }[];
  readonly ports?: readonly { readonly name?: string; readonly port?: number; readonly protocol?: string }[];
}
export const EndpointSlice = namespaced<EndpointSlice>({
  group: "discovery.k8s.io",
  version: "v1",
  kind: "EndpointSlice",
  plural: "endpointslices",
});

const RBAC = { group: "rbac.authorization.k8s.io", version: "v1" } as const;

export interface RbacRule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}
export interface RoleRef {
  readonly apiGroup: string;
  readonly kind: "Role" | "ClusterRole";
  readonly name: string;
}
export interface Subject extends ObjectKey {
  readonly kind: "User" | "Group" | "ServiceAccount";
  readonly apiGroup?: string;
}
export interface Role extends KubeObject {
  readonly rules?: readonly RbacRule[];
}
export interface RoleBinding extends KubeObject {
  readonly roleRef: RoleRef;
  readonly subjects?: readonly Subject[];
}
export interface ClusterRole extends Role {
  readonly aggregationRule?: { readonly clusterRoleSelectors?: readonly LabelSelector[] };
}
export type ClusterRoleBinding = RoleBinding;
export const Role = namespaced<Role>({ ...RBAC, kind: "Role", plural: "roles" });
export const RoleBinding = namespaced<RoleBinding>({ ...RBAC, kind: "RoleBinding", plural: "rolebindings" });
export const ClusterRole = clusterScoped<ClusterRole>({ ...RBAC, kind: "ClusterRole", plural: "clusterroles" });
export const ClusterRoleBinding = clusterScoped<ClusterRoleBinding>({
  ...RBAC,
  kind: "ClusterRoleBinding",
  plural: "clusterrolebindings",
});

export interface APIService extends KubeObject {
  readonly spec?: {
    readonly group?: string;
    readonly version?: string;
    readonly service?: { readonly namespace?: string; readonly name?: string; readonly port?: number };
    /** Base64 of PEM. */
    readonly caBundle?: string;
    readonly insecureSkipTLSVerify?: boolean;
    readonly groupPriorityMinimum?: number;
    readonly versionPriority?: number;
  };
  readonly status?: { readonly conditions?: readonly SimpleCondition[] };
}
export const APIService = clusterScoped<APIService>({
  group: "apiregistration.k8s.io",
  version: "v1",
  kind: "APIService",
  plural: "apiservices",
});

export interface CustomResourceDefinition extends KubeObject {
  readonly spec: {
    readonly group: string;
    readonly scope: "Namespaced" | "Cluster";
    readonly names: { readonly kind: string; readonly plural: string; readonly [name: string]: unknown };
    readonly versions: readonly {
      readonly name: string;
      readonly served: boolean;
      readonly storage: boolean;
      readonly [field: string]: unknown;
    }[];
    readonly [field: string]: unknown;
  };
  readonly status?: { readonly conditions?: readonly SimpleCondition[] };
}
export const CustomResourceDefinition = clusterScoped<CustomResourceDefinition>({
  group: "apiextensions.k8s.io",
  version: "v1",
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
});

/** Reviews are answered, never stored: their metadata is an empty name. */
export interface SubjectAccessReview extends KubeObject {
  readonly spec: {
    readonly user?: string;
    readonly uid?: string;
    readonly groups?: readonly string[];
    readonly extra?: Readonly<Record<string, readonly string[]>>;
    readonly resourceAttributes?: {
      readonly namespace?: string;
      readonly verb?: string;
      readonly group?: string;
      readonly version?: string;
      readonly resource?: string;
      readonly subresource?: string;
      readonly name?: string;
    };
    readonly nonResourceAttributes?: { readonly path?: string; readonly verb?: string };
  };
  readonly status?: {
    readonly allowed: boolean;
    readonly denied?: boolean;
    readonly reason?: string;
    readonly evaluationError?: string;
  };
}
export const SubjectAccessReview = clusterScoped<SubjectAccessReview>({
  group: "authorization.k8s.io",
  version: "v1",
  kind: "SubjectAccessReview",
  plural: "subjectaccessreviews",
});

export interface TokenReview extends KubeObject {
  readonly spec: { readonly token?: string; readonly audiences?: readonly string[] };
  readonly status?: {
    readonly authenticated?: boolean;
    readonly user?: {
      readonly username?: string;
      readonly uid?: string;
      readonly groups?: readonly string[];
      readonly extra?: Readonly<Record<string, readonly string[]>>;
    };
    readonly audiences?: readonly string[];
    readonly error?: string;
  };
}
export const TokenReview = clusterScoped<TokenReview>({
  group: "authentication.k8s.io",
  version: "v1",
  kind: "TokenReview",
  plural: "tokenreviews",
});

const ADMISSION = { group: "admissionregistration.k8s.io", version: "v1" } as const;

export interface ValidatingAdmissionPolicy extends KubeObject {
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: { readonly observedGeneration?: number; readonly conditions?: readonly Condition[] };
}
export type ValidatingAdmissionPolicyBinding = ValidatingAdmissionPolicy;
export const ValidatingAdmissionPolicy = clusterScoped<ValidatingAdmissionPolicy>({
  ...ADMISSION,
  kind: "ValidatingAdmissionPolicy",
  plural: "validatingadmissionpolicies",
});
export const ValidatingAdmissionPolicyBinding = clusterScoped<ValidatingAdmissionPolicyBinding>({
  ...ADMISSION,
  kind: "ValidatingAdmissionPolicyBinding",
  plural: "validatingadmissionpolicybindings",
});
