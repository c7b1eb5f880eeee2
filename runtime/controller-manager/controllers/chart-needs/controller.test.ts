// What charts need: counted once, again when something changed, and a broken one stops nobody.

import { afterEach, expect, test } from "@jest/globals";
import { feedKey } from "#api/apps/v1alpha1/feed.ts";
import { Globalization } from "#api/apps/v1alpha1/globalization.ts";
import { HelmChart } from "#api/apps/v1alpha1/helm-chart.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { ChartNeeds } from "#controller-manager/controllers/chart-needs/controller.ts";
import { chartNeedsController, type ChartNeedsDeps } from "#controller-manager/controllers/chart-needs/controller.ts";
import { by } from "#controller-manager/informers.ts";
import { chartFeedKeys } from "#delivery/feeds.ts";
import { ConfigMap } from "#kube/builtin-kinds.ts";
import { silentLogger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";
import { createFakeClock } from "#test/framework/fake-clock.ts";
import { createStubInformer } from "#test/framework/stub-informer.ts";

const apiVersion = HelmChart.apiVersion;
const feed = { apiVersion, kind: "HelmChart", namespace: "shop", name: "web" };

const deploymentOf = (replicas: number): string => `---
# Source: web/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec: { replicas: ${String(replicas)}, template: { spec: { containers: [{ resources: { requests: { cpu: 250m } } }] } } }
`;

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

interface Bed {
  readonly needs: ChartNeeds;
  /** What helm was given, run by run. */
  readonly runs: string[];
  readonly events: string[];
  /** Subscriptions that were told. */
  readonly told: string[];
  rendersTo: string | Error;
  digest: string;
  readonly charts: ReturnType<typeof createStubInformer<HelmChart>>;
  readonly globalizations: ReturnType<typeof createStubInformer<Globalization>>;
  readonly subscriptions: ReturnType<typeof createStubInformer<Subscription>>;
  advance(durationMs?: number): Promise<void>;
}

function startBed(): Bed {
  const clock = createFakeClock();
  const stopping = new AbortController();
  const charts = createStubInformer(HelmChart, { [by.feed]: chartFeedKeys });
  const globalizations = createStubInformer(Globalization);
  const subscriptions = createStubInformer(Subscription, { [by.feed]: ({ spec }) => spec.feeds.map(feedKey) });
  const none = new Map();
  const helm = {
    directory: "/tmp/none",
    run: ({ stdin = "" }: { readonly stdin?: string }) => {
      bed.runs.push(stdin);
      const { rendersTo } = bed;
      if (typeof rendersTo === "string") return Promise.resolve({ ok: true, stdout: rendersTo, stderr: "" });
      return Promise.resolve({ ok: false, stdout: "", stderr: `Error: ${rendersTo.message}` });
    },
  };
  const store = {
    get: () => Promise.resolve({ path: "web.tgz", version: "1.0.0", digest: bed.digest, [Symbol.dispose]: () => undefined }),
  };
  const deps = {
    client: {},
    clock,
    log: silentLogger,
    metrics: createMetrics(),
    concurrency: 1,
    events: {
      record: ({ kind }: { readonly kind: string }, { message }: { readonly message: string }) => {
        bed.events.push(`${kind}: ${message}`);
      },
    },
    informers: { helmCharts: charts, globalizations, subscriptions },
    interpreters: { informer: createStubInformer(ConfigMap), current: () => none },
    helmTools: { get: () => Promise.resolve({ helm, charts: store }) },
  } as unknown as ChartNeedsDeps;
  const { controller, needs } = chartNeedsController(deps);
  const bed: Bed = {
    needs,
    runs: [],
    events: [],
    told: [],
    rendersTo: deploymentOf(3),
    digest: "one",
    charts,
    globalizations,
    subscriptions,
    advance: async (durationMs = 1_000) => {
      for (let step = 0; step < 5; step += 1) await clock.advance(durationMs / 5);
    },
  };
  needs.source.start((key) => bed.told.push(key));
  const running = controller.run(stopping.signal);
  stops.push(async () => {
    stopping.abort(new Error("the test is over"));
    await running;
  });
  return bed;
}

let version = 0;
const resourceVersion = (): string => String((version += 1));
const chartOf = (spec: Partial<HelmChart["spec"]> = {}): HelmChart => ({
  apiVersion,
  kind: "HelmChart",
  metadata: { namespace: "shop", name: "web", generation: 1, resourceVersion: resourceVersion() },
  spec: {
    repo: "https://charts.example",
    chart: "web",
    version: "1.0.0",
    targetNamespace: "apps",
    createNamespace: true,
    timeoutSeconds: 60,
    ...spec,
  },
  status: { phase: "Found" },
});
const subscriptionOf = (schedulingStrategy: "Dividing" | "Replication"): Subscription =>
  ({
    apiVersion,
    kind: "Subscription",
    metadata: { namespace: "shop", name: "sub", resourceVersion: resourceVersion() },
    spec: { schedulingStrategy, subscribers: [], feeds: [feed] },
  }) as unknown as Subscription;
const globalizationOf = (name: string, values: object, more: object = {}): Globalization =>
  ({
    apiVersion,
    kind: "Globalization",
    metadata: { name, resourceVersion: resourceVersion() },
    spec: {
      overridePolicy: "ApplyNow",
      priority: 500,
      feed,
      overrides: [{ type: "Helm", value: JSON.stringify(values) }],
      ...more,
    },
  }) as unknown as Globalization;

test("a chart is counted once, and whoever divides it is told; looked at again nothing is rendered", async () => {
  const bed = startBed();
  bed.subscriptions.listed(subscriptionOf("Dividing"));
  bed.charts.listed(chartOf());
  await bed.advance();
  expect(bed.needs.of(feed)?.requirements).toEqual({ resources: { requests: { cpu: "750m", pods: "3" } } });
  expect(bed.told).toEqual(["shop/sub"]);
  bed.charts.listed(chartOf());
  await bed.advance();
  expect([bed.runs.length, bed.told.length]).toEqual([1, 1]);
});

test("nobody divides it: helm is not run, and what was counted is forgotten", async () => {
  const bed = startBed();
  bed.subscriptions.listed(subscriptionOf("Replication"));
  bed.charts.listed(chartOf());
  await bed.advance();
  expect(bed.runs).toEqual([]);
  bed.subscriptions.listed(subscriptionOf("Dividing"));
  await bed.advance();
  expect(bed.runs).toHaveLength(1);
  bed.subscriptions.listed(subscriptionOf("Replication"));
  await bed.advance();
  expect(bed.needs.of(feed)).toBeUndefined();
});

test("another digest, and values that every cluster gets, are rendered; values for some clusters are not", async () => {
  const bed = startBed();
  bed.subscriptions.listed(subscriptionOf("Dividing"));
  bed.charts.listed(chartOf());
  await bed.advance();
  const all = globalizationOf("all", { replicas: 5 });
  const some = globalizationOf("some", { replicas: 7 }, { clusterAffinity: { matchLabels: { a: "b" } } });
  bed.rendersTo = deploymentOf(5);
  bed.globalizations.listed(all, some);
  await bed.advance();
  expect(bed.runs).toEqual(["{}", '{"replicas":5}']);
  expect(bed.needs.of(feed)?.requirements?.resources?.requests).toEqual({ cpu: "1250m", pods: "5" });
  bed.digest = "two";
  bed.charts.listed(chartOf());
  await bed.advance();
  expect(bed.runs).toHaveLength(3);
});

test("one that cannot be rendered keeps what was counted, says why without a credential, and is tried later and later", async () => {
  const bed = startBed();
  bed.subscriptions.listed(subscriptionOf("Dividing"));
  bed.charts.listed(chartOf());
  await bed.advance();
  bed.rendersTo = new Error("the password hunter2 is weak");
  bed.globalizations.listed(globalizationOf("all", { password: "hunter2" }));
  await bed.advance();
  expect(bed.runs).toHaveLength(2);
  const message = "HelmChart shop/web cannot be counted: the password [hidden] is weak";
  expect(bed.events).toEqual([`HelmChart: ${message}`, `Subscription: ${message}`]);
  expect(bed.needs.of(feed)?.requirements?.resources?.requests).toEqual({ cpu: "750m", pods: "3" });
  // Woken by somebody else meanwhile: not before its time.
  bed.charts.listed(chartOf());
  await bed.advance(2_000);
  expect(bed.runs).toHaveLength(2);
  await bed.advance(60 * 60_000);
  const tries = bed.runs.length;
  expect(tries).toBeGreaterThan(4);
  // In the end between five minutes and ten apart: with jitter always the shortest, twenty in an hour.
  expect(tries).toBeLessThanOrEqual(20);
  bed.rendersTo = deploymentOf(1);
  await bed.advance(15 * 60_000);
  expect(bed.needs.of(feed)?.requirements?.resources?.requests).toEqual({ cpu: "250m", pods: "1" });
});
