// Silence never deletes: a dead agent, a lost controller, a taint, an unready cluster, or no cluster that fits remove nothing anywhere.
// And a settled fleet, also one that was just restarted, writes nothing.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { Base } from "#api/apps/v1alpha1/base.ts";
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
import { whenSettled } from "#test/framework/request-counter.ts";

const settings = aConfigMap("settings", { colour: "blue" });
const bindings = ["child-1/child-1", "child-2/child-2"];
let bed: DeliveryBed;
let scheduler: Running;
let controllerManager: Running;
let agents: Running[];
let uids: (string | undefined)[];

beforeAll(async () => {
  bed = await startDeliveryBed({ children: 2 });
  scheduler = bed.startScheduler();
  controllerManager = bed.startControllerManager();
  agents = bed.children.map((child) => child.startAgent());
  await bed.template(settings);
  await bed.subscribe({ name: "web", feeds: [feedOf(settings)] });
  await bed.condition("web", "Available");
  uids = await Promise.all(bed.children.map(uidIn));
  expect(uids.every((uid) => uid !== undefined)).toBe(true);
});
afterAll(async () => {
  await bed[Symbol.asyncDispose]();
});

async function uidIn(child: Child): Promise<string | undefined> {
  return (await child.client.get(ConfigMap, { namespace: SHOP, name: "settings" }, bed.signal))?.metadata.uid;
}
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function expectNothingLost(): Promise<void> {
  expect((await bed.subscription("web"))?.status?.bindingClusters).toEqual(bindings);
  expect(await Promise.all(bed.children.map(uidIn))).toEqual(uids);
  const { items } = await bed.parent.list(Base, {}, bed.signal);
  const live = items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  expect(live.filter(({ metadata }) => metadata.name === `web.${SHOP}`)).toHaveLength(bindings.length);
  expect(live).toHaveLength(items.length);
}

test("a settled fleet writes nothing but heartbeats, and heartbeats wake no Subscription", async () => {
  const counters = [scheduler, controllerManager, ...agents].map(({ counter }) => counter);
  await whenSettled(counters, { except: ["managedclusters/status"] });
  for (const counter of counters) counter.reset();
  const heartbeats = (): number => agents[0]!.counter.count({ verb: "patch", resource: "managedclusters/status" });
  await eventually("the child goes on saying that it lives", () => heartbeats() > 3);
  for (const counter of counters) counter.expectNoWrites({ except: ["managedclusters/status"] });
  expect(scheduler.counter.requests).toEqual([]);
});

test("a restart of every component writes nothing either", async () => {
  await Promise.all([scheduler, controllerManager, ...agents].map((running) => running.stop()));
  scheduler = bed.startScheduler();
  controllerManager = bed.startControllerManager();
  agents = bed.children.map((child) => child.startAgent());
  await sleep(4_000);
  for (const { counter } of [scheduler, controllerManager, ...agents])
    counter.expectNoWrites({ except: ["managedclusters/status"] });
  await expectNothingLost();
});

test("an agent dead past its grace, with every controller restarted, loses no binding and no object", async () => {
  await agents[0]!.stop();
  await eventually(
    "the parent takes the child for lost",
    async () => {
      const cluster = await bed.parent.get(ManagedCluster, { namespace: "child-1", name: "child-1" }, bed.signal);
      const ready = cluster?.status?.conditions?.find(({ type }) => type === "Ready");
      return (
        ready?.status === "Unknown" && cluster?.spec.taints?.some(({ key }) => key === "clusters.clusternet.io/unschedulable")
      );
    },
    { timeoutMs: 40_000 },
  );
  await expectNothingLost();
  await Promise.all([scheduler.stop(), controllerManager.stop()]);
  scheduler = bed.startScheduler();
  controllerManager = bed.startControllerManager();
  await sleep(2_000);
  await expectNothingLost();
  const scheduled = (await bed.subscription("web"))?.status?.conditions?.find(({ type }) => type === "Scheduled");
  expect(scheduled).toMatchObject({
    status: "True",
    message: expect.stringContaining("child-1/child-1 stays although taint") as unknown,
  });
});

test("a silent cluster gets no new binding, and the reason is said", async () => {
  const other = aConfigMap("other", { colour: "red" });
  await bed.template(other);
  await bed.subscribe({ name: "new", feeds: [feedOf(other)] });
  await bed.condition("new", "Delivered");
  const { status } = (await bed.subscription("new"))!;
  expect(status?.bindingClusters).toEqual(["child-2/child-2"]);
  expect(status?.conditions?.find(({ type }) => type === "Scheduled")?.message).toMatch(
    /not to child-1\/child-1: taint .* is not tolerated/,
  );
});

test("zero feasible clusters: no binding is lost, and the reason is in the condition of who gets none", async () => {
  const key = { namespace: "child-2", name: "child-2" };
  const taint = (taints: unknown): Promise<unknown> =>
    bed.parent.patch(ManagedCluster, key, { type: "merge", body: { spec: { taints } } }, bed.signal);
  await taint([{ key: "maintenance", effect: "NoExecute" }]);
  await bed.subscribe({ name: "nowhere", feeds: [feedOf(settings)] });
  await eventually("Scheduled=False", async () => {
    const scheduled = (await bed.subscription("nowhere"))?.status?.conditions?.find(({ type }) => type === "Scheduled");
    return scheduled?.status === "False" && scheduled.message.startsWith("0/2 clusters are available: 1 taint");
  });
  await expectNothingLost();
  await bed.parent.delete(Subscription, { namespace: SHOP, name: "nowhere" }, {}, bed.signal);
  await taint(null);
});

test("a Subscription whose status is lost keeps its objects, also those of a silent cluster", async () => {
  const body = { status: { bindingClusters: null, specHash: null, conditions: null } };
  for (const name of ["new", "web"]) {
    await bed.parent.patch(Subscription, { namespace: SHOP, name }, { type: "merge", body, subresource: "status" }, bed.signal);
  }
  await eventually("bound again", async () => (await bed.subscription("new"))?.status?.bindingClusters?.length === 1);
  expect(await bed.children[1]!.client.get(ConfigMap, { namespace: SHOP, name: "other" }, bed.signal)).toBeDefined();
  await eventually("bound again", async () => (await bed.subscription("web"))?.status?.bindingClusters !== undefined);
  await expectNothingLost();
});

test("a Subscription from a backup, without its status and with another uid, keeps its objects, also those of a silent cluster", async () => {
  await Promise.all([scheduler.stop(), controllerManager.stop()]);
  const key = { namespace: SHOP, name: "web" };
  const { metadata, spec, ...type } = (await bed.subscription("web"))!;
  await bed.parent.patch(Subscription, key, { type: "merge", body: { metadata: { finalizers: null } } }, bed.signal);
  await bed.parent.delete(Subscription, key, {}, bed.signal);
  const restored = { apiVersion: type.apiVersion, kind: type.kind, metadata: key, spec };
  const { uid } = (await bed.parent.create(Subscription, restored, bed.signal)).metadata;
  expect(uid).not.toBe(metadata.uid);
  scheduler = bed.startScheduler();
  controllerManager = bed.startControllerManager();
  await eventually("every Base belongs to the new one", async () => {
    const { items } = await bed.parent.list(Base, {}, bed.signal);
    return (
      items.filter(({ metadata: { labels = {} } }) => labels["apps.clusternet.io/subs.uid"] === uid).length === bindings.length
    );
  });
  await expectNothingLost();
});

test("an agent that comes back delivers what it missed", async () => {
  await bed.template(aConfigMap("settings", { colour: "late" }));
  agents[0] = bed.children[0]!.startAgent();
  await eventually("the missed change", async () => {
    const found = await bed.children[0]!.client.get(ConfigMap, { namespace: SHOP, name: "settings" }, bed.signal);
    return found?.data?.["colour"] === "late";
  });
  await expectNothingLost();
});
