// What one child needs: on the parent a namespace, a bootstrap token and a grant to join; in the child itself the agent. Pure.

import { AgentPermissions, appDeployerClusterRole, ProxyPermissions } from "#agent/permissions.ts";
import {
  annotations,
  bootstrapTokens,
  joinGrantKeys,
  labels,
  roles,
  secretKeys,
  secretNames,
  serviceAccounts,
} from "#api/names.ts";
import { deploymentObject } from "./deployment.ts";
import { componentLabels, namespaceObject, type InstallObject, type InstallStages, type Later } from "./object.ts";
import type { ComponentInstall } from "./parent.ts";
import { predictorPortParts, type PredictorPort } from "./predictor.ts";
import { accountObjects, clusterRoleBinding } from "./rbac.ts";

export type SyncMode = "Pull" | "Push" | "Dual";

export interface ChildOnParent {
  /** Where our components live on the parent. */
  readonly namespace: string;
  readonly clusterName: string;
  /** The child's own namespace on the parent, made for it alone. */
  readonly clusterNamespace: string;
  /** Labels that the ManagedCluster gets, and the only ones that the agent may claim. */
  readonly clusterLabels?: Readonly<Record<string, string>>;
  readonly syncMode: SyncMode;
  /** How long after its creation the grant lets the child join, such as `24h`. Default: as long as it is there. */
  readonly validFor?: string;
  /** Public half of the bootstrap token. */
  readonly tokenId: string;
  readonly tokenSecret: Later;
}

export interface AgentInstall extends ComponentInstall {
  readonly clusterName: string;
  readonly clusterNamespace: string;
  readonly clusterLabels?: Readonly<Record<string, string>>;
  readonly syncMode: SyncMode;
  /** `https://host:port` of the parent, as the child reaches it. */
  readonly parentUrl: Later;
  /** PEM. Without it the parent's certificate must be one that the child's system trusts. */
  readonly parentCaPem?: Later;
  /** `<id>.<secret>` */
  readonly registrationToken: Later;
  /** Changes with the registration token, which the agent reads at its start only. */
  readonly registrationChecksum?: Later;
  /** ClusterRole that decides what the parent may deploy here. Default: `clusternet:app:deployer`, which this installs. */
  readonly deployerClusterRole?: string;
  /** Absent: the predictor is asked through the tunnel only. */
  readonly predictorPort?: PredictorPort;
}

/** As names of children these would take the names that our own namespaces have: `clusternet-system` and so on. */
export const reservedClusterNames: readonly string[] = ["system", "reserved", "mcs", "joining"];

const AGENT_HEALTH_PORT = 8081;
const REGISTRATION_PATH = "/etc/clusternet/registration";

export function childNamespaceObject({
  clusterName,
  clusterNamespace,
}: Pick<ChildOnParent, "clusterName" | "clusterNamespace">): InstallObject {
  // The marker is why the approver may adopt a namespace that it did not make, for this cluster only.
  return namespaceObject(clusterNamespace, { [annotations.reservedFor]: clusterName });
}

export function bootstrapTokenObject({ clusterName, tokenId, tokenSecret }: ChildOnParent): InstallObject {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: `${bootstrapTokens.secretPrefix}${tokenId}`, namespace: "kube-system", labels: componentLabels("agent") },
    type: bootstrapTokens.secretType,
    stringData: {
      "token-id": tokenId,
      "token-secret": tokenSecret,
      "usage-bootstrap-authentication": "true",
      "auth-extra-groups": bootstrapTokens.group,
      description: `Lets ${clusterName} ask to join`,
    },
  };
}

/** The permission to join as this cluster and no other. Its deletion is the instruction to deregister the cluster. */
export function joinGrantObject(child: ChildOnParent): InstallObject {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: `clusternet-join-${child.clusterName}`,
      namespace: child.namespace,
      labels: { ...componentLabels("agent"), [labels.joinGrant]: "true" },
    },
    data: {
      [joinGrantKeys.username]: `${bootstrapTokens.userPrefix}${child.tokenId}`,
      [joinGrantKeys.clusterName]: child.clusterName,
      [joinGrantKeys.clusterNamespace]: child.clusterNamespace,
      [joinGrantKeys.clusterLabels]: JSON.stringify(child.clusterLabels ?? {}),
      [joinGrantKeys.syncModes]: child.syncMode,
      ...(child.validFor === undefined ? {} : { [joinGrantKeys.validFor]: child.validFor }),
    },
  };
}

export function agentStages(options: AgentInstall): InstallStages {
  const { namespace } = options;
  return [[namespaceObject(namespace)], [...agentAccounts(options), registrationSecret(options)], [agentDeployment(options)]];
}

function agentAccounts({ namespace, deployerClusterRole = roles.appDeployer }: AgentInstall): readonly InstallObject[] {
  const labelsOfAgent = componentLabels("agent");
  const account = (name: string): { name: string; namespace: string; labels: Readonly<Record<string, string>> } => ({
    name,
    namespace,
    labels: labelsOfAgent,
  });
  const deployer = account(serviceAccounts.appDeployer);
  return [
    ...accountObjects(account(serviceAccounts.agent), AgentPermissions),
    ...accountObjects(account(serviceAccounts.proxy), ProxyPermissions),
    { apiVersion: "v1", kind: "ServiceAccount", metadata: deployer },
    ...(deployerClusterRole === roles.appDeployer ? appDeployerRole(labelsOfAgent) : []),
    clusterRoleBinding(deployer, deployerClusterRole, roles.appDeployer),
  ];
}

function appDeployerRole(labelsOfAgent: Readonly<Record<string, string>>): readonly InstallObject[] {
  return [
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRole",
      metadata: { name: roles.appDeployer, labels: labelsOfAgent },
      ...appDeployerClusterRole,
    },
  ];
}

function registrationSecret({ namespace, parentUrl, parentCaPem, registrationToken }: AgentInstall): InstallObject {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: secretNames.clusterRegistration, namespace, labels: componentLabels("agent") },
    type: "Opaque",
    stringData: {
      [secretKeys.parentUrl]: parentUrl,
      [secretKeys.registrationToken]: registrationToken,
      ...(parentCaPem === undefined ? {} : { [secretKeys.caCertificate]: parentCaPem }),
    },
  };
}

function agentDeployment(options: AgentInstall): InstallObject {
  const { namespace, image, imagePullPolicy, replicas, resources, logLevel = "info", extraArgs = [] } = options;
  const predictor = predictorPortParts(options.predictorPort);
  const fromSecret = (key: string): object => ({ secretKeyRef: { name: secretNames.clusterRegistration, key } });
  return deploymentObject({
    component: "agent",
    namespace,
    image,
    healthPort: AGENT_HEALTH_PORT,
    args: [
      `--health-port=${String(AGENT_HEALTH_PORT)}`,
      `--log-level=${logLevel}`,
      ...registrationArgs(options),
      ...predictor.args,
      ...extraArgs,
    ],
    ports: predictor.ports,
    env: [
      { name: "PARENT_URL", valueFrom: fromSecret(secretKeys.parentUrl) },
      { name: "REG_TOKEN", valueFrom: fromSecret(secretKeys.registrationToken) },
    ],
    hasScratch: true,
    volumes: [
      { name: "registration", mountPath: REGISTRATION_PATH, secretName: secretNames.clusterRegistration },
      ...predictor.volumes,
    ],
    ...(imagePullPolicy === undefined ? {} : { imagePullPolicy }),
    ...(replicas === undefined ? {} : { replicas }),
    ...(resources === undefined ? {} : { resources }),
    ...(options.registrationChecksum === undefined ? {} : { checksum: options.registrationChecksum }),
  });
}

function registrationArgs(options: AgentInstall): readonly string[] {
  const clusterLabels = Object.entries(options.clusterLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  return [
    `--cluster-reg-name=${options.clusterName}`,
    `--cluster-reg-namespace=${options.clusterNamespace}`,
    `--cluster-sync-mode=${options.syncMode}`,
    ...(options.syncMode === "Pull" ? [] : ["--allow-push"]),
    ...(clusterLabels.length === 0 ? [] : [`--cluster-labels=${clusterLabels.join(",")}`]),
    ...(options.parentCaPem === undefined
      ? []
      : [`--cluster-reg-parent-ca-file=${REGISTRATION_PATH}/${secretKeys.caCertificate}`]),
  ];
}
