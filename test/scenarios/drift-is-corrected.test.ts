// What a real cluster changes in what was delivered is put back, reported or left alone, as the Subscription says.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Description } from "#api/apps/v1alpha1/description.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ConfigMap, Deployment, Event } from "#kube/builtin-kinds.ts";
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

const settings = aConfigMap("settings", { colour: "blue" });
const key = { namespace: SHOP, name: "settings" };
const labels = { app: "web" };
const web = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { namespace: SHOP, name: "web" },
  spec: {
    replicas: 1,
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: { containers: [{ name: "web", image: "nginx", resources: { limits: { cpu: "1000m" } } }] },
    },
  },
};
let bed: DeliveryBed;
let child: Child;
let agent: Running;

beforeAll(async () => {
  bed = await startDeliveryBed({ children: 1 });
  bed.startScheduler();
  bed.startControllerManager();
  child = bed.children[0]!;
  agent = child.startAgent();
  await bed.template(settings);
  await bed.template(web);
  await bed.subscribe({ name: "web", feeds: [feedOf(settings), feedOf(web)] });
  await bed.condition("web", "Delivered");
});
afterAll(async () => {
  await bed[Symbol.asyncDispose]();
});

const edit = (body: unknown, fieldManager = "kubectl-edit"): Promise<unknown> =>
  child.client.patch(ConfigMap, key, { type: "merge", body, fieldManager }, bed.signal);
const colour = async (): Promise<string | undefined> => (await child.client.get(ConfigMap, key, bed.signal))?.data?.["colour"];
const policy = async (delivery: Subscription["spec"]["delivery"] | null): Promise<unknown> => {
  await bed.parent.patch(
    Subscription,
    { namespace: SHOP, name: "web" },
    { type: "merge", body: { spec: { delivery } } },
    bed.signal,
  );
  return bed.condition("web", "Delivered");
};
const drifted = async (): Promise<string | undefined> =>
  (await bed.subscription("web"))?.status?.conditions?.find(({ type }) => type === "Drifted")?.status;

test("an edit is put back, what was added stays, and an Event says who it was", async () => {
  await edit({ data: { colour: "red", mine: "yes" } });
  await eventually("blue again", async () => (await colour()) === "blue");
  expect((await child.client.get(ConfigMap, key, bed.signal))?.data).toEqual({ colour: "blue", mine: "yes" });
  await eventually("the Event", async () => {
    const { items } = await bed.parent.list(Event, {}, bed.signal);
    return items.some(({ message }) =>
      message?.includes("ConfigMap shop/settings was changed by kubectl-edit: /data/colour is red instead of blue; put back"),
    );
  });
});

test("marks that are taken off, and a whole object that is deleted, come back; and the object can still be removed", async () => {
  await edit({ metadata: { labels: null, annotations: null } });
  await eventually("marked again", async () => {
    const { metadata } = (await child.client.get(ConfigMap, key, bed.signal))!;
    return metadata.labels?.["clusternet.io/created-by"] === "clusternet-hub";
  });
  await child.client.delete(ConfigMap, key, {}, bed.signal);
  await eventually("made again", async () => (await colour()) === "blue");
  const { uid } = (await child.client.get(ConfigMap, key, bed.signal))!.metadata;
  await eventually("the inventory knows it", async () => {
    const { items } = await bed.parent.list(Description, {}, bed.signal);
    return items[0]?.status?.inventory?.some((entry) => entry.uid === uid);
  });
});

test("what the API server makes of an object, and its status, are no drift: nothing is written", async () => {
  await child.client.patch(
    Deployment,
    { namespace: SHOP, name: "web" },
    { type: "merge", body: { status: { replicas: 1, observedGeneration: 1 } }, subresource: "status" },
    bed.signal,
  );
  await agent.stop();
  agent = child.startAgent();
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  agent.counter.expectNoWrites({ except: ["managedclusters/status", "descriptions/status"] });
  const { metadata } = (await child.client.get(Deployment, { namespace: SHOP, name: "web" }, bed.signal))!;
  expect(metadata.generation).toBe(1);
});

test("replicas that an autoscaler sets stay; those that a person sets do not", async () => {
  const scale = async (replicas: number, fieldManager: string): Promise<void> => {
    const body = { spec: { replicas } };
    await child.client.patch(
      Deployment,
      { namespace: SHOP, name: "web" },
      { type: "merge", body, subresource: "scale", fieldManager },
      bed.signal,
    );
  };
  const replicas = async (): Promise<unknown> =>
    (
      (await child.client.get(Deployment, { namespace: SHOP, name: "web" }, bed.signal)) as
        { spec?: { replicas?: number } } | undefined
    )?.spec?.replicas;
  await scale(3, "kubectl");
  await eventually("put back", async () => (await replicas()) === 1);
  await scale(4, "kube-controller-manager");
  // Something else that is drift, to know that it has looked.
  await edit({ data: { colour: "red" } });
  await eventually("put back", async () => (await colour()) === "blue");
  expect(await replicas()).toBe(4);
  const image = "nginx:2";
  const containers = [{ name: "web", image }];
  await bed.template({ ...web, spec: { ...web.spec, template: { metadata: { labels }, spec: { containers } } } } as never);
  await eventually("the new image", async () => {
    const found = await child.client.get(Deployment, { namespace: SHOP, name: "web" }, bed.signal);
    return JSON.stringify(found).includes(`"image":"${image}"`);
  });
  expect(await replicas()).toBe(4);
});

test("Report says it at the Subscription and changes nothing; Correct puts it back", async () => {
  await policy({ drift: "Report" });
  await edit({ data: { colour: "red" } });
  await eventually("Drifted", async () => (await drifted()) === "True");
  expect(await colour()).toBe("red");
  await policy(null);
  await eventually("blue", async () => (await colour()) === "blue");
  await eventually("not Drifted", async () => (await drifted()) === "False");
});

test("Off leaves it, until something else is delivered", async () => {
  await policy({ drift: "Off" });
  await edit({ data: { colour: "red" } });
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(await colour()).toBe("red");
  expect(await drifted()).toBe("False");
});
