// A program says why a value is what it is, before anything is deployed: the same explanation that kubectl gives afterwards.

import { expect, test } from "@jest/globals";
import * as pulumi from "@pulumi/pulumi";
import { explainValue, type ExplainedValue, type ExplainValueArgs } from "#pulumi/explain-value.ts";
import { helmChart, helmValues, mergePatch, jsonPatch, pointer, type Patch } from "#pulumi/overrides.ts";
import { recordResources } from "#test/framework/recorded-resources.ts";

const template = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "shop" },
  spec: { replicas: 1, image: "web:1" },
};
const feed = { apiVersion: "apps/v1", kind: "Deployment", namespace: "shop", name: "web" };
const oslo = { name: "oslo", namespace: "clusternet-oslo", labels: { stage: "demo" } };
const spec = (overrides: readonly Patch[], more: object = {}) =>
  ({ overridePolicy: "ApplyNow" as const, feed, overrides, ...more }) satisfies object;

async function explained(args: Partial<ExplainValueArgs>): Promise<ExplainedValue> {
  let found: ExplainedValue | undefined;
  await recordResources(() => explainValue({ template, cluster: oslo, ...args }).apply((known) => (found = known)));
  if (found === undefined) throw new Error("Not known");
  return found;
}

const globalizations = [
  { metadata: { name: "two" }, spec: spec([mergePatch({ spec: { replicas: 2 } }, { name: "all" })], { priority: 600 }) },
  { metadata: { name: "one" }, spec: spec([mergePatch({ spec: { replicas: 3 } })], { priority: 100 }) },
  {
    metadata: { name: "elsewhere" },
    spec: spec([mergePatch({ spec: { replicas: 9 } })], { clusterAffinity: { matchLabels: { stage: "live" } } }),
  },
  { metadata: { name: "other" }, spec: spec([], { feed: { ...feed, name: "other" } }) },
];

test("the value is what the cluster will have, with every override in the order in which it is applied", async () => {
  const localizations = [
    { metadata: { name: "mine", namespace: "clusternet-oslo" }, spec: spec([mergePatch({ spec: { image: "web:2" } })]) },
    { metadata: { name: "theirs", namespace: "clusternet-rome" }, spec: spec([mergePatch({ spec: { replicas: 8 } })]) },
  ];
  const found = await explained({ globalizations, localizations, path: pointer("spec", "replicas") });
  expect(found).toMatchObject({ value: 2, template: 1 });
  expect(found.steps.map(({ override, outcome }) => `${override}: ${outcome}`)).toEqual([
    "Globalization one: changed",
    "Globalization elsewhere: skipped",
    "Globalization two: changed",
    "Localization clusternet-oslo/mine: unchanged",
  ]);
  expect(found.text.split("\n")).toEqual([
    "Deployment shop/web in oslo, /spec/replicas",
    "  template: 1",
    "  Globalization one, patch #0 (MergePatch): 1 → 3",
    "  Globalization two, patch all (MergePatch): 3 → 2",
    "  Localization clusternet-oslo/mine, patch #0 (MergePatch): does not touch it",
    "not applied:",
    "  Globalization elsewhere: skipped, its clusterAffinity does not select oslo",
    "in the cluster: 2",
  ]);
});

test("without a path it is every change", async () => {
  const found = await explained({ globalizations: globalizations.slice(0, 1) });
  expect(found).not.toHaveProperty("value");
  expect(found.steps[0]?.changes).toEqual([{ path: "/spec/replicas", before: 1, after: 2 }]);
});

test("a patch that cannot apply says so, instead of a value", async () => {
  const missing = jsonPatch([{ op: "replace", path: pointer("spec", "nothing"), value: 1 }], { name: "typo" });
  const found = await explained({
    globalizations: [{ metadata: { name: "bad" }, spec: spec([missing]) }],
    path: "/spec/replicas",
  });
  expect(found).not.toHaveProperty("value");
  expect(found.steps).toMatchObject([
    { patch: "typo", outcome: "failed", reason: expect.stringContaining("/spec/nothing") as unknown },
  ]);
});

test("of a HelmChart it is the values, and the chart itself", async () => {
  const chart = { apiVersion: "apps.clusternet.io/v1alpha1", kind: "HelmChart", metadata: { name: "web", namespace: "shop" } };
  const overrides = [helmValues({ ui: { message: "Hello" } }), helmChart({ spec: { version: "2.0.0" } })];
  const of = (path: string): Promise<ExplainedValue> =>
    explained({
      template: { ...chart, spec: { chart: "web", repo: "oci://x", version: "1.0.0", targetNamespace: "web" } },
      globalizations: [
        {
          metadata: { name: "v" },
          spec: spec(overrides, { feed: { ...chart.metadata, apiVersion: chart.apiVersion, kind: chart.kind } }),
        },
      ],
      path,
    });
  expect(await of("/values/ui/message")).toMatchObject({ value: "Hello" });
  expect(await of("/chart/spec/version")).toMatchObject({ value: "2.0.0", template: "1.0.0" });
});

test("what other resources give is waited for", async () => {
  const replicas = pulumi.output(Promise.resolve(7));
  const later = [{ metadata: { name: "later" }, spec: spec([mergePatch({ spec: { replicas } })]) }];
  expect(await explained({ globalizations: later, path: "/spec/replicas" })).toMatchObject({ value: 7 });
});

test("a path that is no pointer is refused", () => {
  expect(() => explainValue({ template, cluster: oslo, path: "spec.replicas" })).toThrow(/path: Must be a JSON pointer/);
});
