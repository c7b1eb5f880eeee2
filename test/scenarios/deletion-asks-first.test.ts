// A deletion that is larger than it should be asks first; objects that are to stay, stay; what cannot be deleted can be let go.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { Condition } from "#api/meta.ts";
import { ConfigMap, Event } from "#kube/builtin-kinds.ts";
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

/** More than anybody may lose without being asked. */
const many = Array.from({ length: 12 }, (_, index) => aConfigMap(`c${String(index)}`, { colour: "blue" }));
const settings = aConfigMap("settings", { colour: "blue" });
const mark = "apps.clusternet.io/owned-by-description";
let bed: DeliveryBed;
let child: Child;
let controllerManager: Running;

beforeAll(async () => {
  bed = await startDeliveryBed({ children: 1 });
  bed.startScheduler();
  controllerManager = bed.startControllerManager();
  child = bed.children[0]!;
  child.startAgent();
  for (const object of [...many, settings]) await bed.template(object);
});
afterAll(async () => {
  await bed[Symbol.asyncDispose]();
});

const keyOf = (name: string): { readonly namespace: string; readonly name: string } => ({ namespace: SHOP, name });
const inChild = (name: string): Promise<ConfigMap | undefined> => child.client.get(ConfigMap, keyOf(name), bed.signal);
const delivered = async (): Promise<number> =>
  (await child.client.list(ConfigMap, { namespace: SHOP }, bed.signal)).items.filter(({ metadata }) =>
    metadata.name.startsWith("c"),
  ).length;
const patch = (name: string, body: unknown): Promise<unknown> =>
  bed.parent.patch(Subscription, keyOf(name), { type: "merge", body }, bed.signal);
const condition = async (name: string, type: string): Promise<Condition | undefined> =>
  (await bed.subscription(name))?.status?.conditions?.find((each) => each.type === type);
const remove = (name: string): Promise<boolean> => bed.parent.delete(Subscription, keyOf(name), {}, bed.signal);
const isGone = (name: string): Promise<unknown> =>
  eventually(`Subscription ${name} is gone`, async () => (await bed.subscription(name)) === undefined);
const selecting = (fleet: string): unknown => ({ spec: { subscribers: [{ clusterAffinity: { matchLabels: { fleet } } }] } });

test("a selector with a typo deletes nothing, also after a restart, until this very deletion is confirmed", async () => {
  await bed.subscribe({ name: "web", feeds: many.map(feedOf) });
  await bed.condition("web", "Delivered");
  await patch("web", selecting("yse"));
  await eventually("blocked", async () => (await condition("web", "DeletionBlocked"))?.status === "True");
  const { message, reason } = (await condition("web", "DeletionBlocked"))!;
  expect(reason).toBe("OverSubscriptionShare");
  expect(message).toMatch(
    /^Would delete 12 objects in 1 cluster: 12 of 12 \(100 %\) of what this Subscription delivers, more than 50 %/,
  );
  await controllerManager.stop();
  controllerManager = bed.startControllerManager();
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  expect(await delivered()).toBe(12);

  // The mistake is mended: nothing happened.
  await patch("web", selecting("yes"));
  await bed.condition("web", "Delivered");
  await eventually("not blocked", async () => (await condition("web", "DeletionBlocked"))?.status === "False");
  expect(await delivered()).toBe(12);

  // Another confirmation than this plan's lets nothing through; its own does.
  await patch("web", {
    ...(selecting("no") as object),
    metadata: { annotations: { "apps.clusternet.io/confirm-deletion": "0123456789" } },
  });
  await eventually("blocked", async () => (await condition("web", "DeletionBlocked"))?.status === "True");
  expect(await delivered()).toBe(12);
  const [, plan = ""] = /confirm-deletion=(\w+)$/.exec((await condition("web", "DeletionBlocked"))!.message)!;
  await patch("web", { metadata: { annotations: { "apps.clusternet.io/confirm-deletion": plan } } });
  await eventually("deleted", async () => (await delivered()) === 0);
  await eventually("not blocked", async () => (await condition("web", "DeletionBlocked"))?.status === "False");

  // The old confirmation covers nothing new.
  await patch("web", selecting("yes"));
  await bed.condition("web", "Delivered");
  await patch("web", selecting("no"));
  await eventually("blocked", async () => (await condition("web", "DeletionBlocked"))?.status === "True");
  expect(await delivered()).toBe(12);
});

test("deleting the Subscription itself says what to delete", async () => {
  await remove("web");
  await isGone("web");
  expect(await delivered()).toBe(0);
});

test("Retain, said in the last moment, leaves the objects without our marks", async () => {
  await bed.subscribe({ name: "kept", feeds: [feedOf(settings)] });
  await bed.condition("kept", "Delivered");
  await patch("kept", { spec: { delivery: { onDelete: "Retain" } } });
  await remove("kept");
  await isGone("kept");
  const left = (await inChild("settings"))!;
  expect(left.data).toEqual({ colour: "blue" });
  expect(left.metadata.annotations?.[mark]).toBeUndefined();
  expect(left.metadata.labels?.["clusternet.io/created-by"]).toBeUndefined();
});

test("what is there before: Fail says so, Skip leaves it, Adopt takes it", async () => {
  const before = (await inChild("settings"))!.metadata.resourceVersion;
  await bed.subscribe({ name: "policy", feeds: [feedOf(settings)], spec: { delivery: { adoption: "Fail" } } });
  await eventually("the conflict", async () =>
    (await condition("policy", "Delivered"))?.message.includes("ConfigMap shop/settings: is there already and was not delivered"),
  );
  await patch("policy", { spec: { delivery: { adoption: "Skip" } } });
  await bed.condition("policy", "Available");
  expect((await inChild("settings"))!.metadata.resourceVersion).toBe(before);
  await patch("policy", { spec: { delivery: { adoption: "Adopt" } } });
  await eventually(
    "adopted",
    async () => (await inChild("settings"))?.metadata.annotations?.[mark] === "child-1.policy.shop-generic",
  );
  await remove("policy");
  await isGone("policy");
  expect(await inChild("settings")).toBeUndefined();
});

test("a deletion that something in the cluster holds up completes by force, and says what is left", async () => {
  await bed.subscribe({ name: "stuck", feeds: [feedOf(settings)] });
  await bed.condition("stuck", "Delivered");
  const hold = (finalizers: readonly string[]): Promise<unknown> =>
    child.client.patch(ConfigMap, keyOf("settings"), { type: "merge", body: { metadata: { finalizers } } }, bed.signal);
  await hold(["example.com/hold"]);
  await remove("stuck");
  await eventually("being deleted", async () => (await inChild("settings"))?.metadata.deletionTimestamp !== undefined);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(await bed.subscription("stuck")).toBeDefined();
  await patch("stuck", { metadata: { annotations: { "apps.clusternet.io/force-deletion": "true" } } });
  await isGone("stuck");
  await eventually("the Event", async () => {
    const { items } = await bed.parent.list(Event, {}, bed.signal);
    return items.some(({ message }) =>
      message?.includes("Left in the cluster, because the deletion was forced: ConfigMap shop/settings"),
    );
  });
  await hold([]);
});
