// A Subscription reaches its clusters and follows every change: of templates, of feeds, of labels; and goes without a trace.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Base } from "#api/apps/v1alpha1/base.ts";
import { Description } from "#api/apps/v1alpha1/description.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { ConfigMap } from "#kube/builtin-kinds.ts";
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

let bed: DeliveryBed;
let components: Running[];

beforeAll(async () => {
  bed = await startDeliveryBed({ children: 2 });
  components = [bed.startScheduler(), bed.startControllerManager(), ...bed.children.map((child) => child.startAgent())];
});
afterAll(async () => {
  await bed[Symbol.asyncDispose]();
});

const inChild = (child: Child, name: string): Promise<ConfigMap | undefined> =>
  child.client.get(ConfigMap, { namespace: SHOP, name }, bed.signal);
const everyChild = (what: string, check: (child: Child) => Promise<unknown>): Promise<unknown> =>
  Promise.all(bed.children.map((child) => eventually(`${what} in ${child.name}`, () => check(child))));

test("reaches every selected cluster, and says so in conditions that can be waited for", async () => {
  const settings = aConfigMap("settings", { colour: "blue" });
  await bed.template(settings);
  await bed.subscribe({ name: "web", feeds: [feedOf(settings)] });

  await everyChild("the ConfigMap", async (child) => (await inChild(child, "settings"))?.data?.["colour"] === "blue");
  for (const type of ["Scheduled", "FeedsResolved", "Delivered", "Available"]) await bed.condition("web", type);
  const { status } = (await bed.subscription("web"))!;
  expect(status).toMatchObject({
    bindingClusters: ["child-1/child-1", "child-2/child-2"],
    desiredReleases: 2,
    completedReleases: 2,
    aggregatedStatuses: [{ kind: "ConfigMap", name: "settings", feedStatusSummary: { available: true } }],
  });
  const delivered = await inChild(bed.children[0]!, "settings");
  expect(delivered?.metadata).toMatchObject({
    labels: { "clusternet.io/created-by": "clusternet-hub" },
    annotations: { "apps.clusternet.io/owned-by-description": "child-1.web.shop-generic" },
  });
});

test("a template edit reaches every cluster, and the object stays the same object", async () => {
  const before = await inChild(bed.children[0]!, "settings");
  await bed.template(aConfigMap("settings", { colour: "green" }));
  await everyChild("the new colour", async (child) => (await inChild(child, "settings"))?.data?.["colour"] === "green");
  expect((await inChild(bed.children[0]!, "settings"))?.metadata.uid).toBe(before?.metadata.uid);
});

test("a feed that is taken off is pruned, a feed that is added arrives", async () => {
  const other = aConfigMap("other", { size: "small" });
  await bed.template(other);
  await bed.parent.patch(
    Subscription,
    { namespace: SHOP, name: "web" },
    { type: "merge", body: { spec: { feeds: [feedOf(other)] } } },
    bed.signal,
  );
  await everyChild("the added feed", (child) => inChild(child, "other"));
  await everyChild("no removed feed", async (child) => (await inChild(child, "settings")) === undefined);
});

test("a cluster whose labels no longer match is unbound and cleaned, the other one is left alone", async () => {
  const [first, second] = bed.children as [Child, Child];
  const kept = await inChild(second, "other");
  const label = (value: string | null) =>
    bed.parent.patch(
      ManagedCluster,
      { namespace: first.name, name: first.name },
      { type: "merge", body: { metadata: { labels: { fleet: value } } } },
      bed.signal,
    );
  await label(null);
  await eventually("unbound and cleaned", async () => (await inChild(first, "other")) === undefined);
  expect((await bed.subscription("web"))?.status?.bindingClusters).toEqual(["child-2/child-2"]);
  expect((await inChild(second, "other"))?.metadata.uid).toBe(kept?.metadata.uid);
  await label("yes");
  await eventually("bound again", () => inChild(first, "other"));
});

test("a deleted Subscription takes everything with it, and waits for it", async () => {
  await bed.parent.delete(Subscription, { namespace: SHOP, name: "web" }, {}, bed.signal);
  await eventually("the Subscription is gone", async () => (await bed.subscription("web")) === undefined);
  for (const child of bed.children) expect(await inChild(child, "other")).toBeUndefined();
  expect((await bed.parent.list(Base, {}, bed.signal)).items).toEqual([]);
  expect((await bed.parent.list(Description, {}, bed.signal)).items).toEqual([]);
  expect(components).toHaveLength(4);
});
