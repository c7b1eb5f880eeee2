// Several Subscriptions in full clusters, through whole cycles: who is important gets room, who is not gives just that, and then there is peace.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Plugin } from "#scheduler/plugin.ts";
import { createSharedFleet, type SharedFleet } from "#test/framework/shared-fleet.ts";

const LOW = "apps/v1/Deployment/shop/low";

/** `low` fills both clusters, and whoever leads has led for long enough. */
async function fullFleet(options?: { readonly perMinute?: number }): Promise<SharedFleet> {
  const fleet = createSharedFleet({ oslo: 6, rome: 4 }, options);
  fleet.add("low", { replicas: 10, cpu: 1 });
  await fleet.settle(5);
  fleet.follow();
  await fleet.settle(70);
  expect(fleet.shares("low")).toBe("oslo=6 rome=4");
  return fleet;
}

test("a high priority gets the room that it needs in a full fleet, the low one gives exactly that, and then there is peace", async () => {
  await using fleet = await fullFleet();
  fleet.add("high", { priority: 100, replicas: 3, cpu: 1 });
  await fleet.settle(3);
  // They were asked, and gave; their pods still run.
  expect(fleet.shares("low")).toBe("oslo=4 rome=3");
  expect(fleet.scheduled("high")).toBe(
    "False AwaitingPreemption: 0 of 3 replicas of apps/v1/Deployment/shop/high are placed: no more fit; " +
      `room is being freed: shop/low (priority 0) gives 2 of ${LOW} in oslo/oslo, shop/low (priority 0) gives 1 of ${LOW} in rome/rome`,
  );
  expect(fleet.scheduled("low")).toMatch(
    `False Preempted: 7 of 10 replicas of ${LOW} are placed: no more fit; shop/high (priority 100) took 2 of ${LOW} in oslo/oslo`,
  );
  expect(fleet.events.filter((event) => /^low Preempted|^high Preempting/.test(event)).toSorted()).toEqual([
    `high Preempting: room is being freed: shop/low (priority 0) gives 2 of ${LOW} in oslo/oslo, ` +
      `shop/low (priority 0) gives 1 of ${LOW} in rome/rome`,
    `low Preempted: shop/high (priority 100) takes room: 1 replicas of ${LOW} leave rome/rome`,
    `low Preempted: shop/high (priority 100) takes room: 2 replicas of ${LOW} leave oslo/oslo`,
  ]);
  expect(await fleet.metrics()).toMatch(/preemption_attempts_total{result="nominated"} 1\n[^]*preemption_replicas_total 3\n/);
  fleet.follow();
  await fleet.settle(15);
  expect(fleet.shares("high")).toBe("oslo=2 rome=1");
  expect(fleet.scheduled("high")).toMatch(/^True Scheduled/);
  fleet.follow();
  await fleet.settle(60);
  expect(fleet.shares("low")).toBe("oslo=4 rome=3");
  expect(fleet.preempted("low")).toEqual([
    { cluster: "oslo/oslo", feed: LOW, replicas: 2, by: "shop/high (priority 100)" },
    { cluster: "rome/rome", feed: LOW, replicas: 1, by: "shop/high (priority 100)" },
  ]);
  const [writes, events] = [fleet.writes(), fleet.events.length];
  await fleet.settle(600);
  expect(fleet.writes()).toBe(writes);
  expect(fleet.events).toHaveLength(events);
  await fleet.newLeader();
  await fleet.settle(600);
  expect(fleet.writes()).toBe(writes);
});

test("what was taken comes back when there is room again, and nothing is remembered of it", async () => {
  await using fleet = await fullFleet();
  fleet.add("high", { priority: 100, replicas: 3, cpu: 1 });
  await fleet.settle(3);
  fleet.follow();
  await fleet.settle(15);
  fleet.follow();
  fleet.remove("high");
  await fleet.settle(120);
  expect(fleet.shares("low")).toBe("oslo=6 rome=4");
  expect(fleet.scheduled("low")).toMatch(/^True Scheduled/);
  expect(fleet.preempted("low")).toBeUndefined();
});

test("room that is freed for one is not taken by another of equal or lower priority meanwhile", async () => {
  await using fleet = await fullFleet();
  fleet.add("high", { priority: 100, replicas: 3, cpu: 1 });
  await fleet.settle(3);
  fleet.follow();
  // What the clusters answered before is too old by then, and its own turn has not come.
  await fleet.settle(4);
  fleet.add("equal", { priority: 100, policy: "PreemptNever", replicas: 5, cpu: 1 });
  fleet.add("middle", { priority: 50, policy: "PreemptNever", replicas: 5, cpu: 1 });
  await fleet.settle(15);
  expect(fleet.shares("high")).toBe("oslo=2 rome=1");
  expect([fleet.shares("equal"), fleet.shares("middle")]).toEqual(["", ""]);
});

test("two that need room at once take different room", async () => {
  await using fleet = await fullFleet();
  fleet.add("one", { priority: 100, replicas: 3, cpu: 1 });
  fleet.add("two", { priority: 100, replicas: 3, cpu: 1 });
  await fleet.settle(3);
  expect(
    fleet
      .shares("low")
      .match(/\d+/g)
      ?.reduce((sum, each) => sum + Number(each), 0),
  ).toBe(4);
  fleet.follow();
  await fleet.settle(30);
  fleet.follow();
  await fleet.settle(30);
  expect([fleet.scheduled("one"), fleet.scheduled("two")].map((said) => said.split(":", 1)[0])).toEqual([
    "True Scheduled",
    "True Scheduled",
  ]);
  expect(
    fleet
      .shares("low")
      .match(/\d+/g)
      ?.reduce((sum, each) => sum + Number(each), 0),
  ).toBe(4);
});

test("who gives in one cluster gets replicas elsewhere, where there is room", async () => {
  await using fleet = createSharedFleet({ oslo: 4, rome: 3 });
  fleet.add("low", { replicas: 4, cpu: 1 });
  await fleet.settle(5);
  fleet.follow();
  await fleet.settle(70);
  expect(fleet.shares("low")).toBe("oslo=2 rome=2");
  fleet.add("high", { priority: 1, replicas: 2, cpu: 2 });
  await fleet.settle(3);
  expect(fleet.shares("high")).toBe("oslo=1");
  expect(fleet.shares("low")).toBe("oslo=0 rome=3");
  expect(fleet.scheduled("low")).toMatch(/3 of 4 replicas .* shop\/high \(priority 1\) took 2 /);
});

test("nobody gives anything for a decision that is not carried out", async () => {
  let isHeld = true;
  const night: Plugin = {
    name: "Night",
    permit: ({ subscription: { metadata } }) =>
      isHeld && metadata.name === "high" ? { type: "wait", reason: "NightOnly", message: "It is day" } : { type: "allow" },
  };
  await using fleet = createSharedFleet({ oslo: 6 }, { plugins: [night] });
  fleet.add("low", { replicas: 4, cpu: 1 });
  await fleet.settle(5);
  fleet.follow();
  await fleet.settle(70);
  fleet.add("high", { priority: 1, replicas: 4, cpu: 1 });
  await fleet.settle(60);
  expect([fleet.scheduled("high"), fleet.shares("low")]).toEqual(["False NightOnly: It is day", "oslo=4"]);
  isHeld = false;
  await fleet.settle(20);
  expect([fleet.shares("high"), fleet.shares("low")]).toEqual(["oslo=2", "oslo=2"]);
});

test("PreemptNever waits, whatever its priority", async () => {
  await using fleet = await fullFleet();
  fleet.add("high", { priority: 100, policy: "PreemptNever", replicas: 3, cpu: 1 });
  await fleet.settle(120);
  expect(fleet.shares("low")).toBe("oslo=6 rome=4");
  expect(fleet.scheduled("high")).toMatch(/^False ReplicasNotPlaced/);
});

test("no more than so many replicas go in a minute, and none when that is 0", async () => {
  await using fleet = await fullFleet({ perMinute: 2 });
  fleet.add("high", { priority: 100, replicas: 5, cpu: 1 });
  await fleet.settle(3);
  const left = (): number =>
    Number(
      fleet
        .shares("low")
        .match(/\d+/g)
        ?.reduce((sum, each) => sum + Number(each), 0),
    );
  expect(left()).toBe(8);
  for (const expected of [6, 5]) {
    fleet.follow();
    await fleet.settle(20);
    fleet.follow();
    await fleet.settle(50);
    expect(left()).toBe(expected);
  }
  fleet.follow();
  await fleet.settle(60);
  expect(fleet.scheduled("high")).toMatch(/^True Scheduled/);
  await using off = await fullFleet({ perMinute: 0 });
  off.add("high", { priority: 100, replicas: 5, cpu: 1 });
  await off.settle(120);
  expect(off.shares("low")).toBe("oslo=6 rome=4");
});

test("who begins to lead waits until what was asked for before is free, and then asks for no more than is missing", async () => {
  await using fleet = await fullFleet();
  fleet.add("high", { priority: 100, replicas: 3, cpu: 1 });
  await fleet.settle(3);
  expect(fleet.shares("low")).toBe("oslo=4 rome=3");
  await fleet.newLeader();
  await fleet.settle(30);
  // The pods have not ended yet: nobody is asked for more.
  expect(fleet.shares("low")).toBe("oslo=4 rome=3");
  fleet.follow();
  await fleet.settle(30);
  expect(fleet.scheduled("high")).toMatch(/^True Scheduled/);
  expect(fleet.shares("low")).toBe("oslo=4 rome=3");
});

test("room that did not help is given back, and not asked for again soon", async () => {
  await using fleet = await fullFleet();
  fleet.add("high", { priority: 100, replicas: 3, cpu: 1 });
  await fleet.settle(3);
  // Its pods never end.
  expect(fleet.shares("low")).toBe("oslo=4 rome=3");
  await fleet.settle(900);
  expect(fleet.shares("low")).toBe("oslo=4 rome=3");
  expect(fleet.scheduled("high")).toMatch(/^False ReplicasNotPlaced/);
  expect(await fleet.metrics()).toContain('preemption_attempts_total{result="NobodyLower"}');
});

test("a Subscription that changed is planned for anew, and takes nothing twice", async () => {
  await using fleet = await fullFleet();
  fleet.add("high", { priority: 100, replicas: 3, cpu: 1 });
  await fleet.settle(3);
  fleet.edit("high", { priority: 90 });
  await fleet.settle(20);
  expect(fleet.shares("low")).toBe("oslo=4 rome=3");
  fleet.follow();
  await fleet.settle(90);
  expect(fleet.scheduled("high")).toMatch(/^True Scheduled/);
  expect(fleet.shares("low")).toBe("oslo=4 rome=3");
});

test("whatever comes with whatever priority: nobody is lowered by who is not above it, clusters are not overfull, and it ends", async () => {
  const app = fc.record({
    priority: fc.nat({ max: 3 }),
    replicas: fc.integer({ min: 1, max: 6 }),
    cpu: fc.constantFrom(1, 2, 3),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(app, { minLength: 2, maxLength: 6 }), fc.integer({ min: 4, max: 9 }), async (apps, size) => {
      await using fleet = createSharedFleet({ oslo: size, rome: 6 });
      await fleet.settle(65);
      for (const [index, each] of apps.entries()) {
        fleet.add(`app-${String(index)}`, each);
        await fleet.settle(5);
        fleet.follow();
      }
      for (let round = 0; round < 20; round += 1) {
        await fleet.settle(20);
        fleet.follow();
      }
      const used = new Map<string, number>();
      for (const [index, { cpu }] of apps.entries()) {
        for (const [, cluster = "", share] of fleet.shares(`app-${String(index)}`).matchAll(/(\w+)=(\d+)/g))
          used.set(cluster, (used.get(cluster) ?? 0) + Number(share) * cpu);
      }
      expect(used.get("oslo") ?? 0).toBeLessThanOrEqual(size);
      expect(used.get("rome") ?? 0).toBeLessThanOrEqual(6);
      for (const event of fleet.events) {
        const [, victim, by] = /^app-(\d) Preempted: shop\/app-(\d) /.exec(event) ?? [];
        if (victim !== undefined) expect(apps[Number(victim)]?.priority).toBeLessThan(apps[Number(by)]?.priority ?? 0);
      }
      const writes = fleet.writes();
      await fleet.settle(300);
      expect(fleet.writes()).toBe(writes);
    }),
    { numRuns: 5 },
  );
}, 60_000);
