// The Cluster API integration on a parent: its Deployment, and the ConfigMap whose deletion uninstalls what it made. Pure.

import { labels, roles, serviceAccounts } from "#api/names.ts";
import { IntegrationPermissions, joiningNamespaceRules } from "#cluster-api-integration/permissions.ts";
import { deploymentName, deploymentObject } from "./deployment.ts";
import { componentLabels, namespaceObject, type InstallObject, type InstallStages, type Later } from "./object.ts";
import type { ComponentInstall } from "./parent.ts";
import { accountObjects, roleObjects } from "./rbac.ts";

export interface ClusterApiIntegrationInstall extends ComponentInstall {
  /** `https://host:port` of the parent, as workload clusters reach it. */
  readonly parentUrl: Later;
  readonly parentCaPem?: Later;
}

/** Name of the ConfigMap with the integration's settings. */
export const CLUSTER_API_SETTINGS_NAME = "clusternet-cluster-api-integration";
/** Accounts that agents of Cluster API clusters ask to join with; they may do nothing else. */
export const JOINING_NAMESPACE = "clusternet-joining";

export const clusterApiSettingsKeys = {
  image: "image",
  imagePullPolicy: "imagePullPolicy",
  parentUrl: "parentURL",
  parentCaPem: "ca.crt",
} as const;

const COMPONENT = "cluster-api-integration";
const HEALTH_PORT = 8084;

/** The settings come last, so that they go first: while the component still runs, which removes all it made and then lets them go. */
export function clusterApiIntegrationStages(options: ClusterApiIntegrationInstall): InstallStages {
  const { namespace, image, imagePullPolicy, replicas, resources, logLevel = "info", extraArgs = [] } = options;
  const account = { name: serviceAccounts.clusterApiIntegration, namespace, labels: componentLabels(COMPONENT) };
  const deployment = deploymentObject({
    component: COMPONENT,
    namespace,
    image,
    healthPort: HEALTH_PORT,
    args: [`--health-port=${String(HEALTH_PORT)}`, `--log-level=${logLevel}`, ...extraArgs],
    ...(imagePullPolicy === undefined ? {} : { imagePullPolicy }),
    ...(replicas === undefined ? {} : { replicas }),
    ...(resources === undefined ? {} : { resources }),
  });
  return [
    [namespaceObject(JOINING_NAMESPACE)],
    [
      ...accountObjects(account, IntegrationPermissions),
      ...roleObjects(account, { namespace: JOINING_NAMESPACE, name: deploymentName(COMPONENT), rules: joiningNamespaceRules }),
      joiningAccountsBinding(),
    ],
    [deployment],
    [settingsObject(options)],
  ];
}

/** Every account of this one namespace may ask to join, and nothing else; a join grant says as which cluster. */
function joiningAccountsBinding(): InstallObject {
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name: roles.bootstrappingServiceAccount, labels: componentLabels(COMPONENT) },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: roles.bootstrapping },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: `system:serviceaccounts:${JOINING_NAMESPACE}` }],
  };
}

function settingsObject({
  namespace,
  image,
  imagePullPolicy,
  parentUrl,
  parentCaPem,
}: ClusterApiIntegrationInstall): InstallObject {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: CLUSTER_API_SETTINGS_NAME,
      namespace,
      labels: { ...componentLabels(COMPONENT), [labels.clusterApiSettings]: "true" },
    },
    data: {
      [clusterApiSettingsKeys.image]: image,
      [clusterApiSettingsKeys.parentUrl]: parentUrl,
      ...(imagePullPolicy === undefined ? {} : { [clusterApiSettingsKeys.imagePullPolicy]: imagePullPolicy }),
      ...(parentCaPem === undefined ? {} : { [clusterApiSettingsKeys.parentCaPem]: parentCaPem }),
    },
  };
}
