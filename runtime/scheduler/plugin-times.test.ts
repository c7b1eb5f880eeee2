// What plugins take is told: of those that are not built in at each point, once for each decision; of all where they may wait.

import { expect, test } from "@jest/globals";
import { defaultPlugins, defaultProfile } from "#scheduler/default-plugins.ts";
import { schedulingMeasures } from "#scheduler/measures.ts";
import type { BindInput, Plugin } from "#scheduler/plugin.ts";
import { pluginsAtTheirPoints } from "#scheduler/profile.ts";
import { schedule } from "#scheduler/schedule.ts";
import { takeSnapshot } from "#scheduler/snapshot.ts";
import type { Clock } from "#std/clock.ts";
import { createMetrics } from "#std/metrics.ts";
import { clustersOf, subscriptionOf } from "#test/framework/scheduler-story.ts";

let now = 0;
/** Every look at it takes a millisecond. */
const clock = { monotonic: () => (now += 1) } as Clock;
const labels = { fleet: "yes" };
const story = { clusters: { oslo: { labels }, paris: { labels }, rome: { labels } }, subscription: {} };
const signal = new AbortController().signal;

const slow: Plugin = {
  name: "Slow",
  filter: () => ({ fits: true }),
  score: () => 1,
  normalise: ({ scores }) => scores,
  permit: () => Promise.reject(new Error("no")),
};
const profile = { ...defaultProfile("default"), plugins: pluginsAtTheirPoints([...defaultPlugins, slow]) };

test("by plugin and point, and by point for all of them", async () => {
  const metrics = createMetrics();
  const measures = schedulingMeasures(metrics, clock);
  const timed = measures.timed(profile);
  expect(measures.timed(profile)).toBe(timed);
  const input = { snapshot: takeSnapshot(clustersOf(story)), profile: timed, stage: measures.stage };
  for (const _ of [1, 2]) {
    expect(measures.algorithm(() => schedule(subscriptionOf(story), input))).toEqual(
      schedule(subscriptionOf(story), { ...input, profile }),
    );
  }
  const effect = { writeStatus: () => Promise.resolve() } as unknown as BindInput;
  await expect(timed.plugins.permit[0]?.permit(effect, signal)).rejects.toThrow("no");
  await timed.plugins.bind[0]?.bind(effect, signal);
  const text = await metrics.text();
  const valueOf = (name: string, which: string): string | undefined =>
    text
      .split("\n")
      .find((line) => line.startsWith(`clusternet_scheduler_${name}{${which}}`))
      ?.split(" ")[1];
  const plugin = (name: string, point: string, what = "count"): string | undefined =>
    valueOf(`plugin_duration_seconds_${what}`, `plugin="${name}",point="${point}"`);
  expect([plugin("Slow", "filter"), plugin("Slow", "score"), plugin("Slow", "normalise")]).toEqual(["2", "2", "2"]);
  // Three clusters in each of two decisions.
  expect(plugin("Slow", "filter", "sum")).toBe("0.006");
  expect([plugin("Slow", "permit"), plugin("DefaultBinder", "bind")]).toEqual(["1", "1"]);
  expect(plugin("TaintToleration", "filter")).toBeUndefined();
  const stages = ["preFilter", "filter", "score", "assign"].map((stage) =>
    valueOf("framework_extension_point_duration_seconds_count", `extension_point="${stage}"`),
  );
  expect(stages).toEqual(["4", "4", "4", "4"]);
});

test("a profile without plugins of one's own asks its own objects, but for those that may wait", () => {
  const timed = schedulingMeasures(createMetrics(), clock).timed(defaultProfile("default"));
  expect(timed.plugins.filter).toEqual(defaultProfile("default").plugins.filter);
  expect(timed.plugins.filter[0]).toBe(defaultProfile("default").plugins.filter[0]);
  expect(timed.plugins.bind[0]).not.toBe(defaultProfile("default").plugins.bind[0]);
});
