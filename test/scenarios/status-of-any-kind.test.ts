// What a Subscription says about custom resources, and what it wants to divide: on real control planes, with kinds nobody has compiled in.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { FeedInventory } from "#api/apps/v1alpha1/feed-inventory.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { KubeObject, ResourceType } from "#api/meta.ts";
import { configMaps, namespaces } from "#api/names.ts";
import { ConfigMap, Event } from "#kube/builtin-kinds.ts";
import { feedOf, SHOP, startDeliveryBed, type Child, type DeliveryBed } from "#test/framework/delivery-bed.ts";
import { eventually } from "#test/framework/eventually.ts";

let bed: DeliveryBed;

beforeAll(async () => {
  bed = await startDeliveryBed({ children: 2 });
  bed.startScheduler();
  bed.startControllerManager();
  for (const child of bed.children) child.startAgent();
});
afterAll(async () => {
  await bed[Symbol.asyncDispose]();
});

const Database: ResourceType = {
  group: "example.com",
  version: "v1",
  kind: "Database",
  plural: "databases",
  scope: "Namespaced",
};

const definition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "databases.example.com" },
  spec: {
    group: "example.com",
    names: { kind: "Database", plural: "databases" },
    scope: "Namespaced",
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
};

const orders = (members: number): KubeObject & { spec: object } => ({
  apiVersion: "example.com/v1",
  kind: "Database",
  metadata: { namespace: SHOP, name: "orders" },
  spec: { members, pod: { spec: { containers: [{ resources: { requests: { cpu: "500m" } } }] } } },
});

const register = (database: string): Promise<unknown> =>
  bed.parent.apply(
    ConfigMap,
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace: namespaces.system, name: configMaps.interpreters },
      data: { database },
    },
    { fieldManager: "test", force: true },
    bed.signal,
  );

const report = async (child: Child, status: object): Promise<void> => {
  await child.client.patch(Database, { namespace: SHOP, name: "orders" }, { type: "merge", body: { status } }, bed.signal);
};

/** `child-1: Failed: why`, for the Database in each child. */
async function states(): Promise<readonly string[]> {
  const feeds = (await bed.subscription("orders"))?.status?.aggregatedStatuses ?? [];
  const details = feeds.find(({ kind }) => kind === "Database")?.feedStatusDetails ?? [];
  return details.map(({ clusterName, state, message }) =>
    [clusterName, state, message].filter((part) => part !== undefined).join(": "),
  );
}

const eventuallyStates = (...wanted: readonly string[]): Promise<unknown> =>
  eventually(`the states ${wanted.join(", ")}`, async () => {
    const now = await states();
    if (now.join() !== wanted.join()) throw new Error(now.join());
    return true;
  });

test("a custom resource comes with its definition, and is judged by its conditions", async () => {
  await bed.template(definition, { allow: SHOP });
  await bed.template(orders(3));
  await bed.subscribe({ name: "orders", feeds: [feedOf(definition), feedOf(orders(3))] });
  await bed.condition("orders", "Available");
  const [first, second] = bed.children as [Child, Child];
  const notReady = { type: "Ready", status: "False", reason: "NoDisk", message: "the disk is full" };
  await report(first, { conditions: [notReady] });
  await report(second, {
    conditions: [
      { ...notReady, status: "True" },
      { type: "Stalled", status: "True", reason: "Stuck" },
    ],
  });
  await eventuallyStates(
    "child-1: Progressing: Ready is False: NoDisk: the disk is full",
    "child-2: Failed: Stalled is True: Stuck",
  );
  const { status } = (await bed.subscription("orders"))!;
  expect(status?.completedReleases).toBe(0);
  expect(status?.conditions?.find(({ type }) => type === "Available")).toMatchObject({
    status: "False",
    reason: "Failed",
    message: expect.stringMatching(
      /^In 0 of 2 clusters; child-2\/child-2: Database shop\/orders: Stalled is True: Stuck; child-1/,
    ),
  });
});

test("what an administrator registers about a kind counts more, and a wrong entry is told", async () => {
  const [first, second] = bed.children as [Child, Child];
  await report(first, { phase: "Running" });
  await report(second, { phase: "Broken" });
  await register(`{ apiVersion: example.com/v1, kind: Database, healthy: yes }`);
  await eventually("an Event names the key and the field", async () => {
    const { items } = await bed.parent.list(Event, { namespace: namespaces.system }, bed.signal);
    return items.some(({ reason, message }) => reason === "InvalidInterpreter" && /^database: .*healthy/.test(message ?? ""));
  });
  await register(`
    apiVersion: example.com/v1
    kind: Database
    replicas: /spec/members
    podTemplate: /spec/pod
    health: [{ state: Failed, path: /status/phase, in: [Broken] }, { state: Available, path: /status/phase, in: [Running] }]
  `);
  await eventuallyStates("child-1: Available", "child-2: Failed: /status/phase is Broken");
  await report(second, { phase: "Running" });
  expect((await bed.condition("orders", "Available")).status?.completedReleases).toBe(2);
});

test("a Subscription that divides has an inventory, which follows its templates and goes when nothing is divided", async () => {
  const key = { namespace: SHOP, name: "divided" };
  const inventory = (): Promise<FeedInventory | undefined> => bed.parent.get(FeedInventory, key, bed.signal);
  await bed.subscribe({ name: key.name, feeds: [feedOf(orders(3))], spec: { schedulingStrategy: "Dividing" } });
  await eventually("the inventory", inventory);
  expect((await inventory())?.spec.feeds).toEqual([
    {
      ...feedOf(orders(3)),
      desiredReplicas: 3,
      replicaJsonPath: "/spec/members",
      replicaRequirements: { resources: { requests: { cpu: "500m" } } },
    },
  ]);
  await bed.template(orders(5));
  await eventually("five members", async () => (await inventory())?.spec.feeds[0]?.desiredReplicas === 5);
  const body = { spec: { schedulingStrategy: "Replication" } };
  await bed.parent.patch(Subscription, key, { type: "merge", body }, bed.signal);
  await eventually("no inventory", async () => (await inventory()) === undefined);
});
