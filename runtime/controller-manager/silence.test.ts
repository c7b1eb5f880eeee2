// A cache that comes back empty (another etcd, a server that just started, a lost selector) is silence, not an instruction: the parent's
// delivery deletes nothing, and what a child gets stays as it was.

import { expect, test } from "@jest/globals";
import { createMemoryFleet, fleetKeys, type FleetKey } from "#test/framework/memory-fleet.ts";

test("every kind in turn, and all at once, list as empty and come back: nothing is deleted, nothing is rendered to less", async () => {
  await using fleet = createMemoryFleet();
  await fleet.settle();
  const raw = (): unknown =>
    (fleet.parent.object("Description", "web.shop-generic") as { spec?: { raw?: unknown } } | undefined)?.spec?.raw;
  const before = raw();
  expect(before).toHaveLength(1);

  // Without its override the cluster's object would rightly be another one.
  const keys: readonly FleetKey[] = fleetKeys.filter((key) => key !== "globalizations");
  for (const empty of [...keys.map((key) => [key]), keys]) {
    for (const key of empty) fleet.informers[key].listed();
    await fleet.settle(fleetKeys.filter((key) => !empty.includes(key)));
    expect(raw()).toEqual(before);
    await fleet.settle();
    expect(raw()).toEqual(before);
  }
  expect(fleet.parent.calls.filter(({ verb }) => verb === "delete")).toEqual([]);
});
