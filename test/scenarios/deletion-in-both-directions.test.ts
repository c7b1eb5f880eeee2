// Deleting works from both ends and at every moment: templates in use, controllers that stop in the middle, children that are gone.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Base } from "#api/apps/v1alpha1/base.ts";
import { Description } from "#api/apps/v1alpha1/description.ts";
import { Manifest } from "#api/apps/v1alpha1/manifest.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { ConfigMap, Event, Namespace } from "#kube/builtin-kinds.ts";
import type { KubeObject, ResourceType } from "#api/meta.ts";
import { exactInteger } from "#std/exact-json.ts";
import {
  aConfigMap,
  feedOf,
  SHOP,
  startDeliveryBed,
  type Child,
  type DeliveryBed,
  type Running,
} from "#test/framework/delivery-bed.ts";
import { eventually } from "#test/framework/eventually.ts";

const settings = aConfigMap("settings", { colour: "blue" });
let bed: DeliveryBed;
let scheduler: Running;
let controllerManager: Running;
let agents: Running[];
const grace = ["--lost-cluster-grace=1s"];

beforeAll(async () => {
  bed = await startDeliveryBed({ children: 2 });
  scheduler = bed.startScheduler();
  controllerManager = bed.startControllerManager(grace);
  agents = bed.children.map((child) => child.startAgent());
  await bed.template(settings);
});
afterAll(async () => {
  await bed[Symbol.asyncDispose]();
});

const Widget: ResourceType = { group: "example.com", version: "v1", kind: "Widget", plural: "widgets", scope: "Namespaced" };
const widget = {
  apiVersion: "example.com/v1",
  kind: "Widget",
  metadata: { namespace: "own", name: "large" },
  spec: { size: exactInteger("9223372036854775807") },
};
const size = { type: "integer", format: "int64" };
const schema = { openAPIV3Schema: { type: "object", properties: { spec: { type: "object", properties: { size } } } } };
const widgetDefinition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.example.com" },
  spec: {
    group: "example.com",
    scope: "Namespaced",
    names: { kind: "Widget", plural: "widgets", singular: "widget", listKind: "WidgetList" },
    versions: [{ name: "v1", served: true, storage: true, schema }],
  },
};

const inChild = (child: Child, name: string): Promise<ConfigMap | undefined> =>
  child.client.get(ConfigMap, { namespace: SHOP, name }, bed.signal);
const remove = (name: string): Promise<boolean> => bed.parent.delete(Subscription, { namespace: SHOP, name }, {}, bed.signal);
const isGone = (name: string): Promise<unknown> =>
  eventually(`Subscription ${name} is gone`, async () => (await bed.subscription(name)) === undefined);

test("a template that is in use stays, says who uses it, and goes with its last user", async () => {
  await bed.subscribe({ name: "web", feeds: [feedOf(settings)] });
  await bed.condition("web", "Delivered");
  const key = { namespace: "clusternet-reserved", name: "configmaps.shop.settings" };
  await bed.parent.delete(Manifest, key, {}, bed.signal);
  await eventually("the explanation", async () => {
    const manifest = await bed.parent.get(Manifest, key, bed.signal);
    return manifest?.metadata.annotations?.["apps.clusternet.io/feed-protection"]?.includes("shop/web");
  });
  expect(await inChild(bed.children[0]!, "settings")).toBeDefined();
  await remove("web");
  await isGone("web");
  await eventually("the template is gone", async () => (await bed.parent.get(Manifest, key, bed.signal)) === undefined);
  for (const child of bed.children) expect(await inChild(child, "settings")).toBeUndefined();
  await bed.template(settings);
});

test("objects of several kinds arrive and go in an order that works, a namespace of their own included", async () => {
  const objects: KubeObject[] = [
    { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "own", name: "inside" } },
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { namespace: "own", name: "runner" } },
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "own" } },
    widget,
    widgetDefinition,
  ];
  for (const object of objects) await bed.template(object, { allow: SHOP });
  await bed.subscribe({ name: "mixed", feeds: objects.map(feedOf) });
  await bed.condition("mixed", "Delivered");
  // An int64 that no JavaScript number can hold, from the template through the patches to the child.
  const delivered = await bed.children[0]!.client.get(Widget, { namespace: "own", name: "large" }, bed.signal);
  expect(JSON.stringify(delivered)).toContain('"size":9223372036854775807');
  await remove("mixed");
  await isGone("mixed");
  for (const child of bed.children) expect(await child.client.get(Namespace, { name: "own" }, bed.signal)).toBeUndefined();
});

test("controllers that stop in the middle of a deletion finish it when they are back", async () => {
  await bed.subscribe({ name: "cut", feeds: [feedOf(settings)] });
  await bed.condition("cut", "Delivered");
  await Promise.all([controllerManager.stop(), ...agents.map((agent) => agent.stop())]);
  await remove("cut");
  controllerManager = bed.startControllerManager(grace);
  // The instruction has arrived at the last object of the parent; the agents, which are stopped, have not seen it.
  await eventually("Descriptions are being deleted", async () => {
    const { items } = await bed.parent.list(Description, {}, bed.signal);
    return items.length > 0 && items.every(({ metadata }) => metadata.deletionTimestamp !== undefined);
  });
  await Promise.all([controllerManager.stop(), scheduler.stop()]);
  agents = bed.children.map((child) => child.startAgent());
  for (const child of bed.children)
    await eventually("the object is gone", async () => (await inChild(child, "settings")) === undefined);
  expect(await bed.subscription("cut")).toBeDefined();
  controllerManager = bed.startControllerManager(grace);
  scheduler = bed.startScheduler();
  await isGone("cut");
});

test("an object that was replaced or deleted in the child hurts nobody, and is not ours to delete", async () => {
  await bed.subscribe({ name: "own", feeds: [feedOf(settings)], spec: { delivery: { drift: "Off" } } });
  await bed.condition("own", "Delivered");
  const [first, second] = bed.children as [Child, Child];
  for (const child of bed.children) await child.client.delete(ConfigMap, { namespace: SHOP, name: "settings" }, {}, bed.signal);
  const mine = { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: SHOP, name: "settings" }, data: { mine: "yes" } };
  await second.client.create(ConfigMap, mine, bed.signal);
  await remove("own");
  await isGone("own");
  expect(await inChild(first, "settings")).toBeUndefined();
  expect((await inChild(second, "settings"))?.data).toEqual({ mine: "yes" });
  await second.client.delete(ConfigMap, { namespace: SHOP, name: "settings" }, {}, bed.signal);
});

test("two Subscriptions with the same object: the second is told whose it is, and takes it when the first lets go", async () => {
  await bed.subscribe({ name: "first", feeds: [feedOf(settings)] });
  await bed.condition("first", "Delivered");
  await bed.subscribe({ name: "second", feeds: [feedOf(settings)] });
  await eventually("the conflict names both", async () => {
    const delivered = (await bed.subscription("second"))?.status?.conditions?.find(({ type }) => type === "Delivered");
    return delivered?.message.includes(
      "owned by Description child-1/first.shop-generic, so Description child-1/second.shop-generic",
    );
  });
  await remove("first");
  await isGone("first");
  await bed.condition("second", "Delivered");
  await remove("second");
  await isGone("second");
});

test("a feed of another namespace needs a grant", async () => {
  const secretive = { ...aConfigMap("secretive", {}), metadata: { namespace: "default", name: "secretive" } };
  await bed.template(secretive);
  await bed.subscribe({ name: "nosy", feeds: [feedOf(secretive)] });
  await eventually("FeedNotGranted", async () => {
    const resolved = (await bed.subscription("nosy"))?.status?.conditions?.find(({ type }) => type === "FeedsResolved");
    return resolved?.status === "False" && resolved.reason === "FeedNotGranted";
  });
  await bed.template(secretive, { allow: `other,${SHOP}` });
  await bed.condition("nosy", "Delivered");
  await remove("nosy");
  await isGone("nosy");
});

test("what is not supported is refused as a whole: nothing is bound, and the condition says why", async () => {
  const spec = { schedulingStrategy: "Dividing", dividingScheduling: { type: "Dynamic" } } as const;
  await bed.subscribe({ name: "divided", feeds: [feedOf(settings)], spec });
  await eventually("dividing is refused", async () => {
    const conditions = (await bed.subscription("divided"))?.status?.conditions;
    return conditions?.find(({ type }) => type === "Scheduled")?.reason === "NoDynamicDividing";
  });
  expect((await bed.parent.list(Base, {}, bed.signal)).items).toEqual([]);
  await remove("divided");
  await isGone("divided");
});

test("a deletion completes although a child is silent, says what is left there, and nothing comes back", async () => {
  await bed.subscribe({ name: "left", feeds: [feedOf(settings)] });
  await bed.condition("left", "Delivered");
  await agents[0]!.stop();
  await remove("left");
  await eventually("gone without the silent child", async () => (await bed.subscription("left")) === undefined, {
    timeoutMs: 60_000,
  });
  expect(await inChild(bed.children[0]!, "settings")).toBeDefined();
  expect(await inChild(bed.children[1]!, "settings")).toBeUndefined();
  await eventually("the Event", async () => {
    const { items } = await bed.parent.list(Event, {}, bed.signal);
    return items.some(({ message }) => /Left in the cluster.*cannot be reached: ConfigMap shop\/settings/.test(message ?? ""));
  });
  agents[0] = bed.children[0]!.startAgent();
  expect((await bed.parent.list(Description, {}, bed.signal)).items).toEqual([]);
});

test("deleting the ManagedCluster unbinds it", async () => {
  await eventually("both are ready", async () => {
    const { items } = await bed.parent.list(ManagedCluster, {}, bed.signal);
    return items.every(
      ({ status, spec }) =>
        status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") && (spec.taints ?? []).length === 0,
    );
  });
  await bed.subscribe({ name: "both", feeds: [feedOf(settings)] });
  await bed.condition("both", "Delivered");
  await bed.parent.delete(ManagedCluster, { namespace: "child-2", name: "child-2" }, {}, bed.signal);
  await eventually(
    "only one is bound",
    async () => String((await bed.subscription("both"))?.status?.bindingClusters) === "child-1/child-1",
  );
  await bed.condition("both", "Delivered");
  await eventually("its Base is gone", async () => {
    const { items } = await bed.parent.list(Base, { namespace: "child-2" }, bed.signal);
    return items.length === 0;
  });
});
