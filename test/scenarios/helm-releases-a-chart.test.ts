// A HelmChart as a feed, with the real helm: installed, changed by overrides and versions, taken up again after a kill, uninstalled.

import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Description } from "#api/apps/v1alpha1/description.ts";
import { Globalization } from "#api/apps/v1alpha1/globalization.ts";
import { HelmChart } from "#api/apps/v1alpha1/helm-chart.ts";
import { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ConfigMap, Event, Secret } from "#kube/builtin-kinds.ts";
import { startChartRepository, type ChartRepository } from "#test/framework/chart-repository.ts";
import { SHOP, startDeliveryBed, type DeliveryBed, type Running } from "#test/framework/delivery-bed.ts";
import { eventually } from "#test/framework/eventually.ts";
import { resolveTool } from "#tools/toolchain.ts";

let bed: DeliveryBed;
let repository: ChartRepository;
const stack = new AsyncDisposableStack();
let agent: Running;

const feed = { apiVersion: HelmChart.apiVersion, kind: HelmChart.kind, namespace: SHOP, name: "web" };
const settings = { namespace: "apps", name: "web-settings" };
const releaseKey = { namespace: "child-1", name: "web.shop-helm-shop-web" };

beforeAll(async () => {
  const helm = await resolveTool("helm");
  repository = stack.use(await startChartRepository());
  for (const version of ["1.0.0", "1.1.0"]) repository.publish({ name: "web", version });
  bed = stack.use(await startDeliveryBed({ children: 1, helm }));
  bed.startScheduler();
  bed.startControllerManager();
  agent = bed.children[0]!.startAgent();
});

afterAll(async () => {
  await stack.disposeAsync();
});

const release = (): Promise<HelmRelease | undefined> => bed.parent.get(HelmRelease, releaseKey, bed.signal);
const inChild = (): Promise<ConfigMap | undefined> => bed.children[0]!.client.get(ConfigMap, settings, bed.signal);
const deployed = (revision: number): Promise<HelmRelease> =>
  eventually(`revision ${String(revision)} is deployed`, async () => {
    const current = await release();
    if (current?.status?.phase === "deployed" && current.status.version === revision) return current;
    throw new Error(JSON.stringify(current?.status));
  });
const change = (spec: object): Promise<HelmChart> =>
  bed.parent.patch(HelmChart, { namespace: SHOP, name: "web" }, { type: "merge", body: { spec } }, bed.signal);

test("a chart is installed, and every status says so", async () => {
  const spec = {
    repo: repository.url,
    chart: "web",
    version: "1.0.0",
    targetNamespace: "apps",
    createNamespace: true,
    timeoutSeconds: 60,
  };
  const { apiVersion, kind } = HelmChart;
  await bed.parent.create(HelmChart, { apiVersion, kind, metadata: { namespace: SHOP, name: "web" }, spec }, bed.signal);
  await bed.subscribe({ name: "web", feeds: [feed] });
  const { spec: released, status } = await deployed(1);
  expect(released).toMatchObject({ releaseName: "web", chart: "web", version: "1.0.0" });
  expect(status).toMatchObject({ releasedAs: "apps/web", chartVersion: "1.0.0", description: "Install complete" });
  expect(await inChild()).toMatchObject({ data: { colour: "blue", version: "1.0.0" } });
  const description = await eventually("the Description says so", async () => {
    const current = await bed.parent.get(Description, { namespace: "child-1", name: "web.shop-helm" }, bed.signal);
    return current?.status?.phase === "Success" ? current : undefined;
  });
  expect(description.status?.manifestStatuses).toMatchObject([
    { ...feed, available: true, observedStatus: { phase: "deployed" } },
  ]);
});

test("a changed override upgrades, and one that goes is taken back", async () => {
  const { apiVersion, kind } = Globalization;
  const override = { name: "colour", type: "Helm", value: "colour: green" } as const;
  const spec = { overridePolicy: "ApplyNow", priority: 500, feed, overrides: [override] } as const;
  await bed.parent.create(Globalization, { apiVersion, kind, metadata: { name: "green" }, spec }, bed.signal);
  await deployed(2);
  expect(await inChild()).toMatchObject({ data: { colour: "green" } });
  await bed.parent.delete(Globalization, { name: "green" }, {}, bed.signal);
  await deployed(3);
  expect(await inChild()).toMatchObject({ data: { colour: "blue" } });
});

test("another version is released, and the version before again", async () => {
  await change({ version: "1.1.0" });
  await deployed(4);
  expect(await inChild()).toMatchObject({ data: { version: "1.1.0" } });
  await change({ version: "1.0.0" });
  await deployed(5);
  expect(await inChild()).toMatchObject({ data: { version: "1.0.0" } });
});

test("nothing changed: an agent that starts again pulls no chart, runs no helm and writes nothing", async () => {
  await agent.stop();
  const before = await release();
  repository.requests.length = 0;
  agent = bed.children[0]!.startAgent();
  await change({ timeoutSeconds: 61 });
  const after = await eventually("the agent saw the new generation", async () => {
    const current = await release();
    return current?.status?.observedGeneration === before!.metadata.generation! + 1 ? current : undefined;
  });
  expect(after.status).toEqual({ ...before?.status, observedGeneration: after.metadata.generation });
  // The parent looks the chart up again; nobody downloads it.
  expect(repository.requests.filter(({ path }) => path.endsWith(".tgz"))).toEqual([]);
});

test("a release that a killed helm left pending is taken up again", async () => {
  await agent.stop();
  const child = bed.children[0]!.client;
  const key = { namespace: "apps", name: "sh.helm.release.v1.web.v5" };
  const stored = await child.get(Secret, key, bed.signal);
  await child.update(Secret, asPending(stored!), bed.signal);
  agent = bed.children[0]!.startAgent();
  await change({ version: "1.1.0" });
  await deployed(6);
  expect(await inChild()).toMatchObject({ data: { version: "1.1.0" } });
});

test("a broken chart says why, leaves what runs, and is tried again when it is mended", async () => {
  repository.publish({
    name: "web",
    version: "1.2.0",
    files: { "templates/broken.yaml": "a: {{ .Values.missing.deep.field }}" },
  });
  await change({ version: "1.2.0" });
  const failed = await eventually("the release failed", async () => {
    const current = await release();
    return current?.status?.phase === "failed" ? current : undefined;
  });
  expect(failed.status?.description).toMatch(/broken\.yaml.*nil pointer/s);
  expect(failed.status?.conditions).toMatchObject([{ type: "Applied", status: "False", reason: "HelmFailed" }]);
  expect(await inChild()).toMatchObject({ data: { version: "1.1.0" } });
  await change({ version: "1.1.0" });
  await deployed(7);
});

test("what somebody edits or deletes of a release is put back, custom resources too, and helm is not run for it", async () => {
  repository.publish({ name: "web", version: "1.3.0", files: { ...withToy } });
  // An upgrade alone installs no definitions.
  await change({ version: "1.3.0", replaceCRDs: true });
  await deployed(8);
  const child = bed.children[0]!.client;
  const edit = { type: "merge", body: { data: { colour: "red" } }, fieldManager: "kubectl-edit" } as const;
  await child.patch(ConfigMap, settings, edit, bed.signal);
  await eventually("the edit is put back", async () => (await inChild())?.data?.["colour"] === "blue");
  await child.delete(ConfigMap, settings, {}, bed.signal);
  const again = await eventually("it is made again", inChild);
  expect(again.metadata.annotations).toMatchObject({
    "meta.helm.sh/release-name": "web",
    "meta.helm.sh/release-namespace": "apps",
  });
  const admin = bed.children[0]!.controlPlane.admin;
  const toy = "/apis/example.com/v1/namespaces/apps/toys/robot";
  await admin.patch(toy, { spec: { wheels: 3 } });
  await eventually("the custom resource is put back", async () => {
    const { spec } = (await admin.get<{ spec: { wheels: number } }>(toy)) ?? {};
    return spec?.wheels === 4;
  });
  await eventually("an Event says what was put back", async () => {
    const { items } = await bed.parent.list(Event, { namespace: "child-1" }, bed.signal);
    const told = items.filter(({ reason }) => reason === "DriftCorrected").map(({ message }) => message);
    expect(told).toContain(
      "ConfigMap apps/web-settings was changed by kubectl-edit: /data/colour is red instead of blue; put back",
    );
    return true;
  });
  expect((await release())?.status).toMatchObject({ phase: "deployed", version: 8 });
});

test("with drift Report an edit is said and stays, and what somebody else did with helm is said too", async () => {
  const { apiVersion, kind } = Subscription;
  const subscription = { namespace: SHOP, name: "web" };
  const policy = (drift: string): Promise<unknown> =>
    bed.parent.patch(
      Subscription,
      subscription,
      { type: "merge", body: { apiVersion, kind, spec: { delivery: { drift } } } },
      bed.signal,
    );
  await policy("Report");
  await eventually("the release knows the policy", async () => (await release())?.spec.delivery?.drift === "Report");
  const child = bed.children[0]!.client;
  await child.patch(ConfigMap, settings, { type: "merge", body: { data: { colour: "red" } } }, bed.signal);
  const drifted = (text: string): Promise<HelmRelease> =>
    eventually(`condition Drifted says ${text}`, async () => {
      const current = await release();
      const condition = current?.status?.conditions?.find(({ type }) => type === "Drifted");
      if (current !== undefined && `${condition?.status ?? ""} ${condition?.message ?? ""}`.includes(text)) return current;
      throw new Error(JSON.stringify(current?.status?.conditions));
    });
  await drifted("/data/colour is red instead of blue");
  expect((await inChild())?.data?.["colour"]).toBe("red");
  const key = { namespace: "apps", name: "sh.helm.release.v1.web.v8" };
  const revision = await child.get(Secret, key, bed.signal);
  await child.delete(Secret, key, {}, bed.signal);
  await child.patch(ConfigMap, settings, { type: "merge", body: { data: { colour: "pink" } } }, bed.signal);
  await drifted("was replaced by somebody who ran helm");
  const { resourceVersion: _version, uid: _uid, ...metadata } = revision!.metadata;
  await child.create(Secret, { ...revision!, metadata }, bed.signal);
  await policy("Correct");
  await eventually("the edit is put back", async () => (await inChild())?.data?.["colour"] === "blue");
  await drifted("False");
  await change({ version: "1.1.0" });
  await deployed(9);
});

test("a chart that is in use cannot be deleted, and a version that is not there changes nothing", async () => {
  const key = { namespace: SHOP, name: "web" };
  await change({ version: "9.9.9" });
  await eventually("the chart is not found", async () => {
    const current = await bed.parent.get(HelmChart, key, bed.signal);
    return current?.status?.phase === "NotFound" && current.status.reason?.includes("no version 9.9.9") === true;
  });
  await bed.parent.delete(HelmChart, key, {}, bed.signal);
  const held = await eventually("the deletion is explained", async () => {
    const current = await bed.parent.get(HelmChart, key, bed.signal);
    return current?.metadata.annotations?.["apps.clusternet.io/feed-protection"];
  });
  expect(held).toContain("shop/web");
  expect((await release())?.status).toMatchObject({ phase: "deployed", chartVersion: "1.1.0" });
});

test("deleting the Subscription uninstalls, and nothing is left", async () => {
  await bed.parent.delete(Subscription, { namespace: SHOP, name: "web" }, {}, bed.signal);
  await eventually("the Subscription is gone", async () => (await bed.subscription("web")) === undefined);
  expect(await inChild()).toBeUndefined();
  expect(await release()).toBeUndefined();
  const { items } = await bed.children[0]!.client.list(Secret, { namespace: "apps", labelSelector: "owner=helm" }, bed.signal);
  expect(items).toEqual([]);
});

const withToy = {
  "templates/settings.yaml": `apiVersion: v1
kind: ConfigMap
metadata: { name: {{ .Release.Name }}-settings }
data: { colour: {{ .Values.colour | quote }}, version: {{ .Chart.Version | quote }} }
`,
  "templates/toy.yaml": `apiVersion: example.com/v1
kind: Toy
metadata: { name: robot }
spec: { wheels: 4 }
`,
  "crds/toys.yaml": `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: toys.example.com }
spec:
  group: example.com
  scope: Namespaced
  names: { plural: toys, singular: toy, kind: Toy, listKind: ToyList }
  versions:
    - name: v1
      served: true
      storage: true
      schema: { openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } }
`,
};

/** As helm leaves it when it is killed in the middle of an upgrade. */
function asPending(secret: Secret): Secret {
  const text = Buffer.from(secret.data?.["release"] ?? "", "base64").toString("latin1");
  const record = JSON.parse(gunzipSync(Buffer.from(text, "base64")).toString("utf8")) as { info: { status: string } };
  record.info.status = "pending-upgrade";
  const packed = gzipSync(JSON.stringify(record)).toString("base64");
  return {
    ...secret,
    metadata: { ...secret.metadata, labels: { ...secret.metadata.labels, status: "pending-upgrade" } },
    data: { ...secret.data, release: Buffer.from(packed, "latin1").toString("base64") },
  };
}
