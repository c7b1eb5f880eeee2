// Base + chart feeds + overrides -> what a Helm Description says: the charts, their objects and their values, index by index. Pure.
//
// As with objects, a chart that cannot be rendered keeps what was rendered last: a problem never uninstalls anything.

import type { Description } from "#api/apps/v1alpha1/description.ts";
import { feedKey, type Feed } from "#api/apps/v1alpha1/feed.ts";
import { HelmChart } from "#api/apps/v1alpha1/helm-chart.ts";
import { feedText, namesFeed, type ResolvedFeed } from "#delivery/feeds.ts";
import { applyChartOverrides, problemText } from "#delivery/overrides.ts";
import type { RenderInput, RenderProblem } from "#delivery/render.ts";

/** etcd stores at most 1.5 MiB per object, and the status has to fit too. */
const HELM_DESCRIPTION_BYTES_MAX = 1024 * 1024;

/** What upstream writes where a chart has no values of its own. */
const NO_VALUES = " ";

export type ChartSpec = Pick<Required<Description["spec"]>, "charts" | "raw" | "chartRaw">;

export interface RenderedCharts {
  readonly spec: ChartSpec;
  readonly problems: readonly RenderProblem[];
}

interface RenderedChart {
  readonly identity: Feed;
  readonly raw: string;
  readonly chartRaw: string;
}

export type ChartsInput = Omit<RenderInput, "previous"> & {
  /** `spec` of the Description that exists. */
  readonly previous: ChartSpec;
};

export function renderCharts({ feeds, overrides, previous, cluster }: ChartsInput): RenderedCharts {
  const before = chartsOf(previous);
  const rendered = new Map<string, RenderedChart>();
  const problems: RenderProblem[] = [];
  const keep = (feed: Feed): void => {
    for (const chart of before) if (namesFeed(feed, chart.identity)) rendered.set(feedKey(chart.identity), chart);
  };
  for (const resolved of feeds) {
    const { feed } = resolved;
    const result = resolved.found ? renderChart(resolved, { overrides, cluster }) : problemOf(resolved);
    if ("raw" in result) rendered.set(feedKey(result.identity), result);
    else {
      problems.push(result);
      keep(feed);
    }
  }
  return bounded({ spec: specOf([...rendered.values()]), problems }, { feeds, previous });
}

type Found = ResolvedFeed & { readonly found: true };

function renderChart(
  { feed, template, identity }: Found,
  { overrides, cluster }: Pick<RenderInput, "overrides" | "cluster">,
): RenderedChart | RenderProblem {
  const result = applyChartOverrides(
    { chart: template, values: {} },
    overrides.filter(({ spec }) => namesFeed(spec.feed, identity)),
  );
  if (!result.ok) {
    const message = `${feedText(feed)}: ${problemText(result.problem, cluster)}`;
    return { feed, reason: "OverrideFailed", message, override: result.problem.override };
  }
  const { chart, values } = result;
  const text = Object.keys(values).length === 0 ? NO_VALUES : JSON.stringify(values);
  return { identity, raw: encode(text), chartRaw: encode(JSON.stringify(chart)) };
}

function problemOf({ feed, reason, message }: ResolvedFeed & { readonly found: false }): RenderProblem {
  return { feed, reason, message };
}

function chartsOf({ charts, raw, chartRaw }: ChartSpec): readonly RenderedChart[] {
  return charts.flatMap(({ namespace, name }, index) => {
    const [values, chart] = [raw[index], chartRaw[index]];
    if (values === undefined || chart === undefined) return [];
    const identity = { apiVersion: HelmChart.apiVersion, kind: HelmChart.kind, namespace, name };
    return [{ identity, raw: values, chartRaw: chart }];
  });
}

function specOf(charts: readonly RenderedChart[]): ChartSpec {
  return {
    charts: charts.map(({ identity: { namespace = "", name } }) => ({ namespace, name })),
    raw: charts.map(({ raw }) => raw),
    chartRaw: charts.map(({ chartRaw }) => chartRaw),
  };
}

function bounded(rendered: RenderedCharts, { feeds, previous }: Pick<ChartsInput, "feeds" | "previous">): RenderedCharts {
  const bytes = [...rendered.spec.raw, ...rendered.spec.chartRaw].reduce((sum, text) => sum + text.length, 0);
  const [first] = feeds;
  if (bytes <= HELM_DESCRIPTION_BYTES_MAX || first === undefined) return rendered;
  const message = `All charts together are ${String(bytes)} bytes, more than ${String(HELM_DESCRIPTION_BYTES_MAX)}: use several Subscriptions`;
  return { spec: previous, problems: [...rendered.problems, { feed: first.feed, reason: "TooLarge", message }] };
}

function encode(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}
