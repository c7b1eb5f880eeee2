// The wire-compatible surface, written by hand from the facts about upstream: what upstream has must be there, exactly; what is there
// besides must be in the list of extensions below. The two tables are the test; do not derive them from the code.

import { describe, expect, test } from "@jest/globals";

import { crdOf, kindSchema, type CustomResourceDefinition } from "./crd.ts";
import { kinds } from "./kinds.ts";
import type { StructuralSchema } from "./structural-schema.ts";

const AGE = "AGE .metadata.creationTimestamp date";
const HELM_COLUMNS = [
  "CHART .spec.chart string",
  "VERSION .spec.version string",
  "REPO .spec.repo string",
  "STATUS .status.phase string",
  AGE,
];

interface Surface {
  readonly group: string;
  readonly plural: string;
  readonly short: readonly string[];
  readonly scope: "Namespaced" | "Cluster";
  readonly columns: readonly string[] | undefined;
}

const apps = "apps.clusternet.io/v1alpha1";
const clusters = "clusters.clusternet.io/v1beta1";

const surfaces: Readonly<Record<string, Surface>> = {
  Base: { group: apps, plural: "bases", short: [], scope: "Namespaced", columns: [AGE] },
  Description: {
    group: apps,
    plural: "descriptions",
    short: ["desc"],
    scope: "Namespaced",
    columns: ["DEPLOYER .spec.deployer string", "STATUS .status.phase string", AGE],
  },
  FeedInventory: { group: apps, plural: "feedinventories", short: ["finv"], scope: "Namespaced", columns: undefined },
  Globalization: { group: apps, plural: "globalizations", short: ["glob", "global"], scope: "Cluster", columns: [AGE] },
  Localization: { group: apps, plural: "localizations", short: ["loc", "local"], scope: "Namespaced", columns: [AGE] },
  HelmChart: { group: apps, plural: "helmcharts", short: ["chart", "charts"], scope: "Namespaced", columns: HELM_COLUMNS },
  HelmRelease: { group: apps, plural: "helmreleases", short: ["hr"], scope: "Namespaced", columns: HELM_COLUMNS },
  Manifest: { group: apps, plural: "manifests", short: [], scope: "Namespaced", columns: [AGE] },
  Subscription: { group: apps, plural: "subscriptions", short: ["sub", "subs"], scope: "Namespaced", columns: [AGE] },
  ClusterRegistrationRequest: {
    group: clusters,
    plural: "clusterregistrationrequests",
    short: ["clsrr"],
    scope: "Cluster",
    columns: ["CLUSTER ID .spec.clusterId string", "STATUS .status.result string", AGE],
  },
  ManagedCluster: {
    group: clusters,
    plural: "managedclusters",
    short: ["mcls"],
    scope: "Namespaced",
    columns: [
      "CLUSTER ID .spec.clusterId string",
      "CLUSTER TYPE .spec.clusterType string 100",
      "SYNC MODE .spec.syncMode string",
      "KUBERNETES .status.k8sVersion string",
      "STATUS .status.conditions[?(@.type=='Ready')].status string",
      AGE,
      "AGENT VERSION .status.agentVersion string 100",
    ],
  },
};

const UUID = "/[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}/";
const CLUSTER_NAME = "≤30 /[a-z0-9]([-a-z0-9]*[a-z0-9])?([a-z0-9]([-a-z0-9]*[a-z0-9]))*/";
const REPO = "/^(http|https|oci)?://(?:[a-zA-Z]|[0-9]|[$-_@.&+]|[!*\\(\\),]|(?:%[0-9a-fA-F][0-9a-fA-F]))+$/";
const QUANTITY = "int-or-string";

/** `!` required, `=` default, `|` enum, `≤` length, `..` range, `/…/` pattern. */
const feed = (path: string): Record<string, string> => ({
  [`${path}.kind`]: "string!",
  [`${path}.apiVersion`]: "string!",
  [`${path}.namespace`]: "string",
  [`${path}.name`]: "string!",
});

const overrides = {
  "spec.overridePolicy": 'string ApplyNow|ApplyLater ="ApplyLater"',
  "spec.overrides": "array",
  // The rules are ours: upstream finds out when it renders.
  "spec.overrides[]":
    "object (!self.type.startsWith('Field') || (has(self.fieldPath) && self.fieldPath.startsWith('/'))) (!self.type.startsWith('Field') || has(self.fieldFormat))",
  "spec.overrides[].name": "string",
  "spec.overrides[].value": "string!",
  "spec.overrides[].type": "string! Helm|JSONPatch|MergePatch|FieldJSONPatch|FieldMergePatch",
  "spec.overrides[].overrideChart": "boolean",
  "spec.overrides[].fieldPath": "string",
  "spec.overrides[].fieldFormat": "string YAML|JSON",
  "spec.priority": "int32 0..1000 =500",
  "spec.feed": "object!",
  ...feed("spec.feed"),
};

const helmOptions = {
  "spec.repo": `string! ${REPO}`,
  "spec.chartPullSecret": "object",
  "spec.chartPullSecret.name": "string",
  "spec.chartPullSecret.namespace": "string",
  "spec.plainHTTP": "boolean",
  "spec.chart": "string!",
  "spec.version": "string",
  "spec.createNamespace": "boolean =true",
  "spec.timeoutSeconds": "int32 =300",
  "spec.wait": "boolean",
  "spec.waitForJob": "boolean",
  "spec.replace": "boolean",
  "spec.atomic": "boolean",
  "spec.upgradeAtomic": "boolean",
  "spec.skipCRDs": "boolean",
  "spec.replaceCRDs": "boolean",
  "spec.disableHooks": "boolean",
  "spec.force": "boolean",
  "spec.targetNamespace": "string!",
};

const selector = (path: string, required = ""): Record<string, string> => ({
  [path]: `object${required} atomic`,
  [`${path}.matchLabels`]: "object",
  [`${path}.matchLabels{}`]: "string",
  [`${path}.matchExpressions`]: "array",
  [`${path}.matchExpressions[].key`]: "string!",
  [`${path}.matchExpressions[].operator`]: "string! In|NotIn|Exists|DoesNotExist",
  [`${path}.matchExpressions[].values`]: "array",
});

const replicaStatus = (path: string): Record<string, string> => ({
  [path]: "object",
  [`${path}.observedGeneration`]: "int64",
  ...Object.fromEntries(
    [
      "replicas",
      "updatedReplicas",
      "currentReplicas",
      "readyReplicas",
      "availableReplicas",
      "unavailableReplicas",
      "active",
      "succeeded",
      "failed",
    ].map((name) => [`${path}.${name}`, "int32"]),
  ),
});

const toleration = (path: string): Record<string, string> => ({
  [path]: "array",
  [`${path}[].key`]: "string",
  [`${path}[].operator`]: "string Equal|Exists",
  [`${path}[].value`]: "string",
  [`${path}[].effect`]: "string NoSchedule|PreferNoSchedule|NoExecute",
  [`${path}[].tolerationSeconds`]: "int64",
});

/** What § 1 of the facts says, field by field. */
const upstream: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Base: { spec: "object!", "spec.feeds": "array!", ...feed("spec.feeds[]") },
  Description: {
    spec: "object!",
    "spec.deployer": "string! Helm|Generic",
    "spec.charts": "array",
    "spec.charts[].namespace": "string!",
    "spec.charts[].name": "string!",
    "spec.raw": "array",
    "spec.raw[]": "byte",
    "spec.chartRaw": "array",
    "spec.chartRaw[]": "byte",
    status: "object",
    "status.phase": "string Pending|Success|Failure|Installing|Upgrading|Uninstalling|Superseded|Unknown",
    "status.reason": "string",
    "status.manifestStatuses": "array",
    ...feed("status.manifestStatuses[]"),
    "status.manifestStatuses[].observedStatus": "object preserved",
  },
  FeedInventory: {
    spec: "object!",
    "spec.feeds": "array!",
    ...feed("spec.feeds[]"),
    "spec.feeds[].desiredReplicas": "int32",
    "spec.feeds[].replicaRequirements": "object",
    "spec.feeds[].replicaRequirements.nodeSelector": "object atomic",
    "spec.feeds[].replicaRequirements.nodeSelector{}": "string",
    ...toleration("spec.feeds[].replicaRequirements.tolerations"),
    "spec.feeds[].replicaRequirements.affinity": "object",
    "spec.feeds[].replicaRequirements.resources": "object",
    "spec.feeds[].replicaRequirements.resources.requests": "object",
    "spec.feeds[].replicaRequirements.resources.requests{}": QUANTITY,
    "spec.feeds[].replicaRequirements.resources.limits": "object",
    "spec.feeds[].replicaRequirements.resources.limits{}": QUANTITY,
    "spec.feeds[].replicaRequirements.resources.claims": "array by name",
    "spec.feeds[].replicaRequirements.resources.claims[].name": "string!",
    "spec.feeds[].replicaRequirements.resources.claims[].request": "string",
    "spec.feeds[].replicaJsonPath": "string",
  },
  Globalization: { spec: "object!", ...overrides, ...selector("spec.clusterAffinity") },
  Localization: { spec: "object!", ...overrides },
  HelmChart: {
    spec: "object!",
    ...helmOptions,
    status: "object",
    "status.phase": "string Found|NotFound",
    "status.reason": "string",
  },
  HelmRelease: {
    spec: "object!",
    ...helmOptions,
    "spec.releaseName": "string",
    "spec.overrides": "byte",
    status: "object",
    "status.firstDeployed": "string",
    "status.lastDeployed": "string",
    "status.description": "string",
    "status.phase":
      "string unknown|deployed|uninstalled|superseded|failed|uninstalling|pending-install|pending-upgrade|pending-rollback",
    "status.notes": "string",
    "status.version": "int64",
  },
  Manifest: { template: "object! preserved" },
  Subscription: {
    spec: "object!",
    "spec.schedulerName": 'string ="default"',
    "spec.schedulingBySubGroup": "boolean",
    "spec.schedulingStrategy": 'string Replication|Dividing ="Replication"',
    "spec.dividingScheduling": "object",
    "spec.dividingScheduling.type": 'string Static|Dynamic ="Static"',
    "spec.dividingScheduling.dynamicDividing": "object",
    "spec.dividingScheduling.dynamicDividing.strategy": 'string Spread|Binpack ="Spread"',
    "spec.dividingScheduling.dynamicDividing.topologySpreadConstraints": "array",
    "spec.dividingScheduling.dynamicDividing.preferredClusters": "array",
    "spec.dividingScheduling.dynamicDividing.minClusters": "int32",
    "spec.dividingScheduling.dynamicDividing.maxClusters": "int32",
    "spec.priority": "int32",
    // Upstream's schema has the first two; its code and documentation say Never.
    "spec.preemptionPolicy": 'string PreemptLowerPriority|PreemptNever|Never ="PreemptLowerPriority"',
    "spec.subscribers": "array!",
    ...selector("spec.subscribers[].clusterAffinity", "!"),
    "spec.subscribers[].weight": "int32 0..",
    "spec.subscribers[].subGroupStrategy": "object",
    "spec.subscribers[].subGroupStrategy.minClusters": "int32 0..",
    ...toleration("spec.clusterTolerations"),
    "spec.feeds": "array!",
    ...feed("spec.feeds[]"),
    status: "object",
    "status.bindingClusters": "array",
    "status.replicas": "object",
    "status.replicas{}": "array",
    "status.replicas{}[]": "int32",
    "status.specHash": "int64 ..9007199254740991",
    "status.desiredReleases": "int64",
    "status.completedReleases": "int64",
    "status.aggregatedStatuses": "array",
    ...feed("status.aggregatedStatuses[]"),
    "status.aggregatedStatuses[].feedStatusSummary": "object",
    "status.aggregatedStatuses[].feedStatusSummary.available": "boolean",
    ...replicaStatus("status.aggregatedStatuses[].feedStatusSummary.replicaStatus"),
    "status.aggregatedStatuses[].feedStatusDetails": "array",
    "status.aggregatedStatuses[].feedStatusDetails[].clusterId": `string ≤36 ${UUID}`,
    "status.aggregatedStatuses[].feedStatusDetails[].clusterName": `string ${CLUSTER_NAME}`,
    "status.aggregatedStatuses[].feedStatusDetails[].available": "boolean",
    ...replicaStatus("status.aggregatedStatuses[].feedStatusDetails[].replicaStatus"),
  },
  ClusterRegistrationRequest: {
    spec: "object! (self == oldSelf)",
    "spec.clusterId": `string! ≤36 ${UUID}`,
    "spec.clusterType": "string",
    "spec.clusterName": `string ${CLUSTER_NAME}`,
    "spec.clusterNamespace": "string ≤63 /[a-z0-9]([-a-z0-9]*[a-z0-9])?/",
    "spec.clusterLabels": "object",
    "spec.clusterLabels{}": "string",
    "spec.syncMode": 'string Push|Pull|Dual ="Pull"',
    status: "object",
    "status.dedicatedNamespace": "string",
    "status.token": "byte",
    "status.caCertificate": "byte",
    "status.result": "string",
    "status.errorMessage": "string",
    "status.managedClusterName": "string",
  },
  ManagedCluster: {
    spec: "object! (!has(oldSelf.clusterInitBaseName) || has(self.clusterInitBaseName))",
    "spec.clusterId": `string! ≤36 ${UUID}`,
    "spec.clusterType": "string",
    "spec.clusterInitBaseName": "string ≤512 (self == oldSelf)",
    "spec.syncMode": "string! Push|Pull|Dual",
    "spec.taints": "array",
    "spec.taints[].key": "string!",
    "spec.taints[].value": "string",
    "spec.taints[].effect": "string! NoSchedule|PreferNoSchedule|NoExecute",
    "spec.taints[].timeAdded": "date-time",
    status: "object",
    "status.lastObservedTime": "date-time",
    ...Object.fromEntries(
      ["k8sVersion", "platform", "agentVersion", "apiserverURL", "clusterCIDR", "serviceCIDR", "predictorAddress"].map((name) => [
        `status.${name}`,
        "string",
      ]),
    ),
    ...Object.fromEntries(
      ["healthz", "livez", "readyz", "appPusher", "useSocket", "predictorEnabled", "predictorDirectAccess"].map((name) => [
        `status.${name}`,
        "boolean",
      ]),
    ),
    "status.kubeQPS": "number",
    "status.kubeBurst": "int32",
    "status.allocatable": "object",
    "status.allocatable{}": QUANTITY,
    "status.capacity": "object",
    "status.capacity{}": QUANTITY,
    "status.nodeStatistics": "object",
    ...Object.fromEntries(
      ["readyNodes", "notReadyNodes", "unknownNodes", "lostNodes"].map((name) => [`status.nodeStatistics.${name}`, "int32"]),
    ),
    "status.podStatistics": "object",
    "status.podStatistics.runningPods": "int32",
    "status.podStatistics.totalPods": "int32",
    "status.resourceUsage": "object",
    "status.resourceUsage.cpuUsage": QUANTITY,
    "status.resourceUsage.memoryUsage": QUANTITY,
    "status.conditions": "array by type",
    "status.heartbeatFrequencySeconds": "int64",
  },
};

const delivery = ["", ".drift", ".ignoreFields", ".adoption", ".onDelete", ".dependencies", ".maxDeletePercent"].map(
  (field) => `spec.delivery${field}`,
);

const failover = [
  "",
  ".enabled",
  ".tolerationSeconds",
  ".eviction",
  ".gracefulTimeoutSeconds",
  ".withoutReplacement",
  ".afterRecovery",
].map((field) => `spec.failover${field}`);

const rebalance = [
  "",
  ".policy",
  ".intervalSeconds",
  ".minMovePercent",
  ".maxMovePercent",
  ".shownForSeconds",
  ".stepTimeoutSeconds",
].map((field) => `spec.rebalance${field}`);

/** Objects that are ours as a whole: what is in them is said where they are defined. */
const ownObjects = ["status.rebalance"];

/** What we add. Everything here is optional and marked in the docs. */
const extensions: Readonly<Record<string, readonly string[]>> = {
  Base: [...delivery, "spec.shares", "status", "status.observedGeneration", "status.conditions", "status.overrides"],
  Description: [
    ...delivery,
    "status.observedGeneration",
    "status.conditions",
    "status.inventory",
    "status.manifestStatuses[].available",
    "status.manifestStatuses[].state",
    "status.manifestStatuses[].message",
  ],
  FeedInventory: [
    "status",
    "status.observedGeneration",
    "status.conditions",
    ...["hostPorts", "podLabels", "volumes"].map((field) => `spec.feeds[].replicaRequirements.${field}`),
  ],
  Globalization: ["status", "status.observedGeneration", "status.conditions"],
  Localization: ["status", "status.observedGeneration", "status.conditions"],
  HelmChart: ["status.observedGeneration", "status.conditions"],
  HelmRelease: [
    ...delivery,
    "status.chartVersion",
    "status.releasedAs",
    "status.releasedHash",
    "status.observedGeneration",
    "status.conditions",
  ],
  Manifest: ["status", "status.observedGeneration", "status.conditions"],
  Subscription: [
    ...delivery,
    ...failover,
    ...rebalance,
    "spec.schedulingGates",
    "status.failover",
    ...ownObjects,
    "status.preempted",
    "status.observedGeneration",
    "status.conditions",
    "status.aggregatedStatuses[].feedStatusDetails[].state",
    "status.aggregatedStatuses[].feedStatusDetails[].message",
  ],
  ClusterRegistrationRequest: ["spec.publicKey", "status.sealedToken", "status.observedGeneration", "status.conditions"],
  ManagedCluster: ["status.observedGeneration"],
};

/** Kubernetes' own types: that they are there is listed above, what is in them is Kubernetes' business. */
const kubernetesTypes =
  /\.(affinity|topologySpreadConstraints\[\]|preferredClusters\[\])\.|^status\.conditions\[\]\.|\.values\[\]$/;

test("exactly the eleven kinds", () => {
  expect(kinds.map(({ kind }) => kind).sort()).toEqual(Object.keys(surfaces).sort());
});

describe.each(kinds.map((kind) => [kind.kind, kind] as const))("%s", (name, kind) => {
  const crd = crdOf(kind);
  const surface = surfaces[name];

  test("names, scope, columns and subresources", () => {
    expect(surfaceOf(crd)).toEqual({ ...surface, columns: surface?.columns });
    expect(crd.metadata.name).toBe(`${surface?.plural}.${surface?.group.split("/")[0]}`);
    expect(crd.spec.names).toMatchObject({ categories: ["clusternet"], singular: name.toLowerCase(), listKind: `${name}List` });
    expect(crd.spec.versions).toHaveLength(1);
    expect(crd.spec.versions[0]).toMatchObject({ served: true, storage: true, subresources: { status: {} } });
  });

  test("every field of upstream, as upstream has it", () => {
    const fields = fieldsOf(crd.spec.versions[0]?.schema.openAPIV3Schema ?? {});
    expect(Object.fromEntries(Object.keys(upstream[name] ?? {}).map((path) => [path, fields.get(path)]))).toEqual(upstream[name]);
  });

  test("what is there besides is a known, marked and optional extension", () => {
    const marked = fieldsOf(kindSchema(kind));
    const known = new Set(Object.keys(upstream[name] ?? {}));
    const added = [...marked.keys()].filter((path) => !known.has(path) && !kubernetesTypes.test(path));
    const ours = extensions[name] ?? [];
    const isWithin = (path: string, own: string): boolean =>
      path.startsWith(`${own}[`) || path === `${own}{}` || (ownObjects.includes(own) && path.startsWith(`${own}.`));
    expect(added.filter((path) => !ours.some((own) => path === own || isWithin(path, own)))).toEqual([]);
    for (const path of ours) {
      expect(`${path} ${marked.get(path)}`).toMatch(/ ext/);
      expect(`${path} ${marked.get(path)}`).not.toMatch(/!/);
    }
    expect(JSON.stringify(crd)).not.toContain('"extension"');
  });

  test("has examples of its own kind", () => {
    expect(kind.examples.length).toBeGreaterThan(0);
    for (const { object } of kind.examples) expect(object).toMatchObject({ apiVersion: kind.apiVersion, kind: name });
  });
});

function surfaceOf({ spec }: CustomResourceDefinition): Surface {
  const [version] = spec.versions;
  return {
    group: `${spec.group}/${version?.name}`,
    plural: spec.names.plural,
    short: spec.names.shortNames ?? [],
    scope: spec.scope,
    columns: version?.additionalPrinterColumns?.map(({ name, jsonPath, type, priority }) =>
      [name, jsonPath, type, priority].filter((part) => part !== undefined).join(" "),
    ),
  };
}

function fieldsOf(schema: StructuralSchema): Map<string, string> {
  const fields = new Map<string, string>();
  const visit = (path: string, child: StructuralSchema, required: boolean): void => {
    if (path !== "" && !["apiVersion", "kind", "metadata"].includes(path)) fields.set(path, textOf(child, required));
    for (const [name, property] of Object.entries(child.properties ?? {})) {
      visit(path === "" ? name : `${path}.${name}`, property, child.required?.includes(name) ?? false);
    }
    if (child.additionalProperties !== undefined) visit(`${path}{}`, child.additionalProperties, false);
    if (child.items !== undefined) visit(`${path}[]`, child.items, false);
  };
  visit("", schema, false);
  // A list of objects is described by their fields, a list of texts by being a list.
  for (const [path, text] of fields) if (path.endsWith("[]") && (text === "object" || text === "string")) fields.delete(path);
  return fields;
}

function textOf(schema: StructuralSchema, required: boolean): string {
  const type = schema["x-kubernetes-int-or-string"] === true ? QUANTITY : (schema.format ?? schema.type);
  const range =
    schema.minimum === undefined && schema.maximum === undefined ? "" : `${schema.minimum ?? ""}..${schema.maximum ?? ""}`;
  return [
    `${type}${required ? "!" : ""}`,
    schema["x-kubernetes-preserve-unknown-fields"] === true ? "preserved" : "",
    schema["x-kubernetes-map-type"] ?? "",
    schema["x-kubernetes-list-type"] === "map" ? `by ${schema["x-kubernetes-list-map-keys"]?.join()}` : "",
    schema.enum?.join("|") ?? "",
    schema.maxLength === undefined ? "" : `≤${schema.maxLength}`,
    range,
    schema.pattern === undefined || type === QUANTITY ? "" : `/${schema.pattern}/`,
    schema.default === undefined ? "" : `=${JSON.stringify(schema.default)}`,
    ...(schema["x-kubernetes-validations"] ?? []).map(({ rule }) => `(${rule})`),
    schema.extension === true ? "ext" : "",
  ]
    .filter((part) => part !== "")
    .join(" ");
}
