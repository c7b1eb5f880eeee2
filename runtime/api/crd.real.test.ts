// Our CustomResourceDefinitions in a real API server: over upstream's, accepted without complaint, true to every example, strict with
// every bad value.

import { existsSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";

import { type ControlPlane, startControlPlane } from "#test/framework/control-plane.ts";
import { eventually } from "#test/framework/eventually.ts";
import { kubectlWith } from "#tools/kubectl.ts";
import { crdName, crdOf } from "./crd.ts";
import type { Kind } from "./define-kind.ts";
import { kinds } from "./kinds.ts";
import type { KubeObject } from "./meta.ts";
import { openApiName, type OpenApiSchema, openApiSchemas } from "./openapi.ts";

type AnyObject = KubeObject & Readonly<Record<string, unknown>>;

interface CrdStatus {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[];
  };
}

interface OpenApiDocument {
  readonly components: { readonly schemas: Readonly<Record<string, OpenApiSchema>> };
}

const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const NAMESPACES = ["clusternet-reserved", "clusternet-5l82l"];

const feed = { apiVersion: "v1", kind: "ConfigMap", namespace: "foo", name: "web" };

let controlPlane: ControlPlane;
const { signal } = new AbortController();
/** An object of upstream's time, made before our CRDs were installed. */
let oldSubscription: AnyObject;

beforeAll(async () => {
  controlPlane = await startControlPlane({ name: "crds", controllerManager: false });
  const { admin } = controlPlane;
  for (const name of NAMESPACES) {
    await admin.create("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  }
  for (const crd of upstreamLikeCrds) {
    await admin.create(CRDS, crd);
    await established(crd.metadata.name);
  }
  const subscriptions = pathOf(kindOf("Subscription"), "default");
  await eventually("upstream's subscriptions are served", async () => {
    return (await admin.request({ method: "GET", path: subscriptions })).status === 200;
  });
  oldSubscription = await admin.create<AnyObject>(subscriptions, {
    apiVersion: "apps.clusternet.io/v1alpha1",
    kind: "Subscription",
    metadata: { name: "old", namespace: "default" },
    spec: { subscribers: [{ clusterAffinity: {} }], feeds: [feed], preemptionPolicy: "PreemptNever" },
  });
  oldSubscription = await admin.replace<AnyObject>(`${subscriptions}/old/status`, {
    ...oldSubscription,
    status: { specHash: 4294967295, desiredReleases: 1 },
  });
  for (const kind of kinds) await admin.apply(`${CRDS}/${crdName(kind)}`, crdOf(kind));
  for (const kind of kinds) {
    await established(crdName(kind));
    await eventually(`${kind.plural} are served with a status`, async () => {
      const group = await admin.get<{ resources: { name: string }[] }>(`/apis/${kind.apiVersion}`);
      const names = group?.resources.map(({ name }) => name) ?? [];
      return names.includes(kind.plural) && names.includes(`${kind.plural}/status`);
    });
  }
}, 120_000);

afterAll(async () => {
  await controlPlane[Symbol.asyncDispose]();
});

describe.each(kinds.map((kind) => [kind.kind, kind] as const))("%s", (_, kind) => {
  test("is established, and its schema is structural", async () => {
    const crd = await controlPlane.admin.get<CrdStatus>(`${CRDS}/${crdName(kind)}`);
    const conditions = Object.fromEntries((crd?.status?.conditions ?? []).map(({ type, status }) => [type, status]));
    expect(conditions).toEqual({ Established: "True", NamesAccepted: "True" });
  });

  test.each(kind.examples.map((example) => [example.title, example.object] as const))("example: %s", async (_title, example) => {
    const { admin } = controlPlane;
    const collection = pathOf(kind, example.metadata.namespace);
    // Strict: a field of the example that is not in the schema is an error, not dropped.
    const created = await admin.create<AnyObject>(`${collection}?fieldValidation=Strict`, example);
    // The status belongs to its subresource.
    expect(created["status"]).toBeUndefined();
    const withStatus = await admin.replace<AnyObject>(`${collection}/${example.metadata.name}/status?fieldValidation=Strict`, {
      ...created,
      status: example["status"] ?? { observedGeneration: 1 },
    });
    expect(withStatus).toMatchObject(example);
  });
});

describe("bad values are refused, with the field's name", () => {
  const chart = { repo: "https://charts.example.com", chart: "a", targetNamespace: "b" };
  const subscriber = { clusterAffinity: {} };
  const subscription = { subscribers: [subscriber], feeds: [] };
  const override = { feed: { apiVersion: "v1", kind: "Pod", name: "a" } };
  const clusterId = "dc91021d-2361-4f6d-a404-7c33b9e01118";
  const cluster = { clusterId, syncMode: "Pull" };

  test.each<[string, object, string]>([
    ["Base", {}, "spec.feeds"],
    ["Base", { feeds: [{ kind: "Pod", apiVersion: "v1" }] }, "spec.feeds[0].name"],
    ["Base", { feeds: [{ kind: "Pod", name: "a" }] }, "spec.feeds[0].apiVersion"],
    ["Base", { feeds: [{ apiVersion: "v1", name: "a" }] }, "spec.feeds[0].kind"],
    ["Description", {}, "spec.deployer"],
    ["Description", { deployer: "generic" }, "spec.deployer"],
    ["Description", { deployer: "Generic", raw: ["%%%"] }, "spec.raw[0]"],
    ["Description", { deployer: "Helm", charts: [{ name: "a" }] }, "spec.charts[0].namespace"],
    ["Globalization", { ...override, overrides: [{ type: "FieldMergePatch", value: "", fieldFormat: "YAML" }] }, "fieldPath"],
    [
      "Globalization",
      { ...override, overrides: [{ type: "FieldMergePatch", value: "", fieldFormat: "YAML", fieldPath: "data" }] },
      "starts with /",
    ],
    ["Globalization", { ...override, overrides: [{ type: "FieldJSONPatch", value: "", fieldPath: "/data/x" }] }, "fieldFormat"],
    ["FeedInventory", { feeds: [{ ...feed, desiredReplicas: "3" }] }, "spec.feeds[0].desiredReplicas"],
    [
      "FeedInventory",
      { feeds: [{ ...feed, replicaRequirements: { resources: { requests: { cpu: "1 core" } } } }] },
      "spec.feeds[0].replicaRequirements.resources.requests.cpu",
    ],
    ["Globalization", { ...override, overridePolicy: "Now" }, "spec.overridePolicy"],
    ["Globalization", { ...override, priority: 1001 }, "spec.priority"],
    ["Globalization", { ...override, priority: -1 }, "spec.priority"],
    ["Globalization", {}, "spec.feed"],
    ["Localization", { ...override, priority: 1001 }, "spec.priority"],
    ["Localization", { ...override, overrides: [{ type: "Patch", value: "" }] }, "spec.overrides[0].type"],
    ["Localization", { ...override, overrides: [{ type: "Helm" }] }, "spec.overrides[0].value"],
    [
      "Localization",
      { ...override, overrides: [{ type: "Helm", value: "", fieldFormat: "TOML" }] },
      "spec.overrides[0].fieldFormat",
    ],
    ["HelmChart", { ...chart, repo: "ftp://charts.example.com" }, "spec.repo"],
    ["HelmChart", { chart: "a", targetNamespace: "b" }, "spec.repo"],
    ["HelmChart", { ...chart, chart: undefined }, "spec.chart"],
    ["HelmChart", { ...chart, targetNamespace: undefined }, "spec.targetNamespace"],
    ["HelmRelease", { ...chart, targetNamespace: undefined }, "spec.targetNamespace"],
    ["HelmRelease", { ...chart, overrides: "{}" }, "spec.overrides"],
    ["HelmRelease", { ...chart, timeoutSeconds: "5m" }, "spec.timeoutSeconds"],
    ["Subscription", { feeds: [] }, "spec.subscribers"],
    ["Subscription", { subscribers: [subscriber] }, "spec.feeds"],
    ["Subscription", { ...subscription, subscribers: [{}] }, "spec.subscribers[0].clusterAffinity"],
    ["Subscription", { ...subscription, subscribers: [{ ...subscriber, weight: -1 }] }, "spec.subscribers[0].weight"],
    [
      "Subscription",
      { ...subscription, subscribers: [{ ...subscriber, subGroupStrategy: { minClusters: -1 } }] },
      "spec.subscribers[0].subGroupStrategy.minClusters",
    ],
    ["Subscription", { ...subscription, schedulingStrategy: "Divide" }, "spec.schedulingStrategy"],
    ["Subscription", { ...subscription, dividingScheduling: { type: "static" } }, "spec.dividingScheduling.type"],
    [
      "Subscription",
      { ...subscription, dividingScheduling: { type: "Dynamic", dynamicDividing: { strategy: "Even" } } },
      "spec.dividingScheduling.dynamicDividing.strategy",
    ],
    ["Subscription", { ...subscription, preemptionPolicy: "Always" }, "spec.preemptionPolicy"],
    ["ClusterRegistrationRequest", {}, "spec.clusterId"],
    ["ClusterRegistrationRequest", { clusterId: "dc91021d" }, "spec.clusterId"],
    ["ClusterRegistrationRequest", { clusterId: `${clusterId}/..` }, "spec.clusterId"],
    ["ClusterRegistrationRequest", { clusterId, clusterName: "a".repeat(31) }, "spec.clusterName"],
    ["ClusterRegistrationRequest", { clusterId, clusterName: "A" }, "spec.clusterName"],
    ["ClusterRegistrationRequest", { clusterId, clusterNamespace: "a".repeat(64) }, "spec.clusterNamespace"],
    ["ClusterRegistrationRequest", { clusterId, clusterNamespace: "" }, "spec.clusterNamespace"],
    ["ClusterRegistrationRequest", { clusterId, syncMode: "pull" }, "spec.syncMode"],
    ["ClusterRegistrationRequest", { clusterId, clusterLabels: { a: 1 } }, "spec.clusterLabels.a"],
    ["ManagedCluster", { syncMode: "Pull" }, "spec.clusterId"],
    ["ManagedCluster", { clusterId, syncMode: "Both" }, "spec.syncMode"],
    ["ManagedCluster", { clusterId }, "spec.syncMode"],
    ["ManagedCluster", { ...cluster, clusterInitBaseName: "a".repeat(513) }, "spec.clusterInitBaseName"],
    ["ManagedCluster", { ...cluster, taints: [{ key: "a" }] }, "spec.taints[0].effect"],
    ["ManagedCluster", { ...cluster, taints: [{ effect: "NoSchedule" }] }, "spec.taints[0].key"],
  ])("%s %j", async (name, spec, field) => {
    const { status, text } = await create(kindOf(name), { spec });
    expect(`${String(status)} ${text}`).toMatch(/^422 /);
    expect(messageOf(text)).toContain(field);
  });

  test("Manifest without a template", async () => {
    const { status, text } = await create(kindOf("Manifest"), { spec: {} });
    expect(status).toBe(422);
    expect(messageOf(text)).toContain("template: Required value");
  });

  test.each<[string, object, string]>([
    ["Subscription", { specHash: 2 ** 53 }, "status.specHash"],
    ["Subscription", { aggregatedStatuses: [{ ...feed, feedStatusDetails: [{ clusterId: "x" }] }] }, "clusterId"],
    ["Description", { phase: "Done" }, "status.phase"],
    ["HelmChart", { phase: "Lost" }, "status.phase"],
    ["HelmRelease", { phase: "Deployed" }, "status.phase"],
    ["ManagedCluster", { lastObservedTime: "yesterday" }, "status.lastObservedTime"],
    ["ManagedCluster", { allocatable: { cpu: "many" } }, "status.allocatable.cpu"],
    [
      "Base",
      { conditions: [{ type: "Ready", status: "Yes", reason: "A", message: "", lastTransitionTime: "2026-01-01T00:00:00Z" }] },
      "status.conditions[0].status",
    ],
  ])("status of %s %j", async (name, status, field) => {
    const kind = kindOf(name);
    const [example] = kind.examples;
    const path = `${pathOf(kind, example?.object.metadata.namespace)}/${example?.object.metadata.name}/status`;
    const contentType = "application/merge-patch+json";
    const answer = await controlPlane.admin.request({ method: "PATCH", path, body: { status }, contentType });
    expect(`${String(answer.status)} ${answer.text}`).toMatch(/^422 /);
    expect(messageOf(answer.text)).toContain(field);
  });
});

describe("what may not change", () => {
  async function patch(name: string, object: AnyObject, spec: object): Promise<string> {
    const path = `${pathOf(kindOf(name), object.metadata.namespace)}/${object.metadata.name}`;
    const body = { spec };
    const answer = await controlPlane.admin.request({ method: "PATCH", path, body, contentType: "application/merge-patch+json" });
    return answer.status < 300 ? "ok" : messageOf(answer.text);
  }

  test("anything in the spec of a ClusterRegistrationRequest", async () => {
    const { text } = await create(kindOf("ClusterRegistrationRequest"), {
      spec: { clusterId: "dc91021d-2361-4f6d-a404-7c33b9e01118" },
    });
    const request = JSON.parse(text) as AnyObject;
    for (const spec of [{ clusterName: "other" }, { syncMode: "Push" }, { publicKey: "{}" }, { clusterLabels: { a: "b" } }]) {
      expect(await patch("ClusterRegistrationRequest", request, spec)).toContain("spec is immutable");
    }
    expect(await patch("ClusterRegistrationRequest", request, { syncMode: "Pull" })).toBe("ok");
  });

  test("the initial Base of a ManagedCluster, once it is set", async () => {
    const spec = { clusterId: "dc91021d-2361-4f6d-a404-7c33b9e01118", syncMode: "Pull" };
    const cluster = JSON.parse((await create(kindOf("ManagedCluster"), { spec })).text) as AnyObject;
    expect(await patch("ManagedCluster", cluster, { clusterInitBaseName: "a" })).toBe("ok");
    expect(await patch("ManagedCluster", cluster, { clusterInitBaseName: "b" })).toContain("clusterInitBaseName is immutable");
    expect(await patch("ManagedCluster", cluster, { clusterInitBaseName: null })).toContain("is required once set");
    expect(await patch("ManagedCluster", cluster, { syncMode: "Push" })).toBe("ok");
  });
});

test("defaults appear", async () => {
  const chart = { repo: "https://charts.example.com", chart: "a", targetNamespace: "b" };
  const override = { feed: { apiVersion: "v1", kind: "Pod", name: "a" } };
  const subscription = { subscribers: [], feeds: [], dividingScheduling: { dynamicDividing: {} } };
  const specOf = async (name: string, spec: object): Promise<unknown> =>
    (JSON.parse((await create(kindOf(name), { spec })).text) as { spec: unknown }).spec;
  expect(await specOf("HelmChart", chart)).toEqual({ ...chart, createNamespace: true, timeoutSeconds: 300 });
  expect(await specOf("HelmRelease", chart)).toEqual({ ...chart, createNamespace: true, timeoutSeconds: 300 });
  expect(await specOf("Localization", override)).toEqual({ ...override, overridePolicy: "ApplyLater", priority: 500 });
  expect(await specOf("Globalization", override)).toEqual({ ...override, overridePolicy: "ApplyLater", priority: 500 });
  expect(await specOf("Subscription", subscription)).toEqual({
    ...subscription,
    schedulerName: "default",
    schedulingStrategy: "Replication",
    preemptionPolicy: "PreemptLowerPriority",
    dividingScheduling: { type: "Static", dynamicDividing: { strategy: "Spread" } },
  });
});

test("the API server publishes the schemas that our OpenAPI components are", async () => {
  const ours = openApiSchemas(kinds);
  for (const apiVersion of new Set(kinds.map((kind) => kind.apiVersion))) {
    const documentOf = () => controlPlane.admin.get<OpenApiDocument>(`/openapi/v3/apis/${apiVersion}`);
    const document = await eventually(`${apiVersion} is in the OpenAPI of the server`, documentOf);
    for (const kind of kinds.filter((candidate) => candidate.apiVersion === apiVersion)) {
      const name = openApiName(kind);
      expect(document.components.schemas[name]?.["x-kubernetes-group-version-kind"]).toEqual(
        ours[name]?.["x-kubernetes-group-version-kind"],
      );
      for (const field of Object.keys(kind.fields)) {
        expect(document.components.schemas[name]?.properties?.[field]).toEqual(ours[name]?.properties?.[field]);
      }
      expect(Object.keys(document.components.schemas)).toContain(`${name}List`);
    }
  }
});

test("both names of the policy that preempts nothing", async () => {
  for (const preemptionPolicy of ["PreemptNever", "Never"]) {
    const { status } = await create(kindOf("Subscription"), { spec: { subscribers: [], feeds: [], preemptionPolicy } });
    expect(status).toBe(201);
  }
});

test.each([0, 2608449479, 2 ** 32 - 1, Number.MAX_SAFE_INTEGER])("specHash %d comes back as it was", async (specHash) => {
  const path = `${pathOf(kindOf("Subscription"), "default")}/old`;
  await controlPlane.admin.patch(`${path}/status`, { status: { specHash } });
  expect(await controlPlane.admin.get(path)).toMatchObject({ status: { specHash } });
});

test("a status is no part of the object, and what is unknown is dropped except in templates", async () => {
  const manifest = await create(kindOf("Manifest"), {
    template: { kind: "X", deep: [{ er: null, n: 1.5 }] },
    status: { a: 1 },
    more: 1,
  });
  const object = JSON.parse(manifest.text) as AnyObject;
  expect(object["template"]).toEqual({ kind: "X", deep: [{ er: null, n: 1.5 }] });
  expect(object["status"]).toBeUndefined();
  expect(object["more"]).toBeUndefined();
});

test("objects of upstream survive the installation and can be used on", async () => {
  const path = `${pathOf(kindOf("Subscription"), "default")}/old`;
  const found = await controlPlane.admin.get<AnyObject>(path);
  expect(found).toMatchObject({ metadata: { uid: oldSubscription.metadata.uid }, spec: oldSubscription["spec"] as object });
  const conditions = [
    { type: "Scheduled", status: "True", reason: "Bound", message: "", lastTransitionTime: "2026-01-01T00:00:00+01:00" },
  ];
  await controlPlane.admin.patch(`${path}/status`, { status: { observedGeneration: 1, conditions } });
  expect(await controlPlane.admin.get(path)).toMatchObject({ status: { conditions: [{ type: "Scheduled" }] } });
});

describe("kubectl", () => {
  const kubectl = async (...args: readonly string[]): Promise<string> =>
    (await kubectlWith(controlPlane.adminKubeconfig, signal)).run(args);

  test("applies deploy/crds without a warning", async () => {
    const folder = join(import.meta.dirname, "../../deploy/crds");
    const apply = ["apply", "--server-side", "--force-conflicts", "--validate=strict", "-f", folder];
    const { stdout, stderr } = await (await kubectlWith(controlPlane.adminKubeconfig, signal)).attempt(apply);
    expect(stdout.split("\n").filter((line) => line.endsWith("serverside-applied"))).toHaveLength(kinds.length);
    expect(stderr).toBe("");
  });

  test("short names, the category and columns", async () => {
    const wide = await kubectl("get", "mcls", "-A", "-o", "wide");
    expect(wide.split("\n")[0]?.split(/  +/)).toEqual([
      ...["NAMESPACE", "NAME", "CLUSTER ID", "CLUSTER TYPE", "SYNC MODE", "KUBERNETES", "STATUS", "AGE", "AGENT VERSION"],
    ]);
    expect(wide).toMatch(/clusternet-cluster-x7k2p +dc91021d-\S+ +StandardCluster +Dual +v1\.30\.2 +True +\S+ +v0\.18\.0/);
    const shortNames = kinds.flatMap((kind) => kind.shortNames);
    for (const shortName of shortNames) expect(await kubectl("get", shortName, "-A", "-o", "name")).toContain(".clusternet.io/");
    expect(await kubectl("get", "clusternet", "-A", "-o", "name")).toContain("subscription.apps.clusternet.io/web-sub");
  });

  test("remembers what a server has beside the kubeconfig, not for the next server at the same address", () => {
    expect(existsSync(`${controlPlane.adminKubeconfig}.cache/discovery`)).toBe(true);
  });

  test("explains a field", async () => {
    const explained = await kubectl("explain", "subscription.spec.preemptionPolicy");
    // kubectl breaks lines where it likes.
    expect(explained.replaceAll(/\s+/g, " ")).toContain("PreemptNever and Never mean the same");
  });
});

function kindOf(name: string): Kind {
  const found = kinds.find(({ kind }) => kind === name);
  if (found === undefined) throw new Error(`No kind ${name}`);
  return found;
}

function pathOf({ apiVersion, plural, scope }: Kind, namespace = "default"): string {
  return scope === "Cluster" ? `/apis/${apiVersion}/${plural}` : `/apis/${apiVersion}/namespaces/${namespace}/${plural}`;
}

function create(kind: Kind, fields: object): Promise<{ readonly status: number; readonly text: string }> {
  const body = { apiVersion: kind.apiVersion, kind: kind.kind, metadata: { generateName: "test-" }, ...fields };
  return controlPlane.admin.request({ method: "POST", path: pathOf(kind), body });
}

function messageOf(text: string): string {
  return (JSON.parse(text) as { message: string }).message;
}

async function established(name: string): Promise<void> {
  await eventually(`${name} is established`, async () => {
    const crd = await controlPlane.admin.get<CrdStatus>(`${CRDS}/${name}`);
    const conditions = crd?.status?.conditions ?? [];
    return conditions.some(({ type, status }) => type === "Established" && status === "True");
  });
}

/** As upstream installs them where they differ from ours: no status subresource, one name of the policy, no status in the schema. */
const upstreamLikeCrds = [
  upstreamLike({ kind: "Base", plural: "bases", subresources: {}, properties: { spec: { type: "object" } } }),
  upstreamLike({
    kind: "FeedInventory",
    plural: "feedinventories",
    shortNames: ["finv"],
    properties: { spec: { type: "object" } },
  }),
  upstreamLike({
    kind: "Subscription",
    plural: "subscriptions",
    shortNames: ["sub", "subs"],
    subresources: { status: {} },
    properties: {
      spec: {
        type: "object",
        required: ["feeds", "subscribers"],
        properties: {
          preemptionPolicy: { type: "string", enum: ["PreemptLowerPriority", "PreemptNever"], default: "PreemptLowerPriority" },
          feeds: { type: "array", items: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
          subscribers: { type: "array", items: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
        },
      },
      status: {
        type: "object",
        properties: { specHash: { type: "integer", format: "int64" }, desiredReleases: { type: "integer" } },
      },
    },
  }),
];

interface UpstreamLike {
  readonly kind: string;
  readonly plural: string;
  readonly shortNames?: readonly string[];
  readonly subresources?: object;
  readonly properties: object;
}

function upstreamLike({ kind, plural, shortNames = [], subresources, properties }: UpstreamLike): KubeObject {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: {
      name: `${plural}.apps.clusternet.io`,
      annotations: { "controller-gen.kubebuilder.io/version": "v0.17.0" },
    },
    ...{
      spec: {
        group: "apps.clusternet.io",
        names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase(), shortNames, categories: ["clusternet"] },
        scope: "Namespaced",
        versions: [
          {
            name: "v1alpha1",
            served: true,
            storage: true,
            ...(subresources === undefined ? {} : { subresources }),
            schema: {
              openAPIV3Schema: {
                type: "object",
                required: ["spec"],
                properties: { metadata: { type: "object" }, ...properties },
              },
            },
          },
        ],
      },
    },
  };
}
