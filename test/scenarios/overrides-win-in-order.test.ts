// Globalizations change many clusters, Localizations one; the higher priority wins; deleting an override rolls it back.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Globalization } from "#api/apps/v1alpha1/globalization.ts";
import { Localization } from "#api/apps/v1alpha1/localization.ts";
import { Base } from "#api/apps/v1alpha1/base.ts";
import { ConfigMap, Event } from "#kube/builtin-kinds.ts";
import { aConfigMap, feedOf, SHOP, startDeliveryBed, type Child, type DeliveryBed } from "#test/framework/delivery-bed.ts";
import { eventually } from "#test/framework/eventually.ts";

const settings = aConfigMap("settings", { colour: "template", size: "template", only: "template" });
let bed: DeliveryBed;

beforeAll(async () => {
  bed = await startDeliveryBed({ children: 2 });
  bed.startScheduler();
  bed.startControllerManager();
  for (const child of bed.children) child.startAgent();
  await bed.template(settings);
  await bed.subscribe({ name: "web", feeds: [feedOf(settings)] });
  await bed.condition("web", "Delivered");
});
afterAll(async () => {
  await bed[Symbol.asyncDispose]();
});

type Spec = Globalization["spec"];
const merge = (data: Readonly<Record<string, unknown>>): NonNullable<Spec["overrides"]> => [
  { name: "set", type: "MergePatch", value: JSON.stringify({ data }) },
];
const globalize = (name: string, spec: Partial<Spec>): Promise<unknown> =>
  bed.parent.create(
    Globalization,
    {
      apiVersion: Globalization.apiVersion,
      kind: Globalization.kind,
      metadata: { name },
      spec: { overridePolicy: "ApplyNow", priority: 500, feed: feedOf(settings), ...spec },
    },
    bed.signal,
  );
const localize = (child: string, name: string, spec: Partial<Localization["spec"]>): Promise<unknown> =>
  bed.parent.create(
    Localization,
    {
      apiVersion: Localization.apiVersion,
      kind: Localization.kind,
      metadata: { namespace: child, name },
      spec: { overridePolicy: "ApplyNow", priority: 500, feed: feedOf(settings), ...spec },
    },
    bed.signal,
  );
const dataIn = async (child: Child): Promise<Readonly<Record<string, string>> | undefined> =>
  (await child.client.get(ConfigMap, { namespace: SHOP, name: "settings" }, bed.signal))?.data;
const expectData = (index: number, expected: Readonly<Record<string, string>>): Promise<unknown> =>
  eventually(`${JSON.stringify(expected)} in child ${String(index + 1)}`, async () => {
    expect(await dataIn(bed.children[index]!)).toEqual(expected);
    return true;
  });

test("a Globalization changes every cluster, a Localization on top of it one, whatever their priorities", async () => {
  await localize("child-1", "big", { priority: 1, overrides: merge({ size: "big" }) });
  await globalize("blue", { priority: 900, overrides: merge({ colour: "blue", size: "medium" }) });
  await expectData(0, { colour: "blue", size: "big", only: "template" });
  await expectData(1, { colour: "blue", size: "medium", only: "template" });
});

test("among Globalizations the higher priority wins, and an affinity limits one to its clusters", async () => {
  await globalize("red", {
    priority: 901,
    clusterAffinity: { matchLabels: { name: "child-2" } },
    overrides: [
      { type: "JSONPatch", value: "- {op: replace, path: /data/colour, value: red}\n- {op: remove, path: /data/only}" },
    ],
  });
  await expectData(1, { colour: "red", size: "medium" });
  await expectData(0, { colour: "blue", size: "big", only: "template" });
});

test("ApplyLater waits until something else changes the feed", async () => {
  await globalize("later", { overridePolicy: "ApplyLater", priority: 950, overrides: merge({ later: "yes" }) });
  await globalize("now", { priority: 940, overrides: merge({ now: "yes" }) });
  await expectData(0, { colour: "blue", size: "big", only: "template", now: "yes", later: "yes" });
  await bed.parent.delete(Globalization, { name: "later" }, {}, bed.signal);
  await bed.parent.delete(Globalization, { name: "now" }, {}, bed.signal);
  await expectData(0, { colour: "blue", size: "big", only: "template" });
});

test("deleting an override rolls the children back", async () => {
  await bed.parent.delete(Globalization, { name: "red" }, {}, bed.signal);
  await expectData(1, { colour: "blue", size: "medium", only: "template" });
});

test("a patch that does not apply is reported with patch, path and cluster, and leaves what is there", async () => {
  const before = await dataIn(bed.children[0]!);
  await localize("child-1", "wrong", {
    priority: 1000,
    overrides: [{ name: "typo", type: "JSONPatch", value: '[{"op":"replace","path":"/data/missing/deep","value":"x"}]' }],
  });
  const expected = /Localization child-1\/wrong, patch typo, cluster child-1: \/data\/missing does not exist/;
  await eventually("the Base says so", async () => {
    const base = await bed.parent.get(Base, { namespace: "child-1", name: "web.shop" }, bed.signal);
    return base?.status?.conditions?.some(
      ({ type, status, message }) => type === "Rendered" && status === "False" && expected.test(message),
    );
  });
  await eventually("the Subscription says so", async () => {
    const conditions = (await bed.subscription("web"))?.status?.conditions;
    return conditions?.some(({ type, status, message }) => type === "Delivered" && status === "False" && expected.test(message));
  });
  await eventually("the Localization says so", async () => {
    const key = { namespace: "child-1", name: "wrong" };
    const { metadata, status } = (await bed.parent.get(Localization, key, bed.signal)) ?? {};
    expect(status?.observedGeneration).toBe(metadata?.generation);
    const text = "Does not apply in 1 of 1 clusters: child-1, patch typo: /data/missing does not exist";
    return status?.conditions?.some(({ reason, message }) => reason === "OverrideFailed" && message === text);
  });
  await eventually("the Globalization behind it says that it is held back there, and applies elsewhere", async () => {
    const conditions = (await bed.parent.get(Globalization, { name: "blue" }, bed.signal))?.status?.conditions;
    return conditions?.some(
      ({ status, message }) => status === "False" && message.includes("1 of 2 clusters: child-1, Localization child-1/wrong"),
    );
  });
  await eventually("an Event of the Localization says so", async () => {
    const { items } = await bed.parent.list(Event, { namespace: "child-1" }, bed.signal);
    return items.some(({ involvedObject, message }) => involvedObject.kind === "Localization" && expected.test(message ?? ""));
  });
  expect(await dataIn(bed.children[0]!)).toEqual(before);
  await bed.template(aConfigMap("settings", { colour: "t2", size: "t2", only: "t2" }));
  await expectData(1, { colour: "blue", size: "medium", only: "t2" });
  expect(await dataIn(bed.children[0]!)).toEqual(before);
  await bed.parent.delete(Localization, { namespace: "child-1", name: "wrong" }, {}, bed.signal);
  await expectData(0, { colour: "blue", size: "big", only: "t2" });
  await bed.condition("web", "Delivered");
  await eventually("the Globalization says that it applies everywhere", async () => {
    const blue = await bed.parent.get(Globalization, { name: "blue" }, bed.signal);
    return blue?.status?.conditions?.some(({ status, message }) => status === "True" && message === "In 2 of 2 clusters");
  });
});

test("a patch cannot turn one object into another", async () => {
  await globalize("rename", { priority: 999, overrides: [{ type: "MergePatch", value: "metadata: {name: stolen}" }] });
  await eventually("the Subscription says so", async () => {
    const conditions = (await bed.subscription("web"))?.status?.conditions;
    return conditions?.some(
      ({ type, message }) => type === "Delivered" && message.includes("/metadata/name identifies the object"),
    );
  });
  for (const child of bed.children) {
    expect(await child.client.get(ConfigMap, { namespace: SHOP, name: "stolen" }, bed.signal)).toBeUndefined();
  }
});
