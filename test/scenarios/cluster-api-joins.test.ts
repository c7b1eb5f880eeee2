// A cluster of Cluster API gets its agent and its permission to join by itself, and loses both in either direction. The integration runs
// with the rights that it is installed with, and nothing plays the controller-manager: what is asserted is what the integration does.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { parse, stringify } from "yaml";
import { annotations, finalizers, namespaces } from "#api/names.ts";
import { runIntegration } from "#cluster-api-integration/integration.ts";
import { parseIntegrationOptions } from "#cluster-api-integration/options.ts";
import { CLUSTER_API_SETTINGS_NAME, clusterApiIntegrationStages, JOINING_NAMESPACE } from "#install/cluster-api-integration.ts";
import { crdObjects } from "#install/crds.ts";
import type { InstallObject } from "#install/object.ts";
import { parentBaseStages } from "#install/parent.ts";
import { realClock } from "#std/clock.ts";
import { silentLogger } from "#std/log.ts";
import { startControlPlane, type ControlPlane } from "#test/framework/control-plane.ts";
import { eventually as eventuallyWithin } from "#test/framework/eventually.ts";
import { clusterApiCrd } from "#tools/cluster-api-crds.ts";

const SETUP_MS_MAX = 300_000;
const TEST_MS_MAX = 240_000;
const SYSTEM = `/api/v1/namespaces/${namespaces.system}`;
const CLUSTERS = "/apis/cluster.x-k8s.io/v1beta2/namespaces/default/clusters";
const AGENT = `/apis/apps/v1/namespaces/${namespaces.system}/deployments/clusternet-agent`;
const SETTINGS = `${SYSTEM}/configmaps/${CLUSTER_API_SETTINGS_NAME}`;
const options = {
  namespace: namespaces.system,
  image: "example.test/pulumi-clusternet:1",
  parentUrl: "https://parent.example:6443",
  parentCaPem: "PEM",
} as const;

let parent: ControlPlane;
let workload: ControlPlane;
let stopIntegration: () => Promise<void>;

interface Metadata {
  readonly metadata: {
    readonly annotations?: Record<string, string>;
    readonly finalizers?: string[];
    readonly deletionTimestamp?: string;
    readonly resourceVersion: string;
  };
}
type Grant = Metadata & { readonly data: Record<string, string> };

beforeAll(async () => {
  [parent, workload] = await Promise.all([startControlPlane({ name: "parent" }), startControlPlane({ name: "workload" })]);
  await installInto(parent, [...crdObjects(), parse(await readFile(await clusterApiCrd(), "utf8")) as InstallObject]);
  const { admin } = parent;
  await eventually(
    "the definitions are served",
    async () => (await admin.request({ method: "GET", path: CLUSTERS })).status === 200,
  );
  const stages = [
    ...parentBaseStages({ namespace: namespaces.system, reservedNamespace: namespaces.reserved }),
    ...integration(),
  ];
  await installInto(parent, stages.flat());
  stopIntegration = await startIntegration();
}, SETUP_MS_MAX);

afterAll(async () => {
  await stopIntegration();
  await Promise.all([parent[Symbol.asyncDispose](), workload[Symbol.asyncDispose]()]);
}, SETUP_MS_MAX);

test(
  "joins when its control plane is ready, follows its labels, and goes when the Cluster is deleted",
  async () => {
    await makeCluster("oslo", { stage: "demo" });
    await giveKubeconfig("oslo", "clusters: [{ name: a, cluster: { server: https://example.test } }]");
    await markReady("oslo");
    // A broken Secret is said and tried again.
    await eventually("an Event about the broken kubeconfig", () => hasEvent("oslo", "KubeconfigUnusable"));
    expect(await cluster("oslo")).not.toMatchObject({
      metadata: { finalizers: expect.arrayContaining([finalizers.clusterApi]) },
    });
    await giveKubeconfig("oslo", await readFile(workload.adminKubeconfig, "utf8"));

    const grant = await eventually("the grant", () => grantOf("oslo"));
    expect(grant.data).toEqual({
      username: `system:serviceaccount:${JOINING_NAMESPACE}:clusternet-join-oslo`,
      clusterName: "oslo",
      clusterNamespace: "clusternet-oslo",
      clusterLabels: '{"stage":"demo"}',
      syncModes: "Pull",
    });
    expect((await cluster("oslo"))?.metadata.finalizers).toContain(finalizers.clusterApi);
    expect(await workload.admin.get(AGENT)).toMatchObject({
      spec: { template: { spec: { containers: [{ image: options.image }] } } },
    });
    await canAskToJoin();

    await parent.admin.patch(`${CLUSTERS}/oslo`, { metadata: { labels: { stage: "live", "x.k8s.io/machinery": "y" } } });
    await eventually(
      "the grant follows the labels",
      async () => (await grantOf("oslo"))?.data["clusterLabels"] === '{"stage":"live"}',
    );
    const settled = (await grantOf("oslo"))?.metadata.resourceVersion;
    await parent.admin.patch(`${CLUSTERS}/oslo`, { metadata: { annotations: { touched: "yes" } } });
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect((await grantOf("oslo"))?.metadata.resourceVersion).toBe(settled);

    await parent.admin.delete(`${CLUSTERS}/oslo`);
    await eventually("the Cluster is let go", async () => (await cluster("oslo")) === undefined);
    expect(await workload.admin.get(AGENT)).toBeUndefined();
    expect(await grantOf("oslo")).toBeUndefined();
    await eventually(
      "its namespace goes",
      async () => (await parent.admin.get("/api/v1/namespaces/clusternet-oslo")) === undefined,
    );
  },
  TEST_MS_MAX,
);

test(
  "settings that are broken remove nothing; settings that are deleted remove everything, also what was made before a restart",
  async () => {
    await eventually(
      "the workload cluster is clean",
      async () => (await workload.admin.get(`/api/v1/namespaces/${namespaces.system}`)) === undefined,
    );
    await makeCluster("rome", {});
    await giveKubeconfig("rome", await readFile(workload.adminKubeconfig, "utf8"));
    // A namespace of this name that is somebody else's: the name is taken, and the namespace stays.
    await parent.admin.create("/api/v1/namespaces", {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "clusternet-rome" },
    });
    await markReady("rome");
    const grant = await eventually("the grant", () => grantOf("rome"));
    expect(grant.data["clusterName"]).toMatch(/^rome-[0-9a-f]{8}$/);

    await parent.admin.patch(SETTINGS, { data: { parentURL: "nonsense" } });
    await eventually("an Event about the settings", () =>
      hasEvent(CLUSTER_API_SETTINGS_NAME, "InvalidSettings", namespaces.system),
    );
    expect(await grantOf("rome")).toBeDefined();

    await stopIntegration();
    await parent.admin.delete(SETTINGS);
    expect((await parent.admin.get<Metadata>(SETTINGS))?.metadata.deletionTimestamp).toBeDefined();
    stopIntegration = await startIntegration();
    await eventually("the settings are let go", async () => {
      if ((await parent.admin.get(SETTINGS)) === undefined) return true;
      const [grantLeft, held, events] = [await grantOf("rome"), await cluster("rome"), await eventsOf("rome")];
      throw new Error(JSON.stringify({ grant: grantLeft?.metadata, cluster: held?.metadata, events }));
    });
    expect(await grantOf("rome")).toBeUndefined();
    expect(await workload.admin.get(AGENT)).toBeUndefined();
    expect((await cluster("rome"))?.metadata.finalizers ?? []).not.toContain(finalizers.clusterApi);
    expect((await parent.admin.get<Metadata>("/api/v1/namespaces/clusternet-rome"))?.metadata.deletionTimestamp).toBeUndefined();
  },
  TEST_MS_MAX,
);

const EVENTUALLY_MS_MAX = 90_000;
function eventually<T>(what: string, check: () => Promise<T>): ReturnType<typeof eventuallyWithin<T>> {
  return eventuallyWithin(what, check, { timeoutMs: EVENTUALLY_MS_MAX });
}

/** Its Deployment aside, whose process is this test. */
function integration(): readonly (readonly InstallObject[])[] {
  return clusterApiIntegrationStages(options).map((stage) => stage.filter(({ kind }) => kind !== "Deployment"));
}

async function installInto({ admin }: ControlPlane, objects: readonly InstallObject[]): Promise<void> {
  for (const object of objects) await admin.apply(pathOf(object), object);
}

const PLURALS: Readonly<Record<string, string>> = { ValidatingAdmissionPolicy: "validatingadmissionpolicies" };

function pathOf({ apiVersion, kind, metadata: { name, namespace } }: InstallObject): string {
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const place = namespace === undefined ? "" : `/namespaces/${namespace}`;
  return `${root}${place}/${PLURALS[kind] ?? `${kind.toLowerCase()}s`}/${name}`;
}

/** In this process, as its own ServiceAccount and nobody more. */
async function startIntegration(): Promise<() => Promise<void>> {
  const account = `${SYSTEM}/serviceaccounts/clusternet-cluster-api-integration`;
  const { status } = await parent.admin.create<{ status: { token: string } }>(`${account}/token`, {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { expirationSeconds: 3600 },
  });
  const config = parse(await readFile(parent.adminKubeconfig, "utf8")) as { users: { name: string; user: object }[] };
  const users = config.users.map(({ name }) => ({ name, user: { token: status.token } }));
  const path = join(parent.directory, "integration.kubeconfig");
  await writeFile(path, stringify({ ...config, users }));
  const controller = new AbortController();
  const flags = [`--kubeconfig=${path}`, "--health-port=0"];
  const running = runIntegration(
    parseIntegrationOptions(flags, {}),
    { env: {}, log: silentLogger, clock: realClock },
    controller.signal,
  );
  return async () => {
    controller.abort(new Error("The test stops the integration"));
    await running;
  };
}

async function makeCluster(name: string, labels: Readonly<Record<string, string>>): Promise<void> {
  await parent.admin.create(CLUSTERS, {
    apiVersion: "cluster.x-k8s.io/v1beta2",
    kind: "Cluster",
    metadata: { name, namespace: "default", labels },
    spec: { controlPlaneEndpoint: { host: "127.0.0.1", port: 6443 } },
  });
}

async function markReady(name: string): Promise<void> {
  await parent.admin.patch(`${CLUSTERS}/${name}/status`, { status: { initialization: { controlPlaneInitialized: true } } });
}

async function giveKubeconfig(name: string, text: string): Promise<void> {
  const secret = `${name}-kubeconfig`;
  await parent.admin.apply(`/api/v1/namespaces/default/secrets/${secret}`, {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: secret, namespace: "default" },
    data: { value: Buffer.from(text).toString("base64") },
  });
}

/** The token that the agent was given is one that may create requests, and nothing else. */
async function canAskToJoin(): Promise<void> {
  const secret = await workload.admin.get<{ data: Record<string, string> }>(
    `${SYSTEM}/secrets/clusternet-agent-cluster-registration`,
  );
  const token = Buffer.from(secret?.data["regToken"] ?? "", "base64").toString("utf8");
  const review = await parent.admin.create<{ status: { authenticated: boolean; user: { username: string; groups: string[] } } }>(
    "/apis/authentication.k8s.io/v1/tokenreviews",
    { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token } },
  );
  expect(review.status).toMatchObject({ authenticated: true });
  const { username, groups } = review.status.user;
  const may = async (verb: string, group: string, resource: string): Promise<boolean> => {
    const spec = { user: username, groups, resourceAttributes: { verb, group, resource } };
    const answer = await parent.admin.create<{ status: { allowed: boolean } }>(
      "/apis/authorization.k8s.io/v1/subjectaccessreviews",
      {
        apiVersion: "authorization.k8s.io/v1",
        kind: "SubjectAccessReview",
        spec,
      },
    );
    return answer.status.allowed;
  };
  expect(await may("create", "clusters.clusternet.io", "clusterregistrationrequests")).toBe(true);
  expect(await may("get", "", "secrets")).toBe(false);
  expect(await may("list", "clusters.clusternet.io", "managedclusters")).toBe(false);
}

function cluster(name: string): Promise<Metadata | undefined> {
  return parent.admin.get<Metadata>(`${CLUSTERS}/${name}`);
}

async function grantOf(name: string): Promise<Grant | undefined> {
  const list = await parent.admin.get<{ items: Grant[] }>(`${SYSTEM}/configmaps`);
  return list?.items.find(({ metadata }) => metadata.annotations?.[annotations.clusterApiCluster] === `default/${name}`);
}

async function eventsOf(name: string): Promise<readonly string[]> {
  const list = await parent.admin.get<{ items: { message: string; involvedObject: { name: string } }[] }>(
    "/api/v1/namespaces/default/events",
  );
  return (list?.items ?? []).filter(({ involvedObject }) => involvedObject.name === name).map(({ message }) => message);
}

async function hasEvent(name: string, reason: string, namespace = "default"): Promise<boolean> {
  const list = await parent.admin.get<{ items: { reason: string; involvedObject: { name: string } }[] }>(
    `/api/v1/namespaces/${namespace}/events`,
  );
  return list?.items.some((event) => event.reason === reason && event.involvedObject.name === name) === true;
}
