// More than one Description can hold: delivered in parts, by the agent and by the parent in turn. An object that moves between the parts is
// the same object in the cluster before and after; in the end nothing is left.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Description } from "#api/apps/v1alpha1/description.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { ConfigMap } from "#kube/builtin-kinds.ts";
import { decodeRaw } from "#delivery/render.ts";
import { realClock } from "#std/clock.ts";
import { aConfigMap, feedOf, SHOP, startDeliveryBed, type DeliveryBed } from "#test/framework/delivery-bed.ts";
import { eventually } from "#test/framework/eventually.ts";
import { startHubStandIn, type HubStandIn } from "#test/framework/hub-stand-in.ts";

/** Names end up in base64 with a third more: ten of these are more than a Description holds. */
const NAMES = Array.from("abcdefghij", (letter) => `part-of-much-${letter}`);
const USUAL_CHARS = 100_000;

let hub: HubStandIn | undefined;
let bed: DeliveryBed;
let uids: ReadonlyMap<string, string | undefined>;

beforeAll(async () => {
  const kubeconfigs = new Map<string, string>();
  let starting: Promise<HubStandIn> | undefined;
  bed = await startDeliveryBed({
    children: 1,
    syncMode: "Pull",
    appPusher: true,
    parentConnection: async ({ adminKubeconfig }) => {
      starting ??= startHubStandIn({ parentKubeconfig: adminKubeconfig, kubeconfigOf: (id) => kubeconfigs.get(id) });
      hub = await starting;
      return hub.connect();
    },
  });
  for (const { clusterId, controlPlane } of bed.children) kubeconfigs.set(clusterId, controlPlane.adminKubeconfig);
  bed.startScheduler();
  bed.startControllerManager();
  bed.children[0]!.startAgent();
  for (const name of NAMES) await bed.template(sized(name, USUAL_CHARS));
  await bed.subscribe({ name: "much", feeds: NAMES.map((name) => feedOf(aConfigMap(name, {}))) });
  await bed.condition("much", "Available");
  uids = await uidsInChild();
});

afterAll(async () => {
  await bed[Symbol.asyncDispose]();
  await hub?.[Symbol.asyncDispose]();
});

const sized = (name: string, chars: number): ReturnType<typeof aConfigMap> => aConfigMap(name, { text: "x".repeat(chars) });

async function uidsInChild(): Promise<ReadonlyMap<string, string | undefined>> {
  const { items } = await bed.children[0]!.client.list(ConfigMap, { namespace: SHOP }, bed.signal);
  const ours = items.filter(({ metadata }) => metadata.name.startsWith("part-of-much"));
  return new Map(ours.map(({ metadata: { name, uid } }): [string, string | undefined] => [name, uid]).toSorted());
}

/** Per part: the last letters of the objects that it describes, and of those that it has recorded. */
async function parts(): Promise<Readonly<Record<string, string>>> {
  const { items } = await bed.parent.list(Description, { namespace: "child-1" }, bed.signal);
  const letters = (names: readonly string[]): string =>
    names
      .map((name) => name.at(-1))
      .toSorted()
      .join("");
  return Object.fromEntries(
    items.map(({ metadata, spec, status }) => {
      const described = (spec.raw ?? []).map((raw) => (decodeRaw(raw) as { metadata: { name: string } }).metadata.name);
      const recorded = (status?.inventory ?? []).map(({ name }) => name);
      const isDone = status?.observedGeneration === metadata.generation && status?.phase === "Success";
      return [metadata.name, `${letters(described)} ${letters(recorded)}${isDone ? "" : " ..."}`];
    }),
  );
}

async function arrives(name: string, chars: number): Promise<void> {
  await bed.template(sized(name, chars));
  await eventually(`${name} has ${String(chars)} characters`, async () => {
    const live = await bed.children[0]!.client.get(ConfigMap, { namespace: SHOP, name }, bed.signal);
    return live?.data?.["text"]?.length === chars;
  });
}

test("more than a megabyte arrives, in two Descriptions, and the Subscription counts both", async () => {
  expect([...uids.keys()]).toEqual(NAMES);
  expect(await parts()).toEqual({
    "much.shop-generic": "abcdefg abcdefg",
    "much.shop-generic-1": "hij hij",
  });
  const { status } = await bed.condition("much", "Delivered");
  expect(status?.aggregatedStatuses?.every(({ feedStatusSummary }) => feedStatusSummary?.available === true)).toBe(true);
});

test("an object that grows moves, by the agent, and stays what it was", async () => {
  await arrives("part-of-much-b", 200_000);
  await eventually("moved", async () => {
    const now = await parts();
    expect(now).toMatchObject({ "much.shop-generic-1": "bhij bhij" });
    expect(now["much.shop-generic"]).toMatch(/^acdefg /);
    return true;
  });
  await bed.condition("much", "Available");
  expect(await uidsInChild()).toEqual(uids);
});

test("drift in a further part is put back", async () => {
  const key = { namespace: SHOP, name: "part-of-much-h" };
  const body = { data: { text: "edited" } };
  await bed.children[0]!.client.patch(ConfigMap, key, { type: "merge", body, fieldManager: "kubectl-edit" }, bed.signal);
  await arrives("part-of-much-h", USUAL_CHARS);
});

test("a part that is not needed any more goes, by the parent, and none of its objects with it", async () => {
  const cluster = { namespace: "child-1", name: "child-1" };
  await bed.parent.patch(ManagedCluster, cluster, { type: "merge", body: { spec: { syncMode: "Push" } } }, bed.signal);
  for (const name of ["part-of-much-b", "part-of-much-c", "part-of-much-d", "part-of-much-e", "part-of-much-f"])
    await arrives(name, 1_000);
  await eventually("one part", async () => {
    expect(await parts()).toEqual({ "much.shop-generic": "abcdefghij abcdefghij" });
    return true;
  });
  await bed.condition("much", "Available");
  expect(await uidsInChild()).toEqual(uids);
  for (const name of NAMES) await arrives(name, USUAL_CHARS);
  await bed.condition("much", "Available");
  expect(Object.keys(await parts())).toEqual(["much.shop-generic", "much.shop-generic-1"]);
  expect(await uidsInChild()).toEqual(uids);
});

test("nothing changed means zero writes, and deletion leaves nothing", async () => {
  const versions = async (): Promise<unknown> =>
    (await bed.parent.list(Description, { namespace: "child-1" }, bed.signal)).items.map(
      ({ metadata }) => metadata.resourceVersion,
    );
  await eventually("nothing is written any more", async () => {
    const before = await versions();
    await realClock.sleep(2_000, bed.signal);
    expect(await versions()).toEqual(before);
    return true;
  });
  await bed.parent.delete(Subscription, { namespace: SHOP, name: "much" }, {}, bed.signal);
  await eventually("the Subscription is gone", async () => (await bed.subscription("much")) === undefined);
  expect([...(await uidsInChild())]).toEqual([]);
  expect(await parts()).toEqual({});
});
