// The options that say how carefully a chart is installed and removed, with the real helm: wait, atomic, upgradeAtomic, timeoutSeconds,
// replaceCRDs, Retain; and a helm that is killed in the middle of an upgrade.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { HelmChart } from "#api/apps/v1alpha1/helm-chart.ts";
import { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ConfigMap, CustomResourceDefinition, Namespace, Pod, Secret, ServiceAccount } from "#kube/builtin-kinds.ts";
import { startChartRepository, type ChartRepository } from "#test/framework/chart-repository.ts";
import { SHOP, startDeliveryBed, type Child, type DeliveryBed } from "#test/framework/delivery-bed.ts";
import { eventually } from "#test/framework/eventually.ts";
import { resolveTool } from "#tools/toolchain.ts";

const stack = new AsyncDisposableStack();
let bed: DeliveryBed;
let child: Child;
let repository: ChartRepository;

type Spec = HelmChart["spec"];

/** No node runs it: it is ready when a test says so. */
const pod = `apiVersion: v1
kind: Pod
metadata: { name: {{ .Release.Name }} }
spec: { containers: [{ name: web, image: web }] }
`;
const settings = `apiVersion: v1
kind: ConfigMap
metadata: { name: {{ .Release.Name }} }
data: { version: {{ .Chart.Version | quote }} }
`;
const definition = (field: string): string =>
  JSON.stringify({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "shelves.shop.example" },
    spec: {
      group: "shop.example",
      scope: "Namespaced",
      names: { kind: "Shelf", plural: "shelves" },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: "object", properties: { [field]: { type: "string" } } } },
        },
      ],
    },
  });
const other = definition("width").replaceAll("shelves", "boxes").replaceAll("Shelf", "Box");

beforeAll(async () => {
  const helm = await resolveTool("helm");
  repository = stack.use(await startChartRepository());
  const charts = {
    waiting: [{ "templates/pod.yaml": pod }],
    careful: [{ "templates/settings.yaml": settings }, { "templates/settings.yaml": settings, "templates/pod.yaml": pod }],
    killed: [{ "templates/settings.yaml": settings }, { "templates/settings.yaml": settings, "templates/pod.yaml": pod }],
    kept: [{ "templates/settings.yaml": settings }],
    crds: [
      { "crds/shelf.yaml": definition("width"), "templates/settings.yaml": settings },
      { "crds/shelf.yaml": definition("height"), "templates/settings.yaml": settings },
      {
        "crds/shelf.yaml": definition("depth"),
        "crds/box.yaml": other,
        "templates/settings.yaml": settings,
        "templates/box.yaml": "apiVersion: shop.example/v1\nkind: Box\nmetadata: { name: first }\nwidth: small\n",
      },
    ],
  };
  for (const [name, versions] of Object.entries(charts)) {
    for (const [index, files] of versions.entries()) repository.publish({ name, version: `1.${String(index)}.0`, files });
  }
  bed = stack.use(await startDeliveryBed({ children: 1, helm }));
  bed.startScheduler();
  bed.startControllerManager();
  child = bed.children[0]!;
  child.startAgent();
  const apps = { apiVersion: "v1", kind: "Namespace", metadata: { name: "apps" } };
  await child.client.apply(Namespace, apps, { fieldManager: "test", force: true }, bed.signal);
  await eventually("pods can be made", () =>
    child.client.get(ServiceAccount, { namespace: "apps", name: "default" }, bed.signal),
  );
});

afterAll(async () => {
  await stack.disposeAsync();
});

async function subscribe(name: string, options: Partial<Spec>): Promise<void> {
  const { apiVersion, kind } = HelmChart;
  const spec: Spec = {
    repo: repository.url,
    chart: name,
    version: "1.0.0",
    targetNamespace: "apps",
    createNamespace: true,
    timeoutSeconds: 60,
    ...options,
  };
  await bed.parent.create(HelmChart, { apiVersion, kind, metadata: { namespace: SHOP, name }, spec }, bed.signal);
  await bed.subscribe({ name, feeds: [{ apiVersion, kind, namespace: SHOP, name }] });
}
const change = (name: string, spec: Partial<Spec>): Promise<HelmChart> =>
  bed.parent.patch(HelmChart, { namespace: SHOP, name }, { type: "merge", body: { spec } }, bed.signal);
const release = (name: string): Promise<HelmRelease | undefined> =>
  bed.parent.get(HelmRelease, { namespace: "child-1", name: `${name}.${SHOP}-helm-${SHOP}-${name}` }, bed.signal);
const releaseIs = (name: string, phase: string, about: Partial<Spec> = {}): Promise<HelmRelease> =>
  eventually(`release ${name} is ${phase}`, async () => {
    const current = await release(name);
    const isOf = Object.entries(about).every(([member, value]) => current?.spec[member as keyof Spec] === value);
    if (isOf && current?.status?.phase === phase && current.status.observedGeneration === current.metadata.generation)
      return current;
    throw new Error(JSON.stringify(current?.status));
  });
const unsubscribe = async (name: string): Promise<void> => {
  await bed.parent.delete(Subscription, { namespace: SHOP, name }, {}, bed.signal);
  await eventually("the Subscription is gone", async () => (await bed.subscription(name)) === undefined);
  const key = { namespace: SHOP, name };
  await bed.parent.delete(HelmChart, key, {}, bed.signal);
  await eventually("the chart is gone", async () => (await bed.parent.get(HelmChart, key, bed.signal)) === undefined);
};
const find = (name: string): Promise<Pod | undefined> => child.client.get(Pod, { namespace: "apps", name }, bed.signal);
const version = async (name: string): Promise<string | undefined> =>
  (await child.client.get(ConfigMap, { namespace: "apps", name }, bed.signal))?.data?.["version"];
const makeReady = async (name: string): Promise<void> => {
  const body = { status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] } };
  await eventually(`pod ${name} is ready`, () =>
    child.client.patch(Pod, { namespace: "apps", name }, { type: "merge", body, subresource: "status" }, bed.signal),
  );
};
const conditionOf = (current: HelmRelease): unknown => current.status?.conditions?.find(({ type }) => type === "Applied")?.reason;

test("wait: a release is deployed when its pods are ready, and not before", async () => {
  await subscribe("waiting", { wait: true });
  const before = await eventually("the pod is made", () => find("waiting"));
  expect(before.metadata.name).toBe("waiting");
  expect((await release("waiting"))?.status?.phase).toBe("pending-install");
  await makeReady("waiting");
  await releaseIs("waiting", "deployed");
  await unsubscribe("waiting");
});

test("timeoutSeconds ends a wait; what was installed stays, and the next attempt upgrades it", async () => {
  await subscribe("waiting", { wait: true, timeoutSeconds: 2 });
  const failed = await releaseIs("waiting", "failed");
  expect(conditionOf(failed)).toBe("HelmFailed");
  expect(failed.status?.description).toMatch(/timed out|deadline exceeded|not ready/i);
  expect(await find("waiting")).toBeDefined();
  await makeReady("waiting");
  await releaseIs("waiting", "deployed");
  await unsubscribe("waiting");
});

test("atomic: a failed installation leaves nothing, and the status says so", async () => {
  await subscribe("waiting", { atomic: true, timeoutSeconds: 2 });
  const failed = await releaseIs("waiting", "failed");
  expect(failed.status?.description).toMatch(/uninstalled due to atomic/);
  // The next attempt may be under way.
  await unsubscribe("waiting");
  expect(await find("waiting")).toBeUndefined();
});

test("upgradeAtomic: an upgrade that does not become ready in time is rolled back, and the status says so", async () => {
  await subscribe("careful", { upgradeAtomic: true, timeoutSeconds: 2 });
  await releaseIs("careful", "deployed");
  await change("careful", { version: "1.1.0" });
  const failed = await releaseIs("careful", "failed", { version: "1.1.0" });
  expect(conditionOf(failed)).toBe("HelmFailed");
  expect(failed.status?.description).toMatch(/rolled back due to atomic/);
  expect(failed.status).toMatchObject({ version: 3, chartVersion: "1.0.0" });
  await eventually("the Subscription says so", async () => {
    return JSON.stringify((await bed.subscription("careful"))?.status?.conditions).includes("rolled back");
  });
  await change("careful", { version: "1.0.0" });
  await releaseIs("careful", "deployed", { version: "1.0.0" });
  expect(await version("careful")).toBe("1.0.0");
  expect(await find("careful")).toBeUndefined();
});

test("replaceCRDs: a definition becomes the chart's, and without it stays as it was", async () => {
  const fields = async (): Promise<readonly string[]> => {
    const crd = await child.client.get(CustomResourceDefinition, { name: "shelves.shop.example" }, bed.signal);
    const { schema } = crd!.spec.versions[0] as unknown as { schema: { openAPIV3Schema: { properties: object } } };
    return Object.keys(schema.openAPIV3Schema.properties);
  };
  await subscribe("crds", {});
  await releaseIs("crds", "deployed");
  expect(await fields()).toEqual(["width"]);
  await change("crds", { version: "1.1.0" });
  await releaseIs("crds", "deployed", { version: "1.1.0" });
  expect(await fields()).toEqual(["width"]);
  await change("crds", { replaceCRDs: true });
  await releaseIs("crds", "deployed", { replaceCRDs: true });
  expect(await fields()).toEqual(["height"]);
  // One that is new, and an object of it.
  await change("crds", { version: "1.2.0" });
  await releaseIs("crds", "deployed", { version: "1.2.0" });
  expect(await fields()).toEqual(["depth"]);
  // helm leaves definitions behind; another installation brings its own.
  await unsubscribe("crds");
  expect(await fields()).toEqual(["depth"]);
  await subscribe("crds", { version: "1.1.0", replaceCRDs: true });
  await releaseIs("crds", "deployed");
  expect(await fields()).toEqual(["height"]);
});

test("a helm that is killed in the middle of an upgrade leaves it pending, says so, and the next run goes on", async () => {
  await subscribe("killed", { wait: true });
  await releaseIs("killed", "deployed");
  await change("killed", { version: "1.1.0" });
  const pid = await eventually("helm upgrades", () => helmOf(["upgrade", "killed"]));
  await eventually("the pod is made", () => find("killed"));
  process.kill(pid, "SIGKILL");
  const record = { namespace: "apps", name: "sh.helm.release.v1.killed.v2" };
  expect((await child.client.get(Secret, record, bed.signal))?.metadata.labels?.["status"]).toBe("pending-upgrade");
  const failed = await releaseIs("killed", "failed");
  expect(failed.status?.description).toMatch(/SIGKILL/);
  await makeReady("killed");
  const { status } = await releaseIs("killed", "deployed");
  expect(status).toMatchObject({ version: 3, chartVersion: "1.1.0" });
  expect((await child.client.get(Secret, record, bed.signal))?.metadata.labels?.["status"]).not.toBe("pending-upgrade");
});

test("onDelete Retain, set in the same moment: the release and its objects stay, and can be taken up again", async () => {
  await subscribe("kept", {});
  await releaseIs("kept", "deployed");
  const body = { spec: { delivery: { onDelete: "Retain" } } };
  await bed.parent.patch(Subscription, { namespace: SHOP, name: "kept" }, { type: "merge", body }, bed.signal);
  await unsubscribe("kept");
  expect(await release("kept")).toBeUndefined();
  expect(await version("kept")).toBe("1.0.0");
  const record = { namespace: "apps", name: "sh.helm.release.v1.kept.v1" };
  expect((await child.client.get(Secret, record, bed.signal))?.metadata.labels?.["status"]).toBe("deployed");
  // What is edited meanwhile is put back by the next upgrade.
  const edited = { data: { version: "edited" } };
  const key = { namespace: "apps", name: "kept" };
  await child.client.patch(ConfigMap, key, { type: "merge", body: edited, fieldManager: "kubectl-edit" }, bed.signal);
  await subscribe("kept", {});
  expect((await releaseIs("kept", "deployed")).status).toMatchObject({ version: 2 });
  expect(await version("kept")).toBe("1.0.0");
  await unsubscribe("kept");
  expect(await version("kept")).toBeUndefined();
});

/** Process id of a helm that this process started, as an agent does. */
async function helmOf(words: readonly string[]): Promise<number | undefined> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const read = (pid: string, file: string): Promise<string> => readFile(join("/proc", pid, file), "utf8").catch(() => "");
  for (const pid of pids) {
    const parent = /\) \S (\d+)/.exec(await read(pid, "stat"))?.[1];
    if (Number(parent) !== process.pid) continue;
    const arguments_ = (await read(pid, "cmdline")).split("\0");
    if (words.every((word) => arguments_.includes(word))) return Number(pid);
  }
  return undefined;
}
