// What became of each override in one cluster, as Base.status.overrides records it, so that an override can say where it applies and
// "explain" knows what the cluster was rendered from. Pure.

import type { OverrideOutcome } from "#api/apps/v1alpha1/base.ts";
import { canonicalHash } from "#std/canonical-json.ts";
import { feedText, namesFeed } from "./feeds.ts";
import { overrideText, type Override } from "./overrides.ts";
import type { RenderProblem } from "./render.ts";

/** A status has to fit into etcd; nobody has more for one cluster. */
const OUTCOMES_MAX = 500;

/** Which version of an override was rendered: changes with what can change a result. */
export function overrideRevision({ spec }: Override): string {
  return canonicalHash([spec.priority, spec.feed, spec.overrides ?? []]);
}

/** `overrides`: those that were considered, in order. */
export function overrideOutcomes(overrides: readonly Override[], problems: readonly RenderProblem[]): readonly OverrideOutcome[] {
  return overrides.slice(0, OUTCOMES_MAX).map((override) => {
    const name = overrideText(override);
    const problem = problems.find((each) => each.override !== undefined && isAbout(override, each));
    const recorded = { override: name, feed: feedText(override.spec.feed), revision: overrideRevision(override) };
    return { ...recorded, ...outcome(name, problem) };
  });
}

/** Those that the feed was really rendered with, in the version that is here now. */
export function renderedWith(overrides: readonly Override[], outcomes: readonly OverrideOutcome[]): readonly Override[] {
  const known = new Set(outcomes.map(({ override, revision }) => `${override} ${revision}`));
  return overrides.filter((override) => known.has(`${overrideText(override)} ${overrideRevision(override)}`));
}

/** An outcome is about a chart, not about an object. */
export function isOfChart({ feed }: OverrideOutcome): boolean {
  return feed.startsWith("HelmChart ");
}

function outcome(name: string, problem: RenderProblem | undefined): Pick<OverrideOutcome, "problem" | "heldBackBy"> {
  if (problem?.override === undefined) return {};
  if (problem.override !== name) return { heldBackBy: problem.override };
  const { failed, message } = problem;
  if (failed === undefined) return { problem: message };
  return { problem: `patch ${failed.patch}: ${failed.path === "" ? "" : `${failed.path} `}${failed.reason}` };
}

function isAbout({ spec }: Override, { feed }: RenderProblem): boolean {
  return namesFeed(spec.feed, feed) || namesFeed(feed, spec.feed);
}
