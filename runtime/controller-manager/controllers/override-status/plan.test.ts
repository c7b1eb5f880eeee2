// What an override says of itself.

import { expect, test } from "@jest/globals";
import type { Base, OverrideOutcome } from "#api/apps/v1alpha1/base.ts";
import type { Globalization } from "#api/apps/v1alpha1/globalization.ts";
import { overrideRevision } from "#delivery/override-report.ts";
import { overrideStatus, type Place } from "./plan.ts";

const aGlobalization = (overridePolicy: "ApplyNow" | "ApplyLater" = "ApplyNow"): Globalization => ({
  apiVersion: "apps.clusternet.io/v1alpha1",
  kind: "Globalization",
  metadata: { name: "web", generation: 3 },
  spec: { overridePolicy, priority: 500, feed: { apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name: "c" } },
});
const place = (cluster: string, outcome?: Partial<OverrideOutcome>): Place => {
  const recorded = { override: "Globalization web", feed: "ConfigMap shop/c", revision: overrideRevision(aGlobalization()) };
  const overrides = outcome === undefined ? [] : [{ ...recorded, ...outcome }];
  const base: Base = {
    apiVersion: "apps.clusternet.io/v1alpha1",
    kind: "Base",
    metadata: { namespace: cluster, name: "web.shop" },
    spec: { feeds: [] },
    status: { overrides },
  };
  return { cluster, base };
};
const told = (override: Globalization, places: readonly Place[]): string => {
  const { conditions } = overrideStatus(override, places, 0);
  const { status = "", reason = "", message = "" } = conditions?.find(({ type }) => type === "Applied") ?? {};
  return `${status} ${reason}: ${message}`;
};
const paris = place("paris", {});
const oslo = place("oslo", { problem: "patch typo: /data/x does not exist" });

const cases: readonly (readonly [string, string, Globalization, readonly Place[]])[] = [
  ["applies everywhere", "True Applied: In 2 of 2 clusters", aGlobalization(), [paris, place("rome", {})]],
  [
    "fails in one cluster",
    "False OverrideFailed: Does not apply in 1 of 2 clusters: oslo, patch typo: /data/x does not exist",
    aGlobalization(),
    [paris, oslo],
  ],
  [
    "is held back by another one",
    "False HeldBack: Another override of the feed does not apply in 1 of 1 clusters: rome, Localization rome/x",
    aGlobalization(),
    [place("rome", { heldBackBy: "Localization rome/x" })],
  ],
  [
    "waits, because it is not rendered in this version",
    "False Waiting: ApplyLater: waits until the feed is rendered for another reason in 2 of 3 clusters: bern; rome",
    aGlobalization("ApplyLater"),
    [paris, place("bern", { revision: "older" }), place("rome")],
  ],
  ["is about to be rendered", "False Progressing: Not rendered yet in 1 of 1 clusters: rome", aGlobalization(), [place("rome")]],
  ["is used nowhere", "False NotUsed: No cluster that is meant gets ConfigMap shop/c", aGlobalization(), []],
  [
    "fails in many clusters, of which it names a few",
    `False OverrideFailed: Does not apply in 7 of 7 clusters: ${["c0", "c1", "c2", "c3", "c4"].map((name) => `${name}, x`).join("; ")}; and 2 more`,
    aGlobalization(),
    Array.from({ length: 7 }, (_, index) => place(`c${String(index)}`, { problem: "x" })),
  ],
];
test.each(cases.map(([what, ...rest]) => [what, rest] as const))("an override that %s", (_what, [expected, override, places]) => {
  expect(told(override, places)).toBe(expected);
});

test("the status speaks about the generation it has seen", () => {
  const status = overrideStatus(aGlobalization(), [paris], 0);
  expect([status.observedGeneration, status.conditions?.[0]?.observedGeneration]).toEqual([3, 3]);
});
