// Whatever is deleted first, and whether or not the child answers: the deletion completes, what is left is said, and nothing comes back.

import { describe, expect, test } from "@jest/globals";
import { createMemoryFleet, fleetObjects, type FleetKey, type MemoryFleet } from "#test/framework/memory-fleet.ts";

const deleted: readonly FleetKey[] = ["subscriptions", "manifests", "bases", "globalizations"];

function ordersOf<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length === 0) return [[]];
  return items.flatMap((first) => ordersOf(items.filter((item) => item !== first)).map((rest) => [first, ...rest]));
}
const orders = ordersOf(deleted).map((order) => [order.join(", "), order] as const);

const leftOnParent = ({ parent }: MemoryFleet): readonly string[] =>
  [...deleted, "descriptions" as const]
    .map((key) => fleetObjects[key])
    .flatMap(({ type: { kind }, name }) => (parent.object(kind, name) === undefined ? [] : [kind]));

const silence = {
  type: "Ready",
  status: "Unknown",
  reason: "HeartbeatMissing",
  message: "",
  lastTransitionTime: "2020-01-01T00:00:00Z",
};

async function deliveredFleet(): Promise<MemoryFleet> {
  const fleet = createMemoryFleet({ lostClusterGraceMs: 10_000 });
  fleet.startAgent();
  await fleet.settle();
  expect(fleet.child.object("ConfigMap", "settings")).toMatchObject({ data: { colour: "blue", volume: "11" } });
  return fleet;
}

describe.each(orders)("deleted in the order %s", (_text, order) => {
  test("one after the other, nothing is left", async () => {
    await using fleet = await deliveredFleet();
    for (const key of order) {
      await fleet.delete(key);
      await fleet.settle();
    }
    await fleet.settle();
    expect(leftOnParent(fleet)).toEqual([]);
    expect(fleet.child.object("ConfigMap", "settings")).toBeUndefined();
  });

  test("all at once, nothing is left", async () => {
    await using fleet = await deliveredFleet();
    for (const key of order) await fleet.delete(key);
    await fleet.settle();
    await fleet.settle();
    expect(leftOnParent(fleet)).toEqual([]);
    expect(fleet.child.object("ConfigMap", "settings")).toBeUndefined();
  });
});

test.each(orders)(
  "while the child is silent, deleted in the order %s: it completes, and says what is left",
  async (_text, order) => {
    const delivered = await deliveredFleet();
    // Its agent is gone with its process; the parent's controllers start anew, too.
    await delivered[Symbol.asyncDispose]();
    await using fleet = createMemoryFleet({ lostClusterGraceMs: 10_000, from: delivered });
    fleet.parent.edit("ManagedCluster", "paris", {
      by: "test",
      change: (object) => (object["status"] = { conditions: [silence] }),
    });
    for (const key of order) {
      await fleet.delete(key);
      await fleet.settle();
    }
    for (let turn = 0; turn < 10; turn += 1) await fleet.settle();
    expect(leftOnParent(fleet)).toEqual([]);
    expect(fleet.events.join("\n")).toMatch(/Left in the cluster.*cannot be reached: ConfigMap shop\/settings/);

    // Back again, it finds nothing that asks for anything.
    fleet.startAgent();
    await fleet.settle();
    expect(fleet.child.object("ConfigMap", "settings")).toBeDefined();
    expect(leftOnParent(fleet)).toEqual([]);
  },
);
