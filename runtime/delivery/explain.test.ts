// Why a value is what it is, as stories: test/golden/overrides/explain.md.

import { expect, test } from "@jest/globals";
import type { OverrideConfig } from "#api/apps/v1alpha1/override.ts";
import { feedKey } from "#api/apps/v1alpha1/feed.ts";
import { testGolden } from "#test/framework/golden.ts";
import { explain, type ExplainInput } from "./explain.ts";
import { explanationText } from "./explain-text.ts";
import { identityOf } from "./feeds.ts";
import { isJsonObject, type JsonObject } from "./json.ts";
import { overrideOutcomes } from "./override-report.ts";
import { applyShare } from "./share.ts";
import { applyOverrides, orderOverrides, overrideText, type Override } from "./overrides.ts";
import { parsePatchValue } from "./patch-value.ts";

interface StoryOverride {
  readonly kind: "Globalization" | "Localization";
  readonly name: string;
  readonly namespace?: string;
  readonly priority?: number;
  readonly policy?: "ApplyNow" | "ApplyLater";
  readonly selects?: Readonly<Record<string, string>>;
  readonly feed?: string;
  readonly deleting?: boolean;
  /** Rendered last: as it is (default), `never`, or an `older` version of it; `gone`: rendered, and deleted since. */
  readonly rendered?: "never" | "older" | "gone";
  readonly patches: readonly (Omit<OverrideConfig, "value"> & { readonly value: unknown })[];
}

interface Story {
  readonly object: JsonObject;
  readonly labels?: Readonly<Record<string, string>>;
  readonly path?: string;
  readonly overrides: readonly StoryOverride[];
  /** Of a divided Subscription: the cluster's replicas. */
  readonly share?: number;
  /** Nothing was rendered yet. */
  readonly fresh?: boolean;
}

const inputOf = ({ object, labels = {}, path, overrides: told, share: replicas, fresh = false }: Story): ExplainInput => {
  const feed = identityOf(object);
  if (feed === undefined) throw new Error("The story has no object");
  const override = ({ kind, name, namespace = "paris", feed: other, ...rest }: StoryOverride): Override => ({
    apiVersion: "apps.clusternet.io/v1alpha1",
    kind,
    metadata: {
      name,
      creationTimestamp: "2030-01-01T00:00:00Z",
      ...(rest.deleting === true ? { deletionTimestamp: "2030-01-02T00:00:00Z" } : {}),
      ...(kind === "Localization" ? { namespace } : {}),
    },
    spec: {
      overridePolicy: rest.policy ?? "ApplyNow",
      priority: rest.priority ?? 500,
      feed: other === undefined ? feed : { ...feed, name: other },
      ...(rest.selects === undefined ? {} : { clusterAffinity: { matchLabels: rest.selects } }),
      overrides: rest.patches.map(({ value, ...config }) => ({
        ...config,
        value: typeof value === "string" ? value : JSON.stringify(value),
      })),
    },
  });
  const all = told.map((each) => ({ told: each, override: override(each) }));
  const recorded = orderOverrides(all.filter(({ told: { rendered } }) => rendered !== "never").map((each) => each.override));
  const older = new Set(all.filter(({ told: { rendered } }) => rendered === "older").map((each) => overrideText(each.override)));
  const outcomes = overrideOutcomes(recorded, []).map((outcome) =>
    older.has(outcome.override) ? { ...outcome, revision: "older" } : outcome,
  );
  const isMeant = (each: Override): boolean =>
    each.spec.feed.name === feed.name && each.metadata.deletionTimestamp === undefined && !("clusterAffinity" in each.spec);
  const overridden = applyOverrides(object, recorded.filter(isMeant));
  const share = replicas === undefined ? undefined : { feed: feedKey(feed), replicas, path: "/spec/replicas" };
  const rendered = overridden.ok && share !== undefined ? applyShare(overridden.object, share) : overridden;
  return {
    feed,
    template: object,
    cluster: { name: "paris", namespace: "paris", labels },
    overrides: all.filter(({ told: { rendered: how } }) => how !== "gone").map((each) => each.override),
    outcomes: fresh ? undefined : outcomes,
    share,
    delivered: fresh ? undefined : rendered.ok ? rendered.object : object,
    ...(path === undefined ? {} : { path }),
  };
};

testGolden("overrides/explain.md", (lines) => {
  const parsed = parsePatchValue(lines.join("\n"));
  if (!("value" in parsed) || !isJsonObject(parsed.value)) throw new Error(JSON.stringify(parsed));
  return explanationText(explain(inputOf(parsed.value as unknown as Story)));
});

test("of a chart, a path leads into its values or its HelmChart", () => {
  const chart = { apiVersion: "apps.clusternet.io/v1alpha1", kind: "HelmChart", metadata: { namespace: "shop", name: "db" } };
  const object = { ...chart, spec: { chart: "mysql", version: "1.0.0", targetNamespace: "db" } };
  const canary: StoryOverride = {
    kind: "Globalization",
    name: "canary",
    patches: [
      { type: "Helm", value: { replicas: 3 } },
      { type: "Helm", overrideChart: true, value: { spec: { version: "1.1.0" } } },
    ],
  };
  const input = (path?: string): ExplainInput => {
    const story = inputOf({ object, overrides: [], ...(path === undefined ? {} : { path }) });
    const { overrides } = inputOf({ object, overrides: [canary] });
    return { ...story, overrides, outcomes: overrideOutcomes(overrides, []) };
  };
  expect(explain(input("/values/replicas")).steps.map(({ outcome, changes }) => [outcome, changes])).toEqual([
    ["changed", [{ path: "/values/replicas", after: 3 }]],
    ["unchanged", []],
  ]);
  expect(explain(input()).steps.flatMap(({ changes }) => changes)).toEqual([
    { path: "/values/replicas", after: 3 },
    { path: "/chart/spec/version", before: "1.0.0", after: "1.1.0" },
  ]);
});
