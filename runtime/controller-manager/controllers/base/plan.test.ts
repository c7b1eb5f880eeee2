// When a Description is rendered again, and what it keeps when something is wrong.

import { describe, expect, test } from "@jest/globals";
import type { Base } from "#api/apps/v1alpha1/base.ts";
import type { Description } from "#api/apps/v1alpha1/description.ts";
import type { Globalization } from "#api/apps/v1alpha1/globalization.ts";
import type { Manifest } from "#api/apps/v1alpha1/manifest.ts";
import { resolveFeed } from "#delivery/feeds.ts";
import { decodeRaw } from "#delivery/render.ts";
import { baseConditions, planDescription, type BaseWorld } from "./plan.ts";

const feed = { apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name: "c" };
const base: Base = {
  apiVersion: "apps.clusternet.io/v1alpha1",
  kind: "Base",
  metadata: {
    namespace: "paris",
    name: "web.shop",
    uid: "base-uid",
    generation: 1,
    labels: { "apps.clusternet.io/subs.namespace": "shop" },
  },
  spec: { feeds: [feed] },
  status: { observedGeneration: 1 },
};
const manifest = (data: Readonly<Record<string, string>>, annotations = {}): Manifest => ({
  apiVersion: "apps.clusternet.io/v1alpha1",
  kind: "Manifest",
  metadata: { namespace: "clusternet-reserved", name: "configmaps.shop.c", annotations },
  template: { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "shop", name: "c" }, data },
});
const globalization = (name: string, policy: "ApplyNow" | "ApplyLater", value: string): Globalization => ({
  apiVersion: "apps.clusternet.io/v1alpha1",
  kind: "Globalization",
  metadata: { name },
  spec: { overridePolicy: policy, priority: 500, feed, overrides: [{ type: "MergePatch", value }] },
});
const rules = { subscriptionNamespace: "shop", crossNamespaceFeeds: false };
const world = (
  manifests: readonly Manifest[],
  globalizations: readonly Globalization[],
  description?: Description,
): BaseWorld => ({
  feeds: base.spec.feeds.map((each) => resolveFeed(each, manifests, rules)),
  globalizations,
  localizations: [],
  clusters: [],
  description,
});
const carriedOut = (plan: ReturnType<typeof planDescription>): Description => {
  if (plan.action.type === "none") throw new Error("nothing was planned");
  return plan.action.description;
};
const dataOf = (description: Description): unknown => decodeRaw(description.spec.raw![0]!)?.["data"];

describe("planDescription", () => {
  const first = carriedOut(planDescription(base, world([manifest({ a: "1" })], [])));

  test("hands the delivery policy on, and a change of it renders nothing", () => {
    const strict: Base = { ...base, spec: { ...base.spec, delivery: { adoption: "Fail" } } };
    const waiting = globalization("later", "ApplyLater", '{"data":{"a":"2"}}');
    const { action } = planDescription(strict, world([manifest({ a: "1" })], [waiting], first));
    if (action.type !== "update") throw new Error(`planned ${action.type}`);
    expect(action).toMatchObject({
      reason: "delivery policy changed",
      description: { spec: { delivery: { adoption: "Fail" } } },
    });
    expect(dataOf(action.description)).toEqual({ a: "1" });
    expect(planDescription(strict, world([manifest({ a: "1" })], [waiting], action.description)).action.type).toBe("none");
  });

  test("does nothing while nothing changes", () => {
    expect(planDescription(base, world([manifest({ a: "1" })], [], first))).toEqual({
      action: { type: "none" },
      problems: undefined,
    });
  });

  test("an ApplyLater override waits, and comes in with the next change", () => {
    const later = globalization("later", "ApplyLater", "data: {later: x}");
    expect(planDescription(base, world([manifest({ a: "1" })], [later], first)).action.type).toBe("none");
    const second = carriedOut(planDescription(base, world([manifest({ a: "2" })], [later], first)));
    expect(dataOf(second)).toEqual({ a: "2", later: "x" });
    expect(planDescription(base, world([manifest({ a: "2" })], [], second)).action.type).toBe("none");
  });

  test("an ApplyNow override is rendered at once, and rolled back at once when it goes", () => {
    const now = globalization("now", "ApplyNow", "data: {now: x}");
    const second = carriedOut(planDescription(base, world([manifest({ a: "1" })], [now], first)));
    expect(dataOf(second)).toEqual({ a: "1", now: "x" });
    expect(dataOf(carriedOut(planDescription(base, world([manifest({ a: "1" })], [], second))))).toEqual({ a: "1" });
  });

  test("a Description that somebody edited is put back", () => {
    const edited = { ...first, spec: { ...first.spec, raw: [] } };
    expect(dataOf(carriedOut(planDescription(base, world([manifest({ a: "1" })], [], edited))))).toEqual({ a: "1" });
  });

  test.each([
    ["a template that is gone", [], "FeedMissing"],
    ["two templates that match", [manifest({ a: "1" }), { ...manifest({}), metadata: { name: "other" } }], "FeedAmbiguous"],
  ] as const)("%s removes nothing, and is said", (_what, manifests, reason) => {
    const { action, problems } = planDescription(base, world(manifests, [], first));
    expect(problems).toMatchObject([{ reason }]);
    if (action.type === "none") throw new Error("the cause was not recorded");
    expect(action.description.spec.raw).toEqual(first.spec.raw);
    expect(baseConditions(base, problems!)[0]).toMatchObject({ type: "FeedsResolved", status: "False", reason });
  });

  test("a grant that is taken back stops updates, and removes nothing", () => {
    const foreign = { ...base, metadata: { ...base.metadata, labels: { "apps.clusternet.io/subs.namespace": "other" } } };
    const feeds = base.spec.feeds.map((each) =>
      resolveFeed(each, [manifest({ a: "2" })], { ...rules, subscriptionNamespace: "other" }),
    );
    const { action, problems } = planDescription(foreign, { ...world([], [], first), feeds });
    expect(problems).toMatchObject([{ reason: "FeedNotGranted" }]);
    expect(action.type === "none" ? undefined : action.description.spec.raw).toEqual(first.spec.raw);
  });

  test("a Base that can render nothing yet makes no empty Description", () => {
    expect(planDescription(base, world([], []))).toMatchObject({
      action: { type: "none" },
      problems: [{ reason: "FeedMissing" }],
    });
  });

  test.each(["*", "other, shop-two", "shop-two"])("annotation %j grants namespace shop-two", (value) => {
    const resolved = resolveFeed(feed, [manifest({}, { "apps.clusternet.io/allow-subscriptions-from": value })], {
      ...rules,
      subscriptionNamespace: "shop-two",
    });
    expect(resolved.found).toBe(true);
  });
});
