// A Base whose objects are too large for one Description: which parts are written, in which order, and when nothing is.

import { expect, test } from "@jest/globals";
import type { Base } from "#api/apps/v1alpha1/base.ts";
import type { Description } from "#api/apps/v1alpha1/description.ts";
import type { Manifest } from "#api/apps/v1alpha1/manifest.ts";
import { resolveFeed } from "#delivery/feeds.ts";
import { decodeRaw } from "#delivery/render.ts";
import { baseConditions, planDescriptions, type BasePlan, type BaseWorld } from "./plan.ts";

const apiVersion = "apps.clusternet.io/v1alpha1";
/** Name -> thousands of characters. */
type Sizes = Readonly<Record<string, number>>;

const base: Base = {
  apiVersion,
  kind: "Base",
  metadata: { namespace: "paris", name: "web.shop", uid: "base-uid", generation: 1 },
  spec: { feeds: [] },
  status: { observedGeneration: 1 },
};
const manifestOf = (name: string, size: number): Manifest => ({
  apiVersion,
  kind: "Manifest",
  metadata: { namespace: "clusternet-reserved", name },
  template: {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { namespace: "shop", name },
    data: { text: "x".repeat(size * 1_000) },
  },
});
const rules = { subscriptionNamespace: "shop", crossNamespaceFeeds: false };
const worldOf = (sizes: Sizes, generic: readonly Description[]): BaseWorld => ({
  feeds: Object.entries(sizes).map(([name, size]) => {
    const feed = { apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name };
    return resolveFeed(feed, [manifestOf(name, size)], rules);
  }),
  globalizations: [],
  localizations: [],
  clusters: [],
  descriptions: { generic, helm: undefined },
});
const plan = (sizes: Sizes, there: readonly Description[] = [], of: Base = base): BasePlan =>
  planDescriptions(of, worldOf(sizes, there));
const after = (there: readonly Description[], { actions }: BasePlan): readonly Description[] =>
  actions.reduce<readonly Description[]>((now, { type, description }) => {
    const others = now.filter(({ metadata }) => metadata.name !== description.metadata.name);
    return type === "delete" ? others : [...others, description];
  }, there);
const namesIn = ({ spec }: Description): string =>
  (spec.raw ?? []).map((raw) => (decodeRaw(raw) as { metadata: { name: string } }).metadata.name).join(" ");
const told = ({ actions }: BasePlan): readonly string[] =>
  actions.map(({ type, description }) => `${type} ${description.metadata.name}: ${namesIn(description)}`);

const large: Sizes = { a: 400, b: 300, c: 200 };
const two = after([], plan(large));

test("what does not fit into the first one goes into a further one, which names the first", () => {
  expect(told(plan(large))).toEqual(["create web.shop-generic: a b", "create web.shop-generic-1: c"]);
  expect(two.map(({ metadata }) => metadata.annotations?.["apps.clusternet.io/part-of"])).toEqual([
    undefined,
    "web.shop-generic",
  ]);
  expect(plan(large, two).actions).toEqual([]);
});

test("who gains an object is written before who loses it", () => {
  expect(told(plan({ ...large, a: 500 }, two))).toEqual(["update web.shop-generic-1: a c", "update web.shop-generic: b"]);
  expect(told(plan({ a: 10, b: 300, c: 200 }, two))).toEqual(["update web.shop-generic: a b c", "delete web.shop-generic-1: c"]);
});

test("a part that somebody edited or deleted is put right", () => {
  const edited = two.map((part, index) => (index === 1 ? { ...part, spec: { ...part.spec, raw: [] } } : part));
  expect(told(plan(large, edited))).toContain("update web.shop-generic-1: c");
  expect(told(plan(large, two.slice(0, 1)))).toContain("create web.shop-generic-1: c");
  expect(told(plan(large, two.slice(1)))).toContain("create web.shop-generic: a b");
});

test("a part that goes is no place any more, and its number is not used again while it is there", () => {
  const gone = two.map((part, index) =>
    index === 1 ? { ...part, metadata: { ...part.metadata, deletionTimestamp: "2030-01-01T00:00:00Z" } } : part,
  );
  expect(told(plan(large, gone))).toContain("create web.shop-generic-2: c");
  const first = two.map((part, index) =>
    index === 0 ? { ...part, metadata: { ...part.metadata, deletionTimestamp: "2030-01-01T00:00:00Z" } } : part,
  );
  expect(plan({ ...large, a: 500 }, first).actions).toEqual([]);
});

test("a policy that changed is handed to all parts", () => {
  const strict: Base = { ...base, spec: { ...base.spec, delivery: { drift: "Off" } } };
  const changed = plan(large, two, strict);
  expect(changed.actions.map(({ description, reason }) => [namesIn(description), reason, description.spec.delivery])).toEqual([
    ["a b", "delivery policy changed", { drift: "Off" }],
    ["c", "delivery policy changed", { drift: "Off" }],
  ]);
  expect(plan(large, after(two, changed), strict).actions).toEqual([]);
});

test("an object that is too large alone is refused by name, and the others are delivered", () => {
  const planned = plan({ a: 900, b: 300 });
  expect(told(planned)).toEqual(["create web.shop-generic: b"]);
  const [, rendered] = baseConditions(base, planned.problems ?? []);
  expect(rendered).toMatchObject({ status: "False", reason: "TooLarge" });
  expect(rendered?.message).toMatch(/^ConfigMap shop\/a: is too large \(12\d{5} bytes in base64, .* 1048576 .*divide it into/);
  // What is there of it stays.
  expect(told(plan({ ...large, a: 900 }, two)).join()).toContain("web.shop-generic: a b");
});
