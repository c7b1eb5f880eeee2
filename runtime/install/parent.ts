// What a parent cluster gets: namespaces, roles for people, the hub, the scheduler and the controller-manager. Pure.

import { apiServices, bootstrapTokens, groups, roles, versions } from "#api/names.ts";
import type { SchedulerConfigInput } from "#api/scheduler-config.ts";
import { ControllerManagerPermissions } from "#controller-manager/permissions.ts";
import { HubPermissions } from "#hub/permissions.ts";
import { schedulerPermissions } from "#scheduler/permissions.ts";
import { canonicalHash } from "#std/canonical-json.ts";
import { admissionObjects } from "./admission.ts";
import { deploymentName, deploymentObject, type ComponentDeployment, type ResourceNeeds } from "./deployment.ts";
import { componentLabels, namespaceObject, type InstallObject, type InstallStages } from "./object.ts";
import { predictorCallerParts } from "./predictor.ts";
import { accountObjects } from "./rbac.ts";

/** What every component of ours can be told; each option's default is in `INSTALL_DEFAULTS` or in the component itself. */
export interface ComponentInstall {
  readonly namespace: string;
  readonly image: string;
  readonly imagePullPolicy?: "Always" | "IfNotPresent" | "Never";
  readonly replicas?: number;
  readonly logLevel?: "debug" | "info" | "warn" | "error";
  readonly resources?: ResourceNeeds;
  /** Further flags, as the component's own `--help` names them. */
  readonly extraArgs?: readonly string[];
}

export interface HubInstall extends ComponentInstall {
  /** Port of the hub's Service. The default 443 is what kube-apiserver expects of an APIService. */
  readonly servicePort?: number;
}

export interface ControllerManagerInstall extends ComponentInstall {
  readonly reservedNamespace: string;
  /** Default true: a child that holds a grant's token is approved without a person. */
  readonly autoApprove?: boolean;
}

export interface SchedulerInstall extends ComponentInstall {
  /** Of a further scheduler beside the one without a name; all of its objects, and the Lease by which it leads, are named `clusternet-scheduler-<instance>`. */
  readonly instance?: string;
  /** Profiles and their plugins; the form of `--config`. */
  readonly config?: SchedulerConfigInput;
  /** Files beside the configuration, such as the modules that it names: their texts by file name. */
  readonly files?: Readonly<Record<string, string>>;
  /** Secret in its namespace with what it shows to agents that it asks without the tunnel (`tls.crt`, `tls.key`), and who signs theirs (`ca.crt`). */
  readonly predictorSecretName?: string;
}

const HUB_SERVICE_PORT_DEFAULT = 443;
const HUB_PORT = 8443;
const HEALTH_PORTS = { hub: 8080, scheduler: 8082, "controller-manager": 8083 } as const;

/** Namespaces of ours and the roles that people and joining agents get. */
export function parentBaseStages(options: { readonly namespace: string; readonly reservedNamespace: string }): InstallStages {
  return [
    [namespaceObject(options.namespace), namespaceObject(options.reservedNamespace)],
    [...bootstrappingRole(), ...rolesForPeople(), ...admissionObjects({ systemNamespace: options.namespace })],
  ];
}

export function hubStages(options: HubInstall): InstallStages {
  const { namespace, servicePort = HUB_SERVICE_PORT_DEFAULT } = options;
  const name = deploymentName("hub");
  const labels = componentLabels("hub");
  const service: InstallObject = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace, labels },
    spec: {
      selector: { "app.kubernetes.io/name": name },
      ports: [{ name: "https", port: servicePort, targetPort: "https", protocol: "TCP" }],
    },
  };
  const args = [`--secure-port=${String(HUB_PORT)}`, `--service-name=${name}`];
  return [
    [...accountObjects({ name, namespace, labels }, HubPermissions), authenticationReader(name, namespace)],
    // Beside each other: Pulumi waits for a Service until it has endpoints.
    [
      deploymentObject({ ...deploymentOf("hub", options, args), ports: { https: HUB_PORT }, terminationGraceSeconds: 60 }),
      service,
    ],
    // Last in, first out: an APIService without its hub makes every namespace deletion of the cluster hang.
    [apiService({ name, namespace, port: servicePort })],
  ];
}

const SCHEDULER_CONFIG = { fileName: "config.yaml", mountPath: "/etc/clusternet/scheduler" } as const;

export function schedulerStages(options: SchedulerInstall): InstallStages {
  const { namespace, instance, config, files = {} } = options;
  const component = instance === undefined ? "scheduler" : `scheduler-${instance}`;
  const name = deploymentName(component);
  const account = { name, namespace, labels: componentLabels(component) };
  const accounts = accountObjects(account, schedulerPermissions(name));
  const election = instance === undefined ? [] : [`--leader-elect-resource-name=${name}`];
  const { args: asking, volumes } = predictorCallerParts(options.predictorSecretName);
  const args = [...election, ...asking];
  if (config === undefined) return [accounts, [deploymentObject({ ...deploymentOf("scheduler", options, args), name, volumes })]];
  const { fileName, mountPath } = SCHEDULER_CONFIG;
  // JSON is YAML.
  const data = { ...files, [fileName]: JSON.stringify(config, null, 2) };
  const metadata = { ...account, name: `${account.name}-config` };
  const deployment = {
    ...deploymentOf("scheduler", options, [...args, `--config=${mountPath}/${fileName}`]),
    name,
    volumes: [{ name: "config", mountPath, configMapName: metadata.name }, ...volumes],
    checksum: canonicalHash(data),
  };
  return [[...accounts, { apiVersion: "v1", kind: "ConfigMap", metadata, data }], [deploymentObject(deployment)]];
}

export function controllerManagerStages(options: ControllerManagerInstall): InstallStages {
  const { namespace, reservedNamespace, autoApprove = true } = options;
  const account = { name: deploymentName("controller-manager"), namespace, labels: componentLabels("controller-manager") };
  const args = [`--reserved-namespace=${reservedNamespace}`, `--auto-approve=${String(autoApprove)}`];
  return [
    [...accountObjects(account, ControllerManagerPermissions), chartPullSecretsRole()],
    [deploymentObject({ ...deploymentOf("controller-manager", options, args), hasScratch: true })],
  ];
}

/** Bound nowhere: an administrator binds it in each namespace whose pull secrets charts may be pulled with (docs/operations/helm.md). */
function chartPullSecretsRole(): InstallObject {
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    metadata: { name: roles.chartPullSecrets, labels: componentLabels("controller-manager") },
    rules: [{ apiGroups: [""], resources: ["secrets"], verbs: ["get"] }],
  };
}

function deploymentOf(
  component: keyof typeof HEALTH_PORTS,
  options: ComponentInstall,
  args: readonly string[],
): ComponentDeployment {
  const { namespace, image, imagePullPolicy, replicas, resources, logLevel = "info", extraArgs = [] } = options;
  const healthPort = HEALTH_PORTS[component];
  return {
    component,
    namespace,
    image,
    healthPort,
    args: [`--health-port=${String(healthPort)}`, `--log-level=${logLevel}`, ...args, ...extraArgs],
    ...(imagePullPolicy === undefined ? {} : { imagePullPolicy }),
    ...(replicas === undefined ? {} : { replicas }),
    ...(resources === undefined ? {} : { resources }),
  };
}

function apiService({
  name,
  namespace,
  port,
}: {
  readonly name: string;
  readonly namespace: string;
  readonly port: number;
}): InstallObject {
  return {
    apiVersion: "apiregistration.k8s.io/v1",
    kind: "APIService",
    metadata: { name: apiServices.proxies, labels: componentLabels("hub") },
    // No caBundle: the hub makes its own certificate authority and alone owns that field.
    spec: {
      group: groups.proxies,
      version: versions.proxies,
      groupPriorityMinimum: 1000,
      versionPriority: 100,
      service: { name, namespace, port },
    },
  };
}

/** An aggregated API server reads kube-apiserver's front-proxy settings through this role, which every cluster has. */
function authenticationReader(name: string, namespace: string): InstallObject {
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "RoleBinding",
    metadata: { name: `${name}-authentication-reader`, namespace: "kube-system", labels: componentLabels("hub") },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "extension-apiserver-authentication-reader" },
    subjects: [{ kind: "ServiceAccount", name, namespace }],
  };
}

/** A holder of a bootstrap token may ask to join and read the answer, nothing else. Answers are sealed to the asking agent. */
function bootstrappingRole(): readonly InstallObject[] {
  const metadata = { name: roles.bootstrapping, labels: componentLabels("controller-manager") };
  return [
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRole",
      metadata,
      rules: [{ apiGroups: [groups.clusters], resources: ["clusterregistrationrequests"], verbs: ["get", "create"] }],
    },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: roles.bootstrapping },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: bootstrapTokens.group }],
    },
  ];
}

/**
 * `view` and `edit` for people, added to the cluster's own roles of these names. Manifests, Bases and Descriptions are in neither:
 * they hold templates of every tenant, Secrets among them.
 */
function rolesForPeople(): readonly InstallObject[] {
  const readable = ["subscriptions", "globalizations", "localizations", "helmcharts", "helmreleases", "feedinventories"];
  const writable = ["subscriptions", "localizations", "helmcharts"];
  const read = ["get", "list", "watch"];
  const write = ["create", "update", "patch", "delete", "deletecollection"];
  const viewRules = [
    { apiGroups: [groups.apps], resources: readable, verbs: read },
    { apiGroups: [groups.clusters], resources: ["managedclusters"], verbs: read },
  ];
  const editRules = [...viewRules, { apiGroups: [groups.apps], resources: writable, verbs: write }];
  return [
    personRole(roles.view, ["view", "edit", "admin"], viewRules),
    personRole(roles.edit, ["edit", "admin"], editRules),
    personRole(roles.socketsProxy, [], [{ apiGroups: [groups.proxies], resources: ["sockets/proxy"], verbs: ["*"] }]),
  ];
}

function personRole(name: string, aggregateTo: readonly string[], rules: readonly object[]): InstallObject {
  const aggregation = aggregateTo.map((role) => [`rbac.authorization.k8s.io/aggregate-to-${role}`, "true"]);
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    metadata: {
      name,
      labels: { "app.kubernetes.io/part-of": "clusternet", ...(Object.fromEntries(aggregation) as Record<string, string>) },
    },
    rules,
  };
}
