// Push and Dual: the parent delivers through the hub's proxy path, with no credential of the child; the agent only reports.

import { afterAll, describe, expect, test } from "@jest/globals";
import { Description } from "#api/apps/v1alpha1/description.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { ConfigMap } from "#kube/builtin-kinds.ts";
import { aConfigMap, feedOf, SHOP, startDeliveryBed, type DeliveryBed } from "#test/framework/delivery-bed.ts";
import { eventually } from "#test/framework/eventually.ts";
import { startHubStandIn, type HubStandIn } from "#test/framework/hub-stand-in.ts";

const settings = aConfigMap("settings", { colour: "blue" });
const key = { namespace: SHOP, name: "settings" };
let hub: HubStandIn | undefined;
let hubStarting: Promise<HubStandIn> | undefined;
let bed: DeliveryBed | undefined;

async function start(syncMode: "Push" | "Dual", appPusher: boolean): Promise<DeliveryBed> {
  const kubeconfigs = new Map<string, string>();
  const started = await startDeliveryBed({
    children: 1,
    syncMode,
    appPusher,
    parentConnection: async ({ adminKubeconfig }) => {
      hubStarting ??= startHubStandIn({ parentKubeconfig: adminKubeconfig, kubeconfigOf: (id) => kubeconfigs.get(id) });
      hub = await hubStarting;
      return hub.connect();
    },
  });
  for (const { clusterId, controlPlane } of started.children) kubeconfigs.set(clusterId, controlPlane.adminKubeconfig);
  started.startScheduler();
  started.startControllerManager();
  await started.template(settings);
  return started;
}

afterAll(async () => {
  await bed?.[Symbol.asyncDispose]();
  await hub?.[Symbol.asyncDispose]();
});

const writes = (paths: readonly string[]): readonly string[] => paths.filter((path) => path.includes("/configmaps/settings"));

describe("Push", () => {
  test("the parent applies, the agent reports, a change follows, deletion prunes", async () => {
    bed = await start("Push", true);
    const { parent, children, signal } = bed;
    const [child] = children;
    const agent = child!.startAgent();
    await bed.subscribe({ name: "web", feeds: [feedOf(settings)] });
    await bed.condition("web", "Available");
    expect(await child!.client.get(ConfigMap, key, signal)).toMatchObject({ data: { colour: "blue" } });
    expect(writes(hub!.pushed).length).toBeGreaterThan(0);

    await bed.template(aConfigMap("settings", { colour: "green" }));
    await eventually("the change", async () => (await child!.client.get(ConfigMap, key, signal))?.data?.["colour"] === "green");

    // What the child changes, its agent reports, and the parent puts it back.
    const body = { data: { colour: "red" } };
    await child!.client.patch(ConfigMap, key, { type: "merge", body, fieldManager: "kubectl-edit" }, signal);
    await eventually("put back", async () => (await child!.client.get(ConfigMap, key, signal))?.data?.["colour"] === "green");
    await child!.client.delete(ConfigMap, key, {}, signal);
    await eventually("made again", async () => (await child!.client.get(ConfigMap, key, signal))?.data?.["colour"] === "green");
    await eventually("the agent says that it is over", async () => {
      // The Subscription may never have shown it: its status is written twice a second, and it was over before.
      const description = await parent.get(Description, { namespace: "child-1", name: "web.shop-generic" }, signal);
      return description?.status?.conditions?.find(({ type }) => type === "Drifted")?.status === "False";
    });

    await parent.delete(Subscription, { namespace: SHOP, name: "web" }, {}, signal);
    await eventually("the Subscription is gone", async () => (await bed?.subscription("web")) === undefined);
    expect(await child!.client.get(ConfigMap, key, signal)).toBeUndefined();
    await agent.stop();
  });

  test("Dual pushes when the child allows it, and lets the agent deliver when it does not", async () => {
    const { parent, children, signal } = bed!;
    const [child] = children;
    const cluster = { namespace: "child-1", name: "child-1" };
    await parent.patch(ManagedCluster, cluster, { type: "merge", body: { spec: { syncMode: "Dual" } } }, signal);
    const agent = child!.startAgent();
    await bed!.subscribe({ name: "dual", feeds: [feedOf(settings)] });
    await bed!.condition("dual", "Delivered");
    const pushes = writes(hub!.pushed).length;
    expect(pushes).toBeGreaterThan(0);
    await agent.stop();

    await parent.patch(
      ManagedCluster,
      cluster,
      { type: "merge", body: { status: { appPusher: false } }, subresource: "status" },
      signal,
    );
    await bed!.template(aConfigMap("settings", { colour: "black" }));
    await eventually("a Description that nobody carries out", async () => {
      const { items } = await parent.list(Description, {}, signal);
      return items.some(({ metadata, status }) => (metadata.generation ?? 0) > (status?.observedGeneration ?? 0));
    });
    expect(writes(hub!.pushed)).toHaveLength(pushes);
  });

  test("Push that the child does not allow is said, not tried", async () => {
    const { parent, signal } = bed!;
    await parent.patch(
      ManagedCluster,
      { namespace: "child-1", name: "child-1" },
      { type: "merge", body: { spec: { syncMode: "Push" } } },
      signal,
    );
    await eventually("PushNotAllowed", async () => {
      const { items } = await parent.list(Description, {}, signal);
      return items.some(({ status }) => status?.conditions?.some(({ reason }) => reason === "PushNotAllowed"));
    });
  });
});
