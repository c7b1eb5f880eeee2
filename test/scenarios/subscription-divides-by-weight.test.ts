// A Subscription's replicas are divided by weight: into the children, and again when the total, a weight or the fleet changes.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { explainValue } from "#cli/explain-value.ts";
import { ConfigMap, Deployment } from "#kube/builtin-kinds.ts";
import {
  aConfigMap,
  feedOf,
  SHOP,
  startDeliveryBed,
  type Child,
  type DeliveryBed,
  type Running,
} from "#test/framework/delivery-bed.ts";
import { deepEqual } from "#std/canonical-json.ts";
import { eventually } from "#test/framework/eventually.ts";

let bed: DeliveryBed;
let scheduler: Running;
let agents: Running[];
const settings = aConfigMap("settings", { colour: "blue" });
const weightOf = (name: string, weight: number): Subscription["spec"]["subscribers"][number] => ({
  clusterAffinity: { matchLabels: { name, fleet: "yes" } },
  weight,
});
const even = [weightOf("child-1", 2), weightOf("child-2", 2), weightOf("child-3", 2)];

beforeAll(async () => {
  bed = await startDeliveryBed({ children: 3 });
  await label("child-3", { fleet: "later" });
  scheduler = bed.startScheduler();
  bed.startControllerManager();
  agents = bed.children.map((child) => child.startAgent());
  // Who is ready first would get everything, rightly, until the next one is.
  await bed.childrenReady();
});
afterAll(async () => {
  await bed[Symbol.asyncDispose]();
});

function aDeployment(replicas: number): Deployment {
  const labels = { app: "web" };
  const template = { metadata: { labels }, spec: { containers: [{ name: "web", image: "web:1" }] } };
  const spec = { replicas, selector: { matchLabels: labels }, template };
  return { apiVersion: "apps/v1", kind: "Deployment", metadata: { namespace: SHOP, name: "web" }, spec };
}

async function label(name: string, labels: Readonly<Record<string, string>>): Promise<void> {
  await bed.parent.patch(
    ManagedCluster,
    { namespace: name, name },
    { type: "merge", body: { metadata: { labels } } },
    bed.signal,
  );
}

const subscribers = (all: Subscription["spec"]["subscribers"]): Promise<unknown> =>
  bed.parent.patch(
    Subscription,
    { namespace: SHOP, name: "web" },
    { type: "merge", body: { spec: { subscribers: all } } },
    bed.signal,
  );

const inChild = (child: Child): Promise<Deployment | undefined> =>
  child.client.get(Deployment, { namespace: SHOP, name: "web" }, bed.signal);
const replicasOf = (deployment: Deployment | undefined): number | "absent" =>
  deployment === undefined ? "absent" : ((deployment.spec as { readonly replicas?: number }).replicas ?? -1);

/** One per child. */
function inChildren(...expected: readonly (number | "absent")[]): Promise<unknown> {
  return eventually(`the children have ${expected.join(", ")}`, async () => {
    const found = await Promise.all(bed.children.map(inChild));
    expect(found.map(replicasOf)).toEqual(expected);
    return true;
  });
}

const generations = async (): Promise<readonly (number | undefined)[]> =>
  (await Promise.all(bed.children.map(inChild))).map((deployment) => deployment?.metadata.generation);

test("replicas are divided by weight, and no child runs all of them even for a moment", async () => {
  const web = aDeployment(6);
  await bed.template(web);
  await bed.template(settings);
  const spec = { schedulingStrategy: "Dividing", dividingScheduling: { type: "Static" } } as const;
  const weights = [weightOf("child-1", 2), weightOf("child-2", 1), weightOf("child-3", 2)];
  await bed.subscribe({ name: "web", feeds: [feedOf(web), feedOf(settings)], spec: { ...spec, subscribers: weights } });
  await inChildren(4, 2, "absent");
  // The first thing that was written is still there.
  expect(await generations()).toEqual([1, 1, undefined]);
  const { status } = await bed.condition("web", "Delivered");
  expect(status).toMatchObject({
    bindingClusters: ["child-1/child-1", "child-2/child-2"],
    replicas: { "apps/v1/Deployment/shop/web": [4, 2], "v1/ConfigMap/shop/settings": [] },
    desiredReleases: 2,
  });
  for (const child of bed.children.slice(0, 2))
    expect((await child.client.get(ConfigMap, { namespace: SHOP, name: "settings" }, bed.signal))?.data).toEqual(settings.data);
});

test("the share is explained as the last step", async () => {
  const question = { subscription: "web", namespace: SHOP, cluster: "child-1", feed: "Deployment/web", path: "/spec/replicas" };
  const options = { ...question, output: "text", reservedNamespace: "clusternet-reserved" } as const;
  expect((await explainValue(bed.parent, options, bed.signal)).split("\n")).toEqual([
    "Deployment shop/web in child-1, /spec/replicas",
    "  template: 6",
    "  dividing: 6 → 4",
    "in the cluster: 4",
    "",
  ]);
});

test("the total changes, and every child gets its part of it with one write", async () => {
  await bed.template(aDeployment(9));
  await inChildren(6, 3, "absent");
  expect(await generations()).toEqual([2, 2, undefined]);
});

test("a weight changes, and only what has to move moves", async () => {
  await subscribers(even);
  // Four and a half each: the half stays where it is.
  await inChildren(5, 4, "absent");
});

test("a cluster joins and gets its share", async () => {
  await label("child-3", { fleet: "yes" });
  await inChildren(3, 3, 3);
  expect((await generations())[2]).toBe(1);
});

test("a restarted scheduler writes nothing", async () => {
  await bed.condition("web", "Delivered");
  await scheduler.stop();
  scheduler = bed.startScheduler();
  await eventually("it watches", () => Promise.resolve(scheduler.counter.count({ verb: "watch" }) >= 3));
  await new Promise((resolve) => setTimeout(resolve, 500));
  scheduler.counter.expectNoWrites();
});

test("a silent child keeps its replicas and gets none of the new ones; when it is back, all is even again", async () => {
  await agents[2]!.stop();
  await eventually(
    "child-3 is silent",
    async () => {
      const cluster = await bed.parent.get(ManagedCluster, { namespace: "child-3", name: "child-3" }, bed.signal);
      return cluster?.status?.conditions?.find(({ type }) => type === "Ready")?.status !== "True";
    },
    { timeoutMs: 60_000 },
  );
  await bed.template(aDeployment(12));
  await inChildren(5, 4, 3);
  // As after a restore from a backup, which holds no status: what its Bases say is what everybody has.
  await scheduler.stop();
  const lost = { status: { bindingClusters: null, replicas: null, specHash: null, conditions: null } };
  const key = { namespace: SHOP, name: "web" };
  await bed.parent.patch(Subscription, key, { type: "merge", body: lost, subresource: "status" }, bed.signal);
  scheduler = bed.startScheduler();
  await eventually("decided again", async () => {
    return deepEqual((await bed.subscription("web"))?.status?.replicas?.["apps/v1/Deployment/shop/web"], [5, 4, 3]);
  });
  await inChildren(5, 4, 3);
  agents[2] = bed.children[2]!.startAgent();
  await inChildren(4, 4, 4);
});

test("who is selected no more gives everything back, and the Subscription takes the rest with it", async () => {
  await label("child-3", { fleet: "later" });
  await inChildren(6, 6, "absent");
  await bed.parent.delete(Subscription, { namespace: SHOP, name: "web" }, {}, bed.signal);
  await inChildren("absent", "absent", "absent");
});
