// Which changed fields replace an object instead of updating it: the official provider's list, with its gaps.

import type { GroupVersionKind } from "./kubernetes-object.ts";

export interface MutableKinds {
  readonly configMaps: boolean;
  readonly secrets: boolean;
}

export function replacingFields({ group, version, kind }: GroupVersionKind, mutable: MutableKinds): readonly string[] {
  if (group === "" && kind === "ConfigMap" && mutable.configMaps) return METADATA;
  if (group === "" && kind === "Secret" && mutable.secrets) return [...METADATA, "type"];
  return [...METADATA, ...(REPLACING[`${group}/${version}/${kind}`] ?? [])];
}

const METADATA = ["metadata.name", "metadata.namespace"];

/** Patch resources own some fields of an object; only its identity is fixed. */
export const PATCH_REPLACING_FIELDS: readonly string[] = METADATA;

// DaemonSet is missing on purpose: the official list spells it "Daemonset", which matches nothing.
const SELECTOR = ["spec.selector"];
const STATEFUL_SET = [
  "spec.podManagementPolicy",
  "spec.revisionHistoryLimit",
  "spec.selector",
  "spec.serviceName",
  "spec.volumeClaimTemplates",
];
const JOB = ["spec.completions", "spec.parallelism", "spec.selector", "spec.template"];
const ROLE_BINDING = ["roleRef"];

const VOLUME_SOURCES =
  "awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker gcePersistentDisk glusterfs hostPath iscsi local nfs " +
  "photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume";

const POD_FIELDS =
  "affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases hostIPC hostNetwork hostPID hostname " +
  "imagePullSecrets nodeName nodeSelector overhead preemptionPolicy priority priorityClassName readinessGates restartPolicy " +
  "runtimeClassName schedulerName securityContext serviceAccount serviceAccountName shareProcessNamespace subdomain " +
  "terminationGracePeriodSeconds volumes";

const CONTAINER_FIELDS =
  "args command env image imagePullPolicy lifecycle livenessProbe ports readinessProbe resources securityContext stdin stdinOnce " +
  "terminationMessagePath terminationMessagePolicy tty volumeDevices volumeMounts workingDir";

const under = (prefix: string, names: string): string[] => names.split(" ").map((name) => `${prefix}.${name}`);

const REPLACING: Readonly<Record<string, readonly string[]>> = {
  "apps/v1/Deployment": SELECTOR,
  "apps/v1/StatefulSet": STATEFUL_SET,
  "apps/v1beta1/StatefulSet": STATEFUL_SET,
  "apps/v1beta2/Deployment": SELECTOR,
  "apps/v1beta2/StatefulSet": STATEFUL_SET,
  "batch/v1/Job": JOB,
  "/v1/ConfigMap": ["binaryData", "data"],
  "/v1/Secret": ["type", "stringData", "data"],
  "/v1/Service": ["spec.clusterIP"],
  "/v1/ResourceQuota": ["spec.scopes"],
  "/v1/PersistentVolume": under("spec", VOLUME_SOURCES),
  "/v1/PersistentVolumeClaim": ["spec"],
  "/v1/Pod": [
    ...under("spec", POD_FIELDS),
    ...under("spec.containers[*]", CONTAINER_FIELDS),
    ...under("spec.initContainers[*]", CONTAINER_FIELDS),
  ],
  "policy/v1beta1/PodDisruptionBudget": ["spec"],
  "rbac.authorization.k8s.io/v1/ClusterRoleBinding": ROLE_BINDING,
  "rbac.authorization.k8s.io/v1/RoleBinding": ROLE_BINDING,
  "rbac.authorization.k8s.io/v1beta1/ClusterRoleBinding": ROLE_BINDING,
  "rbac.authorization.k8s.io/v1beta1/RoleBinding": ROLE_BINDING,
  "storage.k8s.io/v1/StorageClass": ["parameters", "provisioner"],
};
