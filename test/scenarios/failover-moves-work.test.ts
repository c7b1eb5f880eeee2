// Failover on real control planes: an agent falls silent, the work of who declared it moves, what comes back removes its copy, and whoever
// did not declare it stays as it is.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Base } from "#api/apps/v1alpha1/base.ts";
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

const MOVED_MS_MAX = 60_000;
const bindings = ["child-1/child-1", "child-2/child-2"];
const moving = aConfigMap("moving", { colour: "blue" });
const staying = aConfigMap("staying", { colour: "red" });

let bed: DeliveryBed;
let running: { scheduler: Running; controllerManager: Running };
let agents: Map<string, Running>;
/** Where the work is first, and where it goes. */
let first: Child;
let second: Child;

beforeAll(async () => {
  bed = await startDeliveryBed({ children: 2 });
  running = { scheduler: bed.startScheduler(), controllerManager: bed.startControllerManager() };
  agents = new Map(bed.children.map((child) => [child.name, child.startAgent()]));
  await Promise.all([bed.template(moving), bed.template(staying)]);
  await bed.subscribe({ name: "stays", feeds: [feedOf(staying)] });
  const oneOf = { clusterAffinity: { matchLabels: { fleet: "yes" } }, subGroupStrategy: { minClusters: 1 } };
  const spec = { schedulingBySubGroup: true, subscribers: [oneOf], failover: { enabled: true, tolerationSeconds: 2 } };
  await bed.condition("stays", "Available");
  await bed.subscribe({ name: "moves", feeds: [feedOf(moving)], spec });
  const { status } = await bed.condition("moves", "Available");
  expect(status?.bindingClusters).toHaveLength(1);
  const isFirst = ({ name }: Child): boolean => status?.bindingClusters?.[0] === `${name}/${name}`;
  [first, second] = bed.children.toSorted((a, b) => Number(isFirst(b)) - Number(isFirst(a))) as [Child, Child];
});
afterAll(async () => {
  await bed[Symbol.asyncDispose]();
});

async function has(child: Child, name: string): Promise<boolean> {
  return (await child.client.get(ConfigMap, { namespace: SHOP, name }, bed.signal)) !== undefined;
}

async function basesIn(child: Child): Promise<readonly string[]> {
  const { items } = await bed.parent.list(Base, { namespace: child.name }, bed.signal);
  return items.map(({ metadata: { name, deletionTimestamp } }) =>
    deletionTimestamp === undefined ? name : `${name} (deleting)`,
  );
}

async function failoverCondition(): Promise<Condition | undefined> {
  return (await bed.subscription("moves"))?.status?.conditions?.find(({ type }) => type === "Failover");
}

async function isBoundTo(...children: readonly Child[]): Promise<boolean> {
  const bound = (await bed.subscription("moves"))?.status?.bindingClusters;
  return JSON.stringify(bound) === JSON.stringify(children.map(({ name }) => `${name}/${name}`));
}

test("the work of a silent cluster is Available in another one, and then no longer bound to the first", async () => {
  await agents.get(first.name)?.stop();
  const seen = new Set<string>();
  await eventually(
    "bound to the second alone",
    async () => {
      const { status } = (await bed.subscription("moves"))!;
      seen.add(String(status?.bindingClusters));
      return isBoundTo(second);
    },
    { timeoutMs: MOVED_MS_MAX },
  );
  // Graceful: there was a moment with both.
  expect([...seen]).toContain(bindings.join(","));
  await bed.condition("moves", "Available");
  expect(await has(second, "moving")).toBe(true);
  expect(await failoverCondition()).toMatchObject({ status: "True", reason: "Moved" });
  await eventually("Events tell of it", async () => {
    const { items } = await bed.parent.list(Event, { namespace: SHOP }, bed.signal);
    expect(items.map(({ reason }) => reason)).toEqual(expect.arrayContaining(["FailoverStarted", "Failover"]));
    return true;
  });
});

test("who did not declare failover stays bound to the silent cluster", async () => {
  expect((await bed.subscription("stays"))?.status?.bindingClusters).toEqual(bindings);
  expect(await basesIn(first)).toContain(`stays.${SHOP}`);
  expect(await has(first, "staying")).toBe(true);
});

test("the copy in the silent cluster is not forgotten, however long that lasts and whoever restarts", async () => {
  await Promise.all([running.scheduler.stop(), running.controllerManager.stop()]);
  running = {
    scheduler: bed.startScheduler(),
    controllerManager: bed.startControllerManager(["--lost-cluster-grace=1s"]),
  };
  await new Promise((resolve) => {
    setTimeout(resolve, 6_000);
  });
  expect(await basesIn(first)).toContain(`moves.${SHOP} (deleting)`);
  expect(await isBoundTo(second)).toBe(true);
  // Settled: nobody writes because time passes.
  for (const { counter } of Object.values(running)) counter.reset();
  await new Promise((resolve) => {
    setTimeout(resolve, 3_000);
  });
  for (const { counter } of Object.values(running)) counter.expectNoWrites({});
});

test("the cluster that comes back removes its copy, and the work stays where it went", async () => {
  expect(await has(first, "moving")).toBe(true);
  agents.set(first.name, first.startAgent());
  await eventually("its copy is gone", async () => !(await has(first, "moving")), { timeoutMs: MOVED_MS_MAX });
  await eventually("its Base is gone", async () => !(await basesIn(first)).some((name) => name.startsWith("moves.")));
  expect(await isBoundTo(second)).toBe(true);
  expect(await has(second, "moving")).toBe(true);
  expect(await has(first, "staying")).toBe(true);
});

test("MoveBack: the work returns to the cluster that works again", async () => {
  const body = { spec: { failover: { afterRecovery: "MoveBack" } } };
  await bed.parent.patch(Subscription, { namespace: SHOP, name: "moves" }, { type: "merge", body }, bed.signal);
  await eventually("bound to the first again", () => isBoundTo(first), { timeoutMs: MOVED_MS_MAX });
  await eventually("the copy in the second is gone", async () => !(await has(second, "moving")));
  expect(await has(first, "moving")).toBe(true);
  await eventually("nothing is left to say", async () => (await failoverCondition())?.status === "False");
  expect((await bed.subscription("moves"))?.status?.failover).toBeUndefined();
});
