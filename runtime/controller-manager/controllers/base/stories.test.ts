// Which Descriptions a Base gets for its objects and its charts, as stories: test/golden/controllers/base.md.

import { parse } from "yaml";
import type { Base } from "#api/apps/v1alpha1/base.ts";
import type { Description } from "#api/apps/v1alpha1/description.ts";
import type { HelmChart } from "#api/apps/v1alpha1/helm-chart.ts";
import type { Manifest } from "#api/apps/v1alpha1/manifest.ts";
import { chartFeedKeys, isChartFeed, manifestFeedKeys, resolveFeed } from "#delivery/feeds.ts";
import { feedKey, type Feed } from "#api/apps/v1alpha1/feed.ts";
import { decodeRaw } from "#delivery/render.ts";
import { testGolden } from "#test/framework/golden.ts";
import { baseConditions, planDescriptions, type BasePlan, type BaseWorld } from "./plan.ts";

interface Step {
  /** `chart/redis`, `shop/chart/redis`, `settings` (a ConfigMap). */
  readonly feeds: readonly string[];
  /** ConfigMaps that have a template. */
  readonly templates?: readonly string[];
  /** Chart -> its version. All are in namespace shop. */
  readonly charts?: Readonly<Record<string, string>>;
  /** Chart -> why it is not found. */
  readonly notFound?: Readonly<Record<string, string>>;
  /** Namespace of the Subscription. */
  readonly from?: string;
}

const apiVersion = "apps.clusternet.io/v1alpha1";

function feedOf(name: string): Feed {
  return name.startsWith("chart/")
    ? { apiVersion, kind: "HelmChart", namespace: "shop", name: name.slice("chart/".length) }
    : { apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name };
}

function manifestOf(name: string): Manifest {
  const template = { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "shop", name } };
  return { apiVersion, kind: "Manifest", metadata: { namespace: "clusternet-reserved", name }, template };
}

function chartOf(name: string, version: string, reason: string | undefined): HelmChart {
  const spec = { repo: "https://charts.example", chart: name, version, targetNamespace: "apps" };
  return {
    apiVersion,
    kind: "HelmChart",
    metadata: { namespace: "shop", name, uid: `uid-${name}`, resourceVersion: version },
    spec: { ...spec, createNamespace: true, timeoutSeconds: 300 },
    status: reason === undefined ? { phase: "Found" } : { phase: "NotFound", reason },
  };
}

function worldOf({ feeds, templates = [], charts = {}, notFound = {}, from = "shop" }: Step, there: BaseWorld["descriptions"]) {
  const manifests = templates.map(manifestOf);
  const helmCharts = Object.entries(charts).map(([name, version]) => chartOf(name, version, notFound[name]));
  const rules = { subscriptionNamespace: from, crossNamespaceFeeds: false };
  const resolved = feeds.map(feedOf).map((feed) => {
    if (!isChartFeed(feed)) {
      const matching = manifests.filter((manifest) => manifestFeedKeys(manifest).includes(feedKey(feed)));
      return resolveFeed(feed, matching, rules);
    }
    return resolveFeed(
      feed,
      helmCharts.filter((chart) => chartFeedKeys(chart).includes(feedKey(feed))),
      rules,
    );
  });
  const world: BaseWorld = { feeds: resolved, globalizations: [], localizations: [], clusters: [], descriptions: there };
  return world;
}

function baseOf({ feeds }: Step, generation: number): Base {
  const metadata = { namespace: "paris", name: "web.shop", uid: "base-uid", generation };
  // As after the step before: this generation is new.
  return {
    apiVersion,
    kind: "Base",
    metadata,
    spec: { feeds: feeds.map(feedOf) },
    status: { observedGeneration: generation - 1 },
  };
}

testGolden("controllers/base.md", (lines) => {
  const steps = parse(lines.join("\n")) as readonly Step[];
  let there: BaseWorld["descriptions"] = { generic: [], helm: undefined };
  return steps.flatMap((step, index) => {
    const base = baseOf(step, index + 1);
    const plan = planDescriptions(base, worldOf(step, there));
    there = afterwards(there, plan);
    const again = planDescriptions(
      { ...base, status: { observedGeneration: index + 1 } },
      { ...worldOf(step, there), descriptions: there },
    );
    if (again.actions.length > 0 && plan.problems?.length === 0) throw new Error("A second look wants to write again");
    const said = baseConditions(base, plan.problems ?? []).filter(({ status }) => status === "False");
    const lines_ = [
      ...plan.actions.map(({ type, description, reason }) => `${type} ${tellDescription(description)}: ${reason}`),
      ...said.map(({ type, reason, message }) => `${type}=False ${reason}: ${message}`),
    ];
    return lines_.length === 0 ? ["nothing to do"] : lines_;
  });
});

function afterwards(there: BaseWorld["descriptions"], { actions }: BasePlan): BaseWorld["descriptions"] {
  return actions.reduce<BaseWorld["descriptions"]>((now, { type, description }) => {
    const isKept = type !== "delete";
    if (description.spec.deployer === "Helm") return { ...now, helm: isKept ? description : undefined };
    const others = now.generic.filter(({ metadata }) => metadata.name !== description.metadata.name);
    return { ...now, generic: isKept ? [...others, description] : others };
  }, there);
}

function tellDescription({ metadata, spec }: Description): string {
  const objects = (spec.deployer === "Helm" ? spec.chartRaw : spec.raw) ?? [];
  const names = objects.map((raw) => {
    const object = decodeRaw(raw) as { metadata: { name: string }; spec?: { version?: string } };
    return `${object.metadata.name}${object.spec?.version === undefined ? "" : `@${object.spec.version}`}`;
  });
  return `${metadata.name} [${names.join(", ")}]`;
}
