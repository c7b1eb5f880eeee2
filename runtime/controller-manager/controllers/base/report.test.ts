// What a Base says is never older than what was done for it, however late the caches are.

import { expect, test } from "@jest/globals";
import type { Base } from "#api/apps/v1alpha1/base.ts";
import { createMemoryFleet, fleetKeys } from "#test/framework/memory-fleet.ts";

test("a template that arrives while the cache still shows the Base without a report: the problem is taken back", async () => {
  await using fleet = createMemoryFleet();
  const { parent } = fleet;
  const found = (): string | undefined => {
    const { status } = parent.object("Base", "web.shop") as unknown as Base;
    return status?.conditions?.find(({ type }) => type === "FeedsResolved")?.status;
  };
  const template = parent.object("Manifest", "configmaps.shop.settings");
  parent.remove("Manifest", "configmaps.shop.settings");
  fleet.informers.manifests.listed();
  await fleet.clock.advance(200);
  parent.edit("Base", "web.shop", { by: "test", change: ({ metadata }) => (metadata["generation"] = 1) });
  // Once, as it was made: from now on its cache lags.
  fleet.informers.bases.listed(parent.object("Base", "web.shop") as never);
  const withoutBases = fleetKeys.filter((key) => key !== "bases");
  await fleet.settle(withoutBases);
  expect(found()).toBe("False");
  parent.make(template!, "test");
  await fleet.settle(withoutBases);
  await fleet.settle();
  await fleet.settle();
  expect(parent.object("Description", "web.shop-generic")).toBeDefined();
  expect(found()).toBe("True");
});

test("a template that arrives just before the cache shows that it was missing: the problem is taken back", async () => {
  await using fleet = createMemoryFleet();
  const { parent, informers } = fleet;
  // Nothing else is to be said of it.
  parent.remove("Globalization", "louder");
  informers.globalizations.listed();
  const template = parent.object("Manifest", "configmaps.shop.settings");
  parent.remove("Manifest", "configmaps.shop.settings");
  informers.manifests.listed();
  await fleet.clock.advance(200);
  informers.bases.listed(parent.object("Base", "web.shop") as never);
  await fleet.clock.advance(200);
  parent.make(template!, "test");
  informers.manifests.listed(template as never);
  await fleet.clock.advance(10);
  await fleet.settle();
  const { status } = parent.object("Base", "web.shop") as unknown as Base;
  expect(parent.object("Description", "web.shop-generic")).toBeDefined();
  expect(status?.conditions?.map(({ type, status: is }) => `${type}=${is}`)).toEqual(["FeedsResolved=True", "Rendered=True"]);
});
