// HelmChart -> what one release of it needs in a cluster, kept in memory: rendered when a Subscription divides and names it.
//
// (CNE-1) helm runs only when chart, values or interpreters changed: charts are known by their digest.
// (CNE-2) A chart that cannot be rendered keeps what was counted last, says why in Events, and is tried again later and later.
// (CNE-3) Nobody waits for it: inventories are written without it, and again when it is counted.

import { feedKey, type Feed } from "#api/apps/v1alpha1/feed.ts";
import type { HelmChart } from "#api/apps/v1alpha1/helm-chart.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { warningEventReasons } from "#api/event-reasons.ts";
import { changesBeyondStatus } from "#controller-manager/changes.ts";
import type { DeliveryDeps } from "#controller-manager/deps.ts";
import { by } from "#controller-manager/informers.ts";
import type { InterpreterRegistry } from "#controller-manager/interpreters.ts";
import { chartFeedKeys, chartTemplate, isChartFeed, namesFeed } from "#delivery/feeds.ts";
import { readAccess } from "#delivery/helm/charts/access.ts";
import { ChartError } from "#delivery/helm/charts/chart-error.ts";
import { chartObjects } from "#delivery/helm/chart-objects.ts";
import { HelmUnavailableError } from "#delivery/helm/helm-process.ts";
import { HelmError } from "#delivery/helm/helm-session.ts";
import type { LazyHelmTools } from "#delivery/helm/helm-tools.ts";
import { hideCredentials } from "#delivery/helm/hide-credentials.ts";
import type { Interpreters } from "#delivery/interpreters.ts";
import type { JsonObject } from "#delivery/json.ts";
import { applyChartOverrides, orderOverrides, problemText } from "#delivery/overrides.ts";
import { countedKinds, releaseRequirements, type Requirements } from "#delivery/replica-requirements.ts";
import { after, createController, done, source, type Controller, type Result, type Source } from "#kube/controller.ts";
import { keyTextOf } from "#kube/object.ts";
import { backoffMs, type Backoff } from "#std/backoff.ts";
import { canonicalHash, deepEqual } from "#std/canonical-json.ts";
import { errorChain } from "#std/errors.ts";

const RETRY: Backoff = { firstMs: 10_000, maxMs: 600_000 };
/** Downloading and rendering one chart. */
const COUNT_MS_MAX = 180_000;
/** Each is a process of some 100 MB, and nobody waits. */
const AT_A_TIME = 1;

export interface ChartNeedsDeps extends DeliveryDeps {
  readonly helmTools: LazyHelmTools;
  readonly interpreters: InterpreterRegistry;
}

export interface ChartNeeds {
  /** undefined: it has no workloads, or is not counted yet. */
  readonly of: (chart: Feed) => Counted | undefined;
  /** The Subscriptions whose charts were counted anew. */
  readonly source: Source;
}

export interface Counted {
  /** undefined: it runs nothing. */
  readonly requirements: Requirements | undefined;
}

interface Known extends Counted {
  readonly hash: string;
  readonly interpreters: Interpreters;
}

interface Failed {
  readonly asked: string;
  readonly attempts: number;
  readonly retryAtMs: number;
}

export function chartNeedsController(deps: ChartNeedsDeps): { readonly controller: Controller; readonly needs: ChartNeeds } {
  const { informers, interpreters } = deps;
  const { helmCharts, subscriptions, globalizations } = informers;
  const known = new Map<string, Known>();
  const failures = new Map<string, Failed>();
  const listeners = new Set<(key: string) => void>();
  const tell = (chart: HelmChart): void => {
    for (const subscription of dividing(chart, deps)) for (const listener of listeners) listener(keyTextOf(subscription));
  };
  const namedBy = (feed: Feed): readonly string[] =>
    isChartFeed(feed) ? helmCharts.byIndex(by.feed, feedKey(feed)).map(keyTextOf) : [];

  const controller = createController({
    ...deps,
    name: "chart-needs",
    concurrency: AT_A_TIME,
    reconcileMsMax: COUNT_MS_MAX,
    sources: [
      // Its status says whether it is there, and which version is the newest.
      source(helmCharts, (chart) => [keyTextOf(chart)]),
      source(subscriptions, ({ spec }, change) => (changesBeyondStatus(change) ? spec.feeds.flatMap(namedBy) : [])),
      source(globalizations, ({ spec }, change) => (changesBeyondStatus(change) ? namedBy(spec.feed) : [])),
      source(interpreters.informer, () => [...known.keys()]),
    ],
    reconcile: (key, signal) => reconcileChart(key, { deps, known, failures, tell }, signal),
  });
  const needs: ChartNeeds = {
    of: ({ namespace = "", name }) => known.get(`${namespace}/${name}`),
    source: {
      whenSynced: () => Promise.resolve(),
      start: (enqueue) => {
        listeners.add(enqueue);
        return () => listeners.delete(enqueue);
      },
    },
  };
  return { controller, needs };
}

interface Context {
  readonly deps: ChartNeedsDeps;
  readonly known: Map<string, Known>;
  readonly failures: Map<string, Failed>;
  readonly tell: (chart: HelmChart) => void;
}

async function reconcileChart(key: string, { deps, known, failures, tell }: Context, signal: AbortSignal): Promise<Result> {
  const { informers, clock, log } = deps;
  const chart = informers.helmCharts.get(key);
  if (chart === undefined || dividing(chart, deps).length === 0) {
    known.delete(key);
    failures.delete(key);
    return done;
  }
  // What is wrong with it is said at the HelmChart.
  if (chart.status?.phase !== "Found") return done;
  const asked = askedOf(chart, deps);
  const before = failures.get(key);
  const isSame = before?.asked === asked.hash;
  if (isSame && before.retryAtMs > clock.monotonic()) return after(before.retryAtMs - clock.monotonic());
  try {
    const was = known.get(key);
    const now = await count(chart, { asked, was, deps }, signal);
    failures.delete(key);
    known.set(key, now);
    if (was === undefined || !deepEqual(was.requirements, now.requirements)) tell(chart);
    return done;
  } catch (error) {
    if (signal.aborted || !isExpected(error)) throw error;
    const attempts = isSame ? before.attempts + 1 : 0;
    const delayMs = backoffMs(attempts, RETRY);
    failures.set(key, { asked: asked.hash, attempts, retryAtMs: clock.monotonic() + delayMs });
    const message = `HelmChart ${key} cannot be counted: ${hideCredentials(errorChain(error), encoded(asked.values))}`;
    for (const object of [chart, ...dividing(chart, deps)]) {
      deps.events.record(object, { type: "Warning", reason: warningEventReasons.unParseableFeeds, message });
    }
    log.warn("chart-needs.failed", { chart: key, message, attempts: attempts + 1, retryInMs: delayMs });
    return after(delayMs);
  }
}

/** A failure of somebody else's: said and tried again. Anything else is the controller's own. */
function isExpected(error: unknown): boolean {
  return error instanceof ChartError || error instanceof HelmError || error instanceof HelmUnavailableError;
}

interface Asked {
  readonly spec: HelmChart["spec"];
  readonly values: JsonObject;
  readonly problem: string | undefined;
  /** Of all of it. */
  readonly hash: string;
}

/** The chart as every cluster gets it: overrides for some clusters only are not counted. */
function askedOf(chart: HelmChart, { informers }: ChartNeedsDeps): Asked {
  const { apiVersion, kind, metadata } = chart;
  const identity = { apiVersion, kind, namespace: metadata.namespace ?? "", name: metadata.name };
  const everywhere = informers.globalizations
    .list()
    .filter(({ spec }) => spec.clusterAffinity === undefined && namesFeed(spec.feed, identity));
  const result = applyChartOverrides({ chart: chartTemplate(chart), values: {} }, orderOverrides(everywhere));
  const spec = result.ok ? (result.chart["spec"] as HelmChart["spec"]) : chart.spec;
  const values = result.ok ? result.values : {};
  const problem = result.ok ? undefined : problemText(result.problem, "any");
  return { spec, values, problem, hash: canonicalHash({ spec, values, problem: problem ?? "" }) };
}

async function count(
  chart: HelmChart,
  { asked, was, deps }: { readonly asked: Asked; readonly was: Known | undefined; readonly deps: ChartNeedsDeps },
  signal: AbortSignal,
): Promise<Known> {
  const { namespace = "", name } = chart.metadata;
  if (asked.problem !== undefined) throw new HelmError(asked.problem);
  const access = await readAccess(asked.spec, { parent: deps.client, chartNamespace: namespace }, signal);
  const { helm, charts } = await deps.helmTools.get();
  using stored = await charts.get(asked.spec, access, signal);
  const interpreters = deps.interpreters.current();
  const hash = canonicalHash({ asked: asked.hash, digest: stored.digest });
  if (was?.hash === hash && was.interpreters === interpreters) return was;
  const key = { namespace: asked.spec.targetNamespace, name };
  const { values } = asked;
  const objects = await chartObjects({ helm, chartPath: stored.path, key, values, kinds: countedKinds(interpreters) }, signal);
  deps.log.info("chart-needs.counted", { chart: keyTextOf(chart), version: stored.version, workloads: objects.length });
  return { hash, interpreters, requirements: releaseRequirements(objects, interpreters) };
}

/** The Subscriptions that divide and name it. */
function dividing(chart: HelmChart, { informers }: ChartNeedsDeps): readonly Subscription[] {
  const all = chartFeedKeys(chart).flatMap((key) => informers.subscriptions.byIndex(by.feed, key));
  return [...new Set(all)].filter(
    ({ spec, metadata }) => spec.schedulingStrategy === "Dividing" && metadata.deletionTimestamp === undefined,
  );
}

function encoded(values: JsonObject): string {
  return Buffer.from(JSON.stringify(values), "utf8").toString("base64");
}
