// What the pods of a feed need comes along where the policy says so, is named where nobody delivers it, and goes when nothing needs it.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Base } from "#api/apps/v1alpha1/base.ts";
import { Localization } from "#api/apps/v1alpha1/localization.ts";
import { Manifest } from "#api/apps/v1alpha1/manifest.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { KubeObject } from "#api/meta.ts";
import { ConfigMap, Deployment, Secret } from "#kube/builtin-kinds.ts";
import { aConfigMap, feedOf, SHOP, startDeliveryBed, type DeliveryBed } from "#test/framework/delivery-bed.ts";
import { eventually } from "#test/framework/eventually.ts";

let bed: DeliveryBed;
const settings = aConfigMap("settings", { colour: "blue" });
const credentials = {
  apiVersion: "v1",
  kind: "Secret",
  metadata: { namespace: SHOP, name: "credentials" },
  stringData: { key: "k" },
};

function workload(
  name: string,
  needs: { readonly configMaps: readonly string[]; readonly secrets: readonly string[] },
): KubeObject {
  const envFrom = [
    ...needs.configMaps.map((each) => ({ configMapRef: { name: each } })),
    ...needs.secrets.map((each) => ({ secretRef: { name: each } })),
  ];
  const labels = { app: name };
  const spec = {
    replicas: 0,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [{ name, image: "none", envFrom }] } },
  };
  return { apiVersion: "apps/v1", kind: "Deployment", metadata: { namespace: SHOP, name }, spec } as KubeObject;
}
const web = workload("web", { configMaps: ["settings"], secrets: ["credentials"] });

beforeAll(async () => {
  bed = await startDeliveryBed({ children: 1 });
  bed.startScheduler();
  bed.startControllerManager();
  bed.children[0]!.startAgent();
});

afterAll(async () => {
  await bed[Symbol.asyncDispose]();
});

async function missing(): Promise<string> {
  const { status } = (await bed.subscription("web")) ?? {};
  const condition = status?.conditions?.find(({ type }) => type === "DependenciesMissing");
  return condition === undefined ? "never" : `${condition.status} ${condition.message}`;
}
const says = (expected: RegExp): Promise<unknown> =>
  eventually(`DependenciesMissing ${String(expected)}`, async () => {
    expect(await missing()).toMatch(expected);
    return true;
  });
const inChild = async (name: string): Promise<boolean> => {
  const type = name === "credentials" ? Secret : name === "web" ? Deployment : ConfigMap;
  return (await bed.children[0]!.client.get<KubeObject>(type, { namespace: SHOP, name }, bed.signal)) !== undefined;
};
const setPolicy = (dependencies: "Report" | "Follow"): Promise<unknown> =>
  bed.parent.patch(
    Subscription,
    { namespace: SHOP, name: "web" },
    { type: "merge", body: { spec: { delivery: { dependencies } } } },
    bed.signal,
  );

test("what is missing is named, and blocks nothing", async () => {
  await bed.template(web);
  await bed.template(settings);
  await bed.subscribe({ name: "web", feeds: [feedOf(web)] });
  await bed.condition("web", "Delivered");
  await says(
    /^True Deployment shop\/web needs ConfigMap shop\/settings, which has a template .*Secret shop\/credentials, which has no/,
  );
  expect(await inChild("settings")).toBe(false);
});

test("with Follow it comes along, also a template that is made later", async () => {
  await setPolicy("Follow");
  await eventually("the settings", () => inChild("settings"));
  await says(/^True Deployment shop\/web needs Secret shop\/credentials, which has no template/);
  await bed.template(credentials);
  await eventually("the credentials", () => inChild("credentials"));
  await says(/^False /);
  await bed.condition("web", "Delivered");
});

test("what an override names comes along instead, and goes when the override does", async () => {
  const name = "other";
  const path = "/spec/template/spec/containers/0/envFrom/0/configMapRef/name";
  const rename = { name: "rename", type: "JSONPatch" as const, value: JSON.stringify([{ op: "replace", path, value: name }]) };
  const key = { namespace: "child-1", name: "rename" };
  const spec = { overridePolicy: "ApplyNow" as const, priority: 500, feed: feedOf(web), overrides: [rename] };
  const { apiVersion, kind } = Localization;
  await bed.template(aConfigMap(name, { colour: "green" }));
  await bed.parent.create(Localization, { apiVersion, kind, metadata: key, spec }, bed.signal);
  await eventually(
    "the other settings are there, these are gone",
    async () => (await inChild(name)) && !(await inChild("settings")),
  );
  await bed.parent.delete(Localization, key, {}, bed.signal);
  await eventually("and the other way round", async () => (await inChild("settings")) && !(await inChild(name)));
  expect(await missing()).toMatch(/^False /);
});

test("a template that is taken along is kept, and what uses it is named", async () => {
  const { items } = await bed.parent.list(Manifest, {}, bed.signal);
  const manifest = items.find(({ metadata }) => metadata.name === "configmaps.shop.settings");
  expect(manifest?.metadata.finalizers).toContain("apps.clusternet.io/feed-protection");
});

test("what no feed needs any more goes, and the rest with the Subscription", async () => {
  await bed.template(workload("web", { configMaps: ["settings"], secrets: [] }));
  await eventually("the credentials are gone", async () => !(await inChild("credentials")));
  expect(await inChild("settings")).toBe(true);
  const [base] = (await bed.parent.list(Base, {}, bed.signal)).items;
  expect(base?.spec.feeds.map(({ name }) => name)).toEqual(["web", "settings"]);
  await bed.parent.delete(Subscription, { namespace: SHOP, name: "web" }, {}, bed.signal);
  await eventually("the Subscription is gone", async () => (await bed.subscription("web")) === undefined);
  expect([await inChild("settings"), await inChild("web")]).toEqual([false, false]);
});
