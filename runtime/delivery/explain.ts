// Why a field of an object has its value in one cluster: the template, then every override in order, what it changed, or why it did
// not. The same functions as in rendering, so that the explanation cannot drift from what is done. Pure.

import type { OverrideOutcome, Share } from "#api/apps/v1alpha1/base.ts";
import type { Feed } from "#api/apps/v1alpha1/feed.ts";
import type { OverrideConfig } from "#api/apps/v1alpha1/override.ts";
import type { LabelSelector } from "#api/meta.ts";
import { matchesSelector } from "#kube/selector.ts";
import { feedText, isChartFeed, namesFeed } from "./feeds.ts";
import { equalJson, isJsonObject, type JsonObject } from "./json.ts";
import { PatchError, readPointer } from "./json-patch.ts";
import { overrideRevision } from "./override-report.ts";
import { applyShare } from "./share.ts";
import {
  applyChartOverrides,
  applyOverrides,
  orderOverrides,
  overrideText,
  type Override,
  type OverrideStep,
} from "./overrides.ts";

export interface ExplainInput {
  /** What the feed names: its own kind, namespace and name. */
  readonly feed: Feed;
  /** The Manifest's template, or the HelmChart. */
  readonly template: JsonObject;
  readonly cluster: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  /** In any order; those that mean something else are said to. */
  readonly overrides: readonly Override[];
  /** `status.overrides` of the cluster's Base: what was rendered last. undefined: not rendered yet. */
  readonly outcomes: readonly OverrideOutcome[] | undefined;
  /** Of a divided Subscription: what the cluster's Base says it gets of this feed. */
  readonly share?: Share | undefined;
  /** What the Description says: the object; of a chart `{chart, values}`. */
  readonly delivered: JsonObject | undefined;
  /** JSON pointer; absent: every change. Of a chart it starts with /values or /chart. */
  readonly path?: string;
}

/** A member is absent where there is no such field. */
export interface ValueChange {
  readonly path: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

export interface ExplainedStep {
  /** Or "dividing": the last step, which gives the cluster its share of the replicas. */
  readonly override: string;
  /** Absent where the override as a whole was left out, and of dividing. */
  readonly patch?: string;
  readonly type?: OverrideConfig["type"];
  /**
   * `waiting`: comes in when the feed is rendered next. `heldBack`: an earlier one failed. `gone`: still in effect, though the override
   * is not there any more.
   */
  readonly outcome: "changed" | "unchanged" | "skipped" | "failed" | "waiting" | "heldBack" | "gone";
  readonly reason?: string;
  readonly changes: readonly ValueChange[];
}

export interface Explanation {
  readonly feed: string;
  readonly cluster: string;
  readonly path?: string;
  /** The path's value in the template, in the Description, and after the next rendering; absent where there is none. */
  readonly template?: unknown;
  readonly delivered?: unknown;
  readonly next?: unknown;
  readonly isDelivered: boolean;
  readonly steps: readonly ExplainedStep[];
}

const DIVIDING = "dividing";

/** A step shows this many changes at most. */
const CHANGES_MAX = 50;

export function explain(input: ExplainInput): Explanation {
  const { feed, cluster, path, delivered } = input;
  const ordered = orderOverrides(input.overrides);
  const meant = ordered.filter((override) => notMeant(override, input) === undefined);
  const rendered = meant.filter((override) => waitingFor(override, input) === undefined);
  const [now, next] = [rendered, meant].map((each) => run(input, each));
  return {
    feed: feedText(feed),
    cluster: cluster.name,
    isDelivered: delivered !== undefined,
    ...(path === undefined
      ? {}
      : {
          path,
          ...member("template", valueAt(documentOf(input), path)),
          ...member("delivered", valueAt(delivered, path)),
          // What cannot be rendered stays as it is.
          ...member("next", valueAt(divided(input, next) ?? delivered, path)),
        }),
    steps: [
      ...ordered.flatMap((override) => stepsOf(override, input, now?.steps ?? [])),
      ...gone(input, meant),
      ...dividing(input, now),
    ],
  };
}

interface Run {
  readonly steps: readonly OverrideStep[];
  /** undefined: an override does not apply. */
  readonly document: JsonObject | undefined;
}

function run({ feed, template }: ExplainInput, overrides: readonly Override[]): Run {
  if (!isChartFeed(feed)) {
    const result = applyOverrides(template, overrides);
    return { steps: result.steps, document: result.ok ? result.object : undefined };
  }
  const result = applyChartOverrides({ chart: template, values: {} }, overrides);
  return { steps: result.steps, document: result.ok ? { chart: result.chart, values: result.values } : undefined };
}

/** undefined: cannot be rendered. */
function divided({ share }: ExplainInput, rendered: Run | undefined): JsonObject | undefined {
  const document = rendered?.document;
  if (document === undefined || share === undefined) return document;
  const result = applyShare(document, share);
  return result.ok ? result.object : undefined;
}

function dividing({ share, path }: ExplainInput, rendered: Run | undefined): readonly ExplainedStep[] {
  const before = rendered?.document;
  if (share === undefined || before === undefined) return [];
  const result = applyShare(before, share);
  if (!result.ok)
    return [{ override: DIVIDING, outcome: "failed", reason: `${result.path} ${result.reason}`.trim(), changes: [] }];
  const after = result.object;
  const changes = path === undefined ? differences({ path: "", before, after }) : atPath(path, before, after);
  return [{ override: DIVIDING, outcome: changes.length === 0 ? "unchanged" : "changed", changes }];
}

function documentOf({ feed, template }: ExplainInput): JsonObject {
  return isChartFeed(feed) ? { chart: template, values: {} } : template;
}

/** Why an override has nothing to do with this object in this cluster. */
function notMeant({ spec, metadata, kind }: Override, { feed, cluster }: ExplainInput): string | undefined {
  if (!namesFeed(spec.feed, feed)) return `it is for ${feedText(spec.feed)}`;
  if (metadata.deletionTimestamp !== undefined) return "it is being deleted";
  if (kind === "Localization") {
    return metadata.namespace === cluster.namespace
      ? undefined
      : `it is for the cluster of namespace ${metadata.namespace ?? ""}`;
  }
  const { clusterAffinity } = spec as { readonly clusterAffinity?: LabelSelector };
  if (clusterAffinity === undefined || matchesSelector(clusterAffinity, cluster.labels)) return undefined;
  return `its clusterAffinity does not select ${cluster.name}`;
}

/** Why an override that is meant is not in the cluster yet. */
function waitingFor(override: Override, { outcomes }: ExplainInput): string | undefined {
  const recorded = outcomes?.find((each) => each.override === overrideText(override));
  if (recorded?.revision === overrideRevision(override)) return undefined;
  const until =
    override.spec.overridePolicy === "ApplyLater"
      ? "ApplyLater: waits until the feed is rendered for another reason"
      : "it is about to be rendered";
  return recorded === undefined ? until : `${until}; an older version of it is in the cluster`;
}

function stepsOf(override: Override, input: ExplainInput, steps: readonly OverrideStep[]): readonly ExplainedStep[] {
  const name = overrideText(override);
  const whole = (outcome: ExplainedStep["outcome"], reason: string): readonly ExplainedStep[] => [
    { override: name, outcome, reason, changes: [] },
  ];
  const other = notMeant(override, input);
  if (other !== undefined) return whole("skipped", other);
  const waiting = waitingFor(override, input);
  if (waiting !== undefined) return whole("waiting", waiting);
  const own = steps.filter((step) => step.override === name);
  const last = steps.at(-1);
  if (own.length > 0) return own.map((step) => explained(step, input));
  if ((override.spec.overrides ?? []).length === 0) return whole("skipped", "it has no patches");
  return whole("heldBack", `${last?.override ?? "another one"} does not apply`);
}

function explained(step: OverrideStep, { feed, path }: ExplainInput): ExplainedStep {
  const { override, patch, type, target, outcome, reason } = step;
  const named = { override, patch, type };
  if (outcome !== "applied") {
    const where = step.path === undefined || step.path === "" ? "" : `${step.path} `;
    return { ...named, outcome, reason: `${where}${reason ?? ""}`, changes: [] };
  }
  const [before, after] = isChartFeed(feed) ? [{ [target]: step.before }, { [target]: step.after }] : [step.before, step.after];
  const changes =
    path === undefined ? differences({ path: "", before, after }).slice(0, CHANGES_MAX) : atPath(path, before, after);
  return { ...named, outcome: changes.length === 0 ? "unchanged" : "changed", changes };
}

function atPath(path: string, before: JsonObject, after: JsonObject): readonly ValueChange[] {
  const [was, is] = [valueAt(before, path), valueAt(after, path)];
  return equalJson(was, is) ? [] : [{ path, ...member("before", was), ...member("after", is) }];
}

/** Recorded as rendered, and not there or not meant any more: deleted ApplyLater overrides, mostly. */
function gone({ outcomes = [], feed, cluster }: ExplainInput, meant: readonly Override[]): readonly ExplainedStep[] {
  const here = new Set(meant.map(overrideText));
  const texts = new Set([feedText(feed), feedText({ ...feed, namespace: "" })]);
  const reason = `it was deleted or does not mean ${cluster.name} any more; its effect stays until the feed is rendered again`;
  return outcomes
    .filter((outcome) => texts.has(outcome.feed) && !here.has(outcome.override))
    .map(({ override }) => ({ override, outcome: "gone" as const, reason, changes: [] }));
}

/** Lists are compared as a whole: a position means little when items move. */
function differences({ path, before, after }: ValueChange): readonly ValueChange[] {
  if (equalJson(before, after)) return [];
  if (!isJsonObject(before) || !isJsonObject(after)) return [{ path, ...member("before", before), ...member("after", after) }];
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return keys.flatMap((key) => {
    const pointer = `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    return differences({ path: pointer, before: before[key], after: after[key] });
  });
}

function valueAt(document: unknown, path: string): unknown {
  if (document === undefined) return undefined;
  try {
    return readPointer(document, path);
  } catch (error) {
    if (error instanceof PatchError) return undefined;
    throw error;
  }
}

function member(name: "template" | "delivered" | "next" | "before" | "after", value: unknown): Readonly<Record<string, unknown>> {
  return value === undefined ? {} : { [name]: value };
}
