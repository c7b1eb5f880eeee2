// When a Description is rendered again, and what it keeps when something is wrong.

import { describe, expect, test } from "@jest/globals";
import type { Base } from "#api/apps/v1alpha1/base.ts";
import type { Description } from "#api/apps/v1alpha1/description.ts";
import type { Globalization } from "#api/apps/v1alpha1/globalization.ts";
import type { Manifest } from "#api/apps/v1alpha1/manifest.ts";
import { resolveFeed } from "#delivery/feeds.ts";
import { decodeRaw } from "#delivery/render.ts";
import { baseConditions, planDescriptions, type BaseWorld } from "./plan.ts";

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
  descriptions: { generic: description === undefined ? [] : [description], helm: undefined },
});
const carriedOut = (plan: ReturnType<typeof planDescriptions>): Description => {
  const [action] = plan.actions;
  if (action === undefined) throw new Error("nothing was planned");
  return action.description;
};
const dataOf = (description: Description): unknown => decodeRaw(description.spec.raw![0]!)?.["data"];

describe("planDescriptions", () => {
  const first = carriedOut(planDescriptions(base, world([manifest({ a: "1" })], [])));

  test("hands the delivery policy on, and a change of it renders nothing", () => {
    const strict: Base = { ...base, spec: { ...base.spec, delivery: { adoption: "Fail" } } };
    const waiting = globalization("later", "ApplyLater", '{"data":{"a":"2"}}');
    const [action] = planDescriptions(strict, world([manifest({ a: "1" })], [waiting], first)).actions;
    if (action?.type !== "update") throw new Error("no update was planned");
    expect(action).toMatchObject({
      reason: "delivery policy changed",
      description: { spec: { delivery: { adoption: "Fail" } } },
    });
    expect(dataOf(action.description)).toEqual({ a: "1" });
    expect(planDescriptions(strict, world([manifest({ a: "1" })], [waiting], action.description)).actions).toEqual([]);
  });

  test("does nothing while nothing changes", () => {
    expect(planDescriptions(base, world([manifest({ a: "1" })], [], first))).toEqual({
      actions: [],
      problems: undefined,
    });
  });

  test("an ApplyLater override waits, and comes in with the next change", () => {
    const later = globalization("later", "ApplyLater", "data: {later: x}");
    expect(planDescriptions(base, world([manifest({ a: "1" })], [later], first)).actions).toEqual([]);
    const second = carriedOut(planDescriptions(base, world([manifest({ a: "2" })], [later], first)));
    expect(dataOf(second)).toEqual({ a: "2", later: "x" });
    expect(planDescriptions(base, world([manifest({ a: "2" })], [], second)).actions).toEqual([]);
  });

  test("an ApplyNow override is rendered at once, and rolled back at once when it goes", () => {
    const now = globalization("now", "ApplyNow", "data: {now: x}");
    const second = carriedOut(planDescriptions(base, world([manifest({ a: "1" })], [now], first)));
    expect(dataOf(second)).toEqual({ a: "1", now: "x" });
    expect(dataOf(carriedOut(planDescriptions(base, world([manifest({ a: "1" })], [], second))))).toEqual({ a: "1" });
  });

  test("what was rendered with which override is recorded; one that waits is not in the record", () => {
    const later = globalization("later", "ApplyLater", "data: {later: x}");
    const now = globalization("now", "ApplyNow", "data: {now: x}");
    const wrong = globalization("wrong", "ApplyNow", "[not, an, object]");
    const names = (plan: ReturnType<typeof planDescriptions>): unknown =>
      plan.overrides?.map(({ override, problem, heldBackBy }) => [override, problem ?? heldBackBy ?? "applied"]);
    const plan = planDescriptions(base, world([manifest({ a: "1" })], [now], first));
    expect(names(plan)).toEqual([["Globalization now", "applied"]]);

    // Looked at again for another reason (the Base's own generation): nothing is rendered, so the record stays.
    const reported = { ...base, metadata: { ...base.metadata, generation: 2 }, status: { overrides: plan.overrides! } };
    const again = planDescriptions(reported, world([manifest({ a: "1" })], [now, later], carriedOut(plan)));
    expect([again.actions, again.problems, names(again)]).toEqual([[], [], [["Globalization now", "applied"]]]);

    const failing = planDescriptions(base, world([manifest({ a: "1" })], [now, wrong, later], first));
    expect(names(failing)).toEqual([
      ["Globalization later", "Globalization wrong"],
      ["Globalization now", "Globalization wrong"],
      ["Globalization wrong", "patch #0: the result is not an object"],
    ]);
  });

  test("a Description that somebody edited is put back", () => {
    const edited = { ...first, spec: { ...first.spec, raw: [] } };
    expect(dataOf(carriedOut(planDescriptions(base, world([manifest({ a: "1" })], [], edited))))).toEqual({ a: "1" });
  });

  test.each([
    ["a template that is gone", [], "FeedMissing"],
    ["two templates that match", [manifest({ a: "1" }), { ...manifest({}), metadata: { name: "other" } }], "FeedAmbiguous"],
  ] as const)("%s removes nothing, and is said", (_what, manifests, reason) => {
    const { actions, problems } = planDescriptions(base, world(manifests, [], first));
    expect(problems).toMatchObject([{ reason }]);
    expect(actions[0]!.description.spec.raw).toEqual(first.spec.raw);
    expect(baseConditions(base, problems!)[0]).toMatchObject({ type: "FeedsResolved", status: "False", reason });
  });

  test("a grant that is taken back stops updates, and removes nothing", () => {
    const foreign = { ...base, metadata: { ...base.metadata, labels: { "apps.clusternet.io/subs.namespace": "other" } } };
    const feeds = base.spec.feeds.map((each) =>
      resolveFeed(each, [manifest({ a: "2" })], { ...rules, subscriptionNamespace: "other" }),
    );
    const { actions, problems } = planDescriptions(foreign, { ...world([], [], first), feeds });
    expect(problems).toMatchObject([{ reason: "FeedNotGranted" }]);
    expect(actions[0]!.description.spec.raw).toEqual(first.spec.raw);
  });

  test("a Base that can render nothing yet makes no empty Description", () => {
    expect(planDescriptions(base, world([], []))).toMatchObject({
      actions: [],
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
