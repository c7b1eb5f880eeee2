// Push: the parent's controller-manager runs helm through the hub, with a chart of a private registry; and what a person reads when the
// pull secret may not be used.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { HelmChart } from "#api/apps/v1alpha1/helm-chart.ts";
import { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { ConfigMap, Namespace, Role, RoleBinding, Secret } from "#kube/builtin-kinds.ts";
import { startChartRepository, type ChartRepository } from "#test/framework/chart-repository.ts";
import { SHOP, startDeliveryBed, type DeliveryBed } from "#test/framework/delivery-bed.ts";
import { eventually } from "#test/framework/eventually.ts";
import { startHubStandIn, type HubStandIn } from "#test/framework/hub-stand-in.ts";
import { resolveTool } from "#tools/toolchain.ts";

const user = { username: "robot", password: "correct horse" };
const stack = new AsyncDisposableStack();
let bed: DeliveryBed;
let registry: ChartRepository;
let hub: Promise<HubStandIn> | undefined;

const feed = { apiVersion: HelmChart.apiVersion, kind: HelmChart.kind, namespace: SHOP, name: "web" };
const chartKey = { namespace: SHOP, name: "web" };
const cluster = { namespace: "child-1", name: "child-1" };
const settings = { namespace: "apps", name: "web-settings" };

beforeAll(async () => {
  const helm = await resolveTool("helm");
  registry = stack.use(await startChartRepository({ user }));
  for (const version of ["1.0.0", "1.1.0"]) registry.publish({ name: "web", version });
  const kubeconfigs = new Map<string, string>();
  bed = stack.use(
    await startDeliveryBed({
      children: 1,
      syncMode: "Push",
      appPusher: true,
      helm,
      parentConnection: async ({ adminKubeconfig }) => {
        hub ??= startHubStandIn({ parentKubeconfig: adminKubeconfig, kubeconfigOf: (id) => kubeconfigs.get(id) });
        return (await hub).connect();
      },
    }),
  );
  for (const { clusterId, controlPlane } of bed.children) kubeconfigs.set(clusterId, controlPlane.adminKubeconfig);
  bed.startScheduler();
  bed.startControllerManager([`--helm=${helm}`]);
  bed.children[0]!.startAgent();
});

afterAll(async () => {
  await stack.disposeAsync();
  await (await hub)?.[Symbol.asyncDispose]();
});

async function makeSecret(namespace: string): Promise<void> {
  const encoded = Object.fromEntries(Object.entries(user).map(([key, value]) => [key, Buffer.from(value).toString("base64")]));
  const secret: Secret = { apiVersion: "v1", kind: "Secret", metadata: { namespace, name: "registry" }, data: encoded };
  await bed.parent.create(Secret, secret, bed.signal);
}
const change = (spec: object): Promise<HelmChart> =>
  bed.parent.patch(HelmChart, chartKey, { type: "merge", body: { spec } }, bed.signal);
const releases = async (): Promise<readonly HelmRelease[]> => (await bed.parent.list(HelmRelease, {}, bed.signal)).items;
const inChild = (): Promise<ConfigMap | undefined> => bed.children[0]!.client.get(ConfigMap, settings, bed.signal);
const chartSays = (text: string): Promise<boolean> =>
  eventually(`the chart says ${text}`, async () => {
    const current = await bed.parent.get(HelmChart, chartKey, bed.signal);
    if (current?.status?.reason?.includes(text) === true) return true;
    throw new Error(JSON.stringify(current?.status));
  });

test("a secret of another namespace is refused without its owner's word", async () => {
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "vault" } };
  await bed.parent.apply(Namespace, namespace, { fieldManager: "test", force: true }, bed.signal);
  await makeSecret("vault");
  const spec = {
    repo: registry.oci,
    chart: "web",
    version: "1.0.0",
    plainHTTP: true,
    targetNamespace: "apps",
    createNamespace: true,
    timeoutSeconds: 60,
    chartPullSecret: { name: "registry", namespace: "vault" },
  };
  const { apiVersion, kind } = HelmChart;
  await bed.parent.create(HelmChart, { apiVersion, kind, metadata: chartKey, spec }, bed.signal);
  await bed.subscribe({ name: "web", feeds: [feed] });
  await chartSays("apps.clusternet.io/allow-charts-from");
  expect(registry.requests).toEqual([]);
  expect(await releases()).toEqual([]);
});

test("with a secret of its own namespace the parent pushes the release", async () => {
  await makeSecret(SHOP);
  await change({ chartPullSecret: { name: "registry", namespace: null } });
  await eventually("it is deployed", async () => {
    const [release] = await releases();
    if (release?.status?.phase === "deployed") return release;
    throw new Error(JSON.stringify(release?.status));
  });
  expect(await inChild()).toMatchObject({ data: { version: "1.0.0" } });
  const { status } = await bed.condition("web", "Available");
  expect(status).toMatchObject({ completedReleases: 1, aggregatedStatuses: [{ feedStatusSummary: { available: true } }] });
  expect((await hub)?.pushed.some((path) => path.includes("sh.helm.release.v1.web"))).toBe(true);
  expect(JSON.stringify(await releases())).not.toContain(user.password);
});

test("the agent sees what somebody edits of a release, and the parent puts it back", async () => {
  const child = bed.children[0]!.client;
  await child.patch(ConfigMap, settings, { type: "merge", body: { data: { colour: "red" } } }, bed.signal);
  await eventually("the edit is put back", async () => (await inChild())?.data?.["colour"] === "blue");
  await eventually("condition Drifted says so", async () => {
    const condition = (await releases())[0]?.status?.conditions?.find(({ type }) => type === "Drifted");
    return condition?.status === "False" ? true : undefined;
  });
});

test("a cluster that takes over itself gets to read that one secret, and loses it with the release", async () => {
  await bed.parent.patch(ManagedCluster, cluster, { type: "merge", body: { spec: { syncMode: "Pull" } } }, bed.signal);
  await change({ version: "1.1.0" });
  await eventually("the agent upgraded", async () => (await inChild())?.data?.["version"] === "1.1.0");
  const { items } = await bed.parent.list(Role, { namespace: SHOP }, bed.signal);
  expect(items.map(({ rules }) => rules)).toEqual([
    [{ apiGroups: [""], resources: ["secrets"], resourceNames: ["registry"], verbs: ["get"] }],
  ]);
  await bed.parent.delete(Subscription, { namespace: SHOP, name: "web" }, {}, bed.signal);
  await eventually("the Subscription is gone", async () => (await bed.subscription("web")) === undefined);
  expect(await inChild()).toBeUndefined();
  expect((await bed.parent.list(Role, { namespace: SHOP }, bed.signal)).items).toEqual([]);
  expect((await bed.parent.list(RoleBinding, { namespace: SHOP }, bed.signal)).items).toEqual([]);
});
