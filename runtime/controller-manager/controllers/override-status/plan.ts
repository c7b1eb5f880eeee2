// What an override says of itself: in which clusters it is part of what they get, and where and why not. Pure.

import type { Base } from "#api/apps/v1alpha1/base.ts";
import { conditionTypes } from "#api/names.ts";
import { feedText } from "#delivery/feeds.ts";
import { overrideRevision } from "#delivery/override-report.ts";
import { overrideText, type Override } from "#delivery/overrides.ts";
import { setCondition, type NewCondition } from "#kube/conditions.ts";
import { shortList } from "#std/short-list.ts";

/** A Base that names the feed, in a cluster that the override selects. */
export interface Place {
  readonly cluster: string;
  readonly base: Base;
}

type Status = NonNullable<Override["status"]>;

/** A message lists this many clusters at most. */
const CLUSTERS_SHOWN_MAX = 5;

export function overrideStatus(override: Override, places: readonly Place[], now: number): Status {
  const observedGeneration = override.metadata.generation ?? 0;
  const condition = { ...appliedCondition(override, places), observedGeneration };
  return { observedGeneration, conditions: setCondition(override.status?.conditions, condition, now) };
}

type State =
  | { readonly type: "applied" | "waiting" }
  | { readonly type: "failed"; readonly problem: string }
  | { readonly type: "heldBack"; readonly by: string };

function stateIn(override: Override, { base: { status } }: Place): State {
  const outcome = status?.overrides?.find((each) => each.override === overrideText(override));
  if (outcome?.revision !== overrideRevision(override)) return { type: "waiting" };
  if (outcome.problem !== undefined) return { type: "failed", problem: outcome.problem };
  return outcome.heldBackBy === undefined ? { type: "applied" } : { type: "heldBack", by: outcome.heldBackBy };
}

function appliedCondition(override: Override, places: readonly Place[]): NewCondition {
  const type = conditionTypes.applied;
  const { feed, overridePolicy } = override.spec;
  const no = (reason: string, message: string): NewCondition => ({ type, status: "False", reason, message });
  if (places.length === 0) return no("NotUsed", `No cluster that is meant gets ${feedText(feed)}`);

  const states = places.map((place) => ({ ...place, state: stateIn(override, place) }));
  const total = String(places.length);
  const told = (wanted: State["type"]): string | undefined => {
    const found = states.filter(({ state }) => state.type === wanted);
    if (found.length === 0) return undefined;
    const texts = found.map(({ cluster, state }) => `${cluster}${detail(state)}`);
    return `${String(found.length)} of ${total} clusters: ${shortList(texts, CLUSTERS_SHOWN_MAX).join("; ")}`;
  };
  const failed = told("failed");
  if (failed !== undefined) return no("OverrideFailed", `Does not apply in ${failed}`);
  const heldBack = told("heldBack");
  if (heldBack !== undefined) return no("HeldBack", `Another override of the feed does not apply in ${heldBack}`);
  const waiting = told("waiting");
  if (waiting === undefined) return { type, status: "True", reason: "Applied", message: `In ${total} of ${total} clusters` };
  return overridePolicy === "ApplyLater"
    ? no("Waiting", `ApplyLater: waits until the feed is rendered for another reason in ${waiting}`)
    : no("Progressing", `Not rendered yet in ${waiting}`);
}

function detail(state: State): string {
  switch (state.type) {
    case "applied":
    case "waiting":
      return "";
    case "failed":
      return `, ${state.problem}`;
    case "heldBack":
      return `, ${state.by}`;
    default:
      return state satisfies never;
  }
}
