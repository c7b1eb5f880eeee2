// Several Descriptions of one Base: an object that moves between them is never deleted, forgotten or fought about.

import { describe, expect, test } from "@jest/globals";
import type { Description, InventoryEntry } from "#api/apps/v1alpha1/description.ts";
import type { KubeObject } from "#api/meta.ts";
import { ConfigMap, Namespace } from "#kube/builtin-kinds.ts";
import { createFakeClock } from "#test/framework/fake-clock.ts";
import { createMemoryCluster, type MemoryCluster } from "#test/framework/memory-cluster.ts";
import { deliver, removeDelivered } from "./deliver.ts";
import type { Delivery, Removal } from "./description-status.ts";
import { isItsTurn, keysOfParts } from "./parts.ts";

const { signal } = new AbortController();
const a = (kind: string, name: string, colour = "blue"): KubeObject & Record<string, unknown> => ({
  apiVersion: "v1",
  kind,
  metadata: { name, ...(kind === "Namespace" ? {} : { namespace: "shop" }) },
  ...(kind === "Namespace" ? {} : { data: { colour } }),
});
const first = "web.shop-generic";

interface PartOptions {
  readonly inventory?: readonly InventoryEntry[];
  readonly isGoing?: boolean;
}

function part(number: number, objects: readonly KubeObject[], { inventory, isGoing = false }: PartOptions = {}): Description {
  return {
    apiVersion: "apps.clusternet.io/v1alpha1",
    kind: "Description",
    metadata: {
      namespace: "paris",
      name: number === 0 ? first : `${first}-${String(number)}`,
      generation: 1,
      ...(number === 0 ? {} : { annotations: { "apps.clusternet.io/part-of": first } }),
      ...(isGoing ? { deletionTimestamp: "2030-01-01T00:00:00Z" } : {}),
    },
    spec: { deployer: "Generic", raw: objects.map((object) => Buffer.from(JSON.stringify(object)).toString("base64")) },
    ...(inventory === undefined ? {} : { status: { inventory } }),
  };
}

interface Bed {
  readonly cluster: MemoryCluster;
  /** `parent`: what it has now. `cached`: what the deliverer knows of the others, where that is older. */
  deliver(description: Description, parent: readonly Description[], cached?: readonly Description[]): Promise<Delivery>;
  remove(description: Description, parent: readonly Description[]): Promise<Removal>;
  uid(name: string): string | undefined;
}

function bedOf(): Bed {
  const cluster = createMemoryCluster([ConfigMap, Namespace]);
  const { client: child, discovery } = cluster;
  const shared = { child, discovery, ownerExists: () => true, clock: createFakeClock() };
  const optionsOf = (description: Description, parent: readonly Description[], cached = parent) => ({
    ...shared,
    description,
    siblings: cached.filter(({ metadata }) => metadata.name !== description.metadata.name),
    askParts: () => Promise.resolve(parent),
    recordInventory: () => Promise.resolve(),
  });
  return {
    cluster,
    deliver: (description, parent, cached) => deliver(optionsOf(description, parent, cached), signal),
    remove: (description, parent) => removeDelivered(optionsOf(description, parent), signal),
    uid: (name) => cluster.object("ConfigMap", name)?.metadata.uid,
  };
}

const namesOf = (inventory: readonly InventoryEntry[]): readonly string[] => inventory.map(({ name }) => name);

describe("an object that moves to another part", () => {
  const settings = a("ConfigMap", "settings");
  const logo = a("ConfigMap", "logo");

  test("is not deleted by the old one, also when the cache does not show the new one yet", async () => {
    const bed = bedOf();
    const { inventory } = await bed.deliver(part(0, [settings, logo]), []);
    const uid = bed.uid("logo");
    const shrunk = part(0, [settings], { inventory });
    const after = await bed.deliver(shrunk, [shrunk, part(1, [logo])], []);
    expect(bed.uid("logo")).toBe(uid);
    // Nobody else has recorded it: whoever takes it over finds here what is known about it.
    expect(namesOf(after.inventory)).toEqual(["settings", "logo"]);
    const later = part(0, [settings], { inventory: after.inventory });
    const settled = await bed.deliver(later, [later, part(1, [logo], { inventory: [inventory[1]!] })]);
    expect(namesOf(settled.inventory)).toEqual(["settings"]);
    expect(bed.uid("logo")).toBe(uid);
  });

  test("is taken over by the new one as it is, without a write when nothing else changed", async () => {
    const bed = bedOf();
    const { inventory } = await bed.deliver(part(0, [settings, logo]), []);
    const before = bed.cluster.object("ConfigMap", "logo");
    const old = part(0, [settings, logo], { inventory });
    const moved = await bed.deliver(part(1, [logo]), [old]);
    expect(moved.problems).toEqual([]);
    expect(moved.inventory).toEqual([inventory[1]]);
    expect(bed.cluster.object("ConfigMap", "logo")?.metadata.resourceVersion).toBe(before?.metadata.resourceVersion);
  });

  test("loses the fields that it no longer has: all parts are one field manager", async () => {
    const bed = bedOf();
    await bed.deliver(part(0, [settings]), []);
    await bed.deliver(part(1, [{ ...settings, data: { size: "1" } } as KubeObject]), []);
    expect(bed.cluster.object("ConfigMap", "settings")?.["data"]).toEqual({ size: "1" });
  });

  test("that was there before us stays one that was", async () => {
    const bed = bedOf();
    const shop = a("Namespace", "shop");
    bed.cluster.make(shop, "kubectl");
    const { inventory } = await bed.deliver(part(0, [shop]), []);
    expect(inventory).toMatchObject([{ origin: "Adopted" }]);
    const moved = await bed.deliver(part(1, [shop]), [part(0, [], { inventory })]);
    expect(moved.inventory).toMatchObject([{ origin: "Adopted" }]);
    await bed.remove(part(1, [shop], { inventory: moved.inventory, isGoing: true }), []);
    expect(bed.cluster.object("Namespace", "shop")).toBeDefined();
  });

  test("stays when its old part goes, which waits until the new one has recorded it", async () => {
    const bed = bedOf();
    const { inventory } = await bed.deliver(part(1, [logo]), []);
    const going = part(1, [logo], { inventory, isGoing: true });
    expect(namesOf((await bed.remove(going, [going, part(0, [settings, logo])])).remaining)).toEqual(["logo"]);
    const recorded = part(0, [settings, logo], { inventory });
    expect(await bed.remove(going, [going, recorded])).toEqual({ remaining: [], problems: [] });
    expect(bed.uid("logo")).toBeDefined();
  });

  test("is deleted when no part describes it any more, and when all parts go", async () => {
    const bed = bedOf();
    const { inventory } = await bed.deliver(part(1, [settings, logo]), []);
    const shrunk = part(1, [settings], { inventory });
    await bed.deliver(shrunk, [part(0, []), shrunk]);
    expect(bed.uid("logo")).toBeUndefined();
    const all = [part(0, [settings], { isGoing: true }), part(1, [settings], { inventory, isGoing: true })];
    expect(await bed.remove(all[1]!, all)).toEqual({ remaining: [], problems: [] });
    expect(bed.uid("settings")).toBeUndefined();
  });
});

describe("isItsTurn", () => {
  const now = Date.parse("2030-01-01T00:00:10Z");
  const made = (description: Description, status: Description["status"], createdAt = "2030-01-01T00:00:00Z"): Description => ({
    ...description,
    metadata: { ...description.metadata, creationTimestamp: createdAt },
    ...(status === undefined ? {} : { status }),
  });
  const second = made(part(1, []), undefined);

  test("a new part waits until those before it were tried, whatever came of it", () => {
    expect(isItsTurn(second, [made(part(0, []), undefined)], now)).toBe(false);
    expect(isItsTurn(second, [made(part(0, []), { phase: "Failure", observedGeneration: 1 })], now)).toBe(true);
    expect(isItsTurn(made(part(0, []), undefined), [second], now)).toBe(true);
  });

  test("and not for ever, nor for one that goes", () => {
    expect(isItsTurn(second, [made(part(0, []), undefined)], now + 60_000)).toBe(true);
    expect(isItsTurn(second, [made(part(0, [], { isGoing: true }), undefined)], now)).toBe(true);
  });
});

test("what happens to an object wakes all parts, for the mark names the first one only", () => {
  const all = [part(0, []), part(1, []), { ...part(1, []), metadata: { ...part(1, []).metadata, namespace: "oslo" } }];
  expect(keysOfParts(`paris/${first}`, { list: () => all })).toEqual([`paris/${first}`, `paris/${first}-1`]);
});
