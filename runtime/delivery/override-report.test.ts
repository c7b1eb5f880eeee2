// What a Base records of each override.

import { expect, test } from "@jest/globals";
import { overrideOutcomes, overrideRevision, renderedWith } from "./override-report.ts";
import type { Override } from "./overrides.ts";
import type { RenderProblem } from "./render.ts";

const feed = { apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name: "c" };
const other = { ...feed, name: "other" };
const override = (name: string, of = feed, priority = 500): Override => ({
  apiVersion: "apps.clusternet.io/v1alpha1",
  kind: "Globalization",
  metadata: { name },
  spec: { overridePolicy: "ApplyNow", priority, feed: of },
});
const problem = (more: Partial<RenderProblem>): RenderProblem => ({
  feed,
  reason: "OverrideFailed",
  message: "the message",
  ...more,
});
const told = (problems: readonly RenderProblem[]): unknown =>
  overrideOutcomes([override("a"), override("b"), override("c", other)], problems).map((each) => each.problem ?? each.heldBackBy);

test("one that fails holds back the others of its feed, and of no other", () => {
  const failed = { override: "Globalization a", patch: "p", path: "/data", reason: "does not exist" };
  expect(told([problem({ override: "Globalization a", failed })])).toEqual([
    "patch p: /data does not exist",
    "Globalization a",
    undefined,
  ]);
});

test("one whose failure has no details is told by its message", () => {
  expect(told([problem({ override: "Globalization b" })])).toEqual(["Globalization b", "the message", undefined]);
});

test("a feed that is missing is no override's fault", () => {
  expect(told([problem({ reason: "FeedMissing" })])).toEqual([undefined, undefined, undefined]);
});

test("a changed override is not the one that was rendered; its policy and affinity change nothing about that", () => {
  const outcomes = overrideOutcomes([override("a")], []);
  expect(renderedWith([override("a")], outcomes)).toHaveLength(1);
  expect(renderedWith([override("a", feed, 501), override("b")], outcomes)).toEqual([]);
  const later = { ...override("a"), spec: { ...override("a").spec, overridePolicy: "ApplyLater" as const } };
  expect(overrideRevision(later)).toBe(overrideRevision(override("a")));
});
