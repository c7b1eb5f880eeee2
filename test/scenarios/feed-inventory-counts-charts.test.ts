// A Subscription that divides a chart and a Deployment: both are in its FeedInventory, the chart by what it renders to.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { FeedInventory } from "#api/apps/v1alpha1/feed-inventory.ts";
import { Globalization } from "#api/apps/v1alpha1/globalization.ts";
import { HelmChart } from "#api/apps/v1alpha1/helm-chart.ts";
import { Event } from "#kube/builtin-kinds.ts";
import { startChartRepository } from "#test/framework/chart-repository.ts";
import { feedOf, SHOP, startDeliveryBed, type DeliveryBed } from "#test/framework/delivery-bed.ts";
import { eventually } from "#test/framework/eventually.ts";
import { resolveTool } from "#tools/toolchain.ts";

const stack = new AsyncDisposableStack();
let bed: DeliveryBed;

const workload = (kind: string, name: string, replicas: string): string => `apiVersion: apps/v1
kind: ${kind}
metadata: { name: ${name} }
spec:
  replicas: ${replicas}
  template: { spec: { containers: [{ name: web, resources: { requests: { cpu: 250m, memory: 64Mi } } }] } }
`;
const hook = `apiVersion: v1
kind: Pod
metadata: { name: hook, annotations: { helm.sh/hook: pre-install } }
spec: { containers: [{ name: hook, resources: { requests: { cpu: 4 } } }] }
`;
const api = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { namespace: SHOP, name: "api" },
  spec: { replicas: 7, template: { spec: { containers: [{ name: "api" }] } } },
};
const { apiVersion, kind } = HelmChart;
const chartFeed = (name: string) => ({ apiVersion, kind, namespace: SHOP, name });

beforeAll(async () => {
  const repository = stack.use(await startChartRepository());
  const templates = {
    "templates/a.yaml": workload("Deployment", "a", "{{ .Values.replicas }}"),
    "templates/b.yaml": workload("StatefulSet", "b", "2"),
    "templates/hook.yaml": hook,
  };
  repository.publish({ name: "web", version: "1.0.0", values: { replicas: 3 }, files: templates });
  repository.publish({ name: "broken", version: "1.0.0", files: { "templates/a.yaml": "{{ .Values.a.b.c }}" } });
  bed = stack.use(await startDeliveryBed({ children: 0 }));
  bed.startControllerManager([`--helm=${await resolveTool("helm")}`]);
  for (const chart of ["web", "broken"]) {
    const spec = {
      repo: repository.url,
      chart,
      version: "1.0.0",
      targetNamespace: "apps",
      createNamespace: true,
      timeoutSeconds: 60,
    };
    await bed.parent.create(HelmChart, { apiVersion, kind, metadata: { namespace: SHOP, name: chart }, spec }, bed.signal);
  }
  await bed.template(api);
});

afterAll(async () => {
  await stack.disposeAsync();
});

const inventorySays = (cpu: string, pods: string): Promise<FeedInventory> =>
  eventually(`the chart takes ${cpu} and ${pods} pods`, async () => {
    const current = await bed.parent.get(FeedInventory, { namespace: SHOP, name: "web" }, bed.signal);
    const requests = current?.spec.feeds.find(({ name }) => name === "web")?.replicaRequirements?.resources?.requests;
    if (requests?.["cpu"] === cpu && requests["pods"] === pods) return current;
    throw new Error(JSON.stringify(current?.spec));
  });

test("a chart counts by its workloads, whole; a broken one stops neither it nor others, and says why", async () => {
  const spec = {
    schedulingStrategy: "Dividing",
    dividingScheduling: { type: "Dynamic", dynamicDividing: { strategy: "Spread" } },
  };
  const feeds = [chartFeed("web"), chartFeed("broken"), feedOf(api)];
  await bed.subscribe({ name: "web", feeds, spec: spec as never });
  const { spec: said } = await inventorySays("1250m", "5");
  expect(said.feeds).toEqual([
    { ...chartFeed("web"), replicaRequirements: { resources: { requests: { cpu: "1250m", memory: "320Mi", pods: "5" } } } },
    chartFeed("broken"),
    expect.objectContaining({ name: "api", desiredReplicas: 7 }),
  ]);
  await eventually("the broken one says why", async () => {
    const { items } = await bed.parent.list(Event, {}, bed.signal);
    return items.some(
      ({ reason, message = "", involvedObject }) =>
        reason === "UnParseableFeeds" &&
        involvedObject.kind === "Subscription" &&
        /HelmChart shop\/broken cannot be counted.*nil pointer/s.test(message),
    );
  });
});

test("values that every cluster gets are counted", async () => {
  const overrides = [{ type: "Helm", value: "replicas: 1" }] as const;
  const spec = { overridePolicy: "ApplyNow", priority: 500, feed: chartFeed("web"), overrides } as const;
  const object = { apiVersion, kind: Globalization.kind, metadata: { name: "one" }, spec };
  await bed.parent.create(Globalization, object, bed.signal);
  await inventorySays("750m", "3");
});
