// What would be placed better by now: (Subscription, fleet) -> the moves to it, with their reasons. Pure.
//
// (REB-1) A plan is made only when it is better: never between equals, and never for fewer replicas than the Subscription says.
// (REB-2) Clusters that are silent, tainted, not ready, being deleted, or do not say what they could take neither give nor get.
// (REB-3) What a plan moves, it moves completely: as many replicas are placed after it as before.
// (REB-4) The same fleet gives the same plan, and none after it was carried out.

import type { RebalanceMove, Replacement } from "#api/apps/v1alpha1/rebalance.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { isDividedByCapacity } from "#scheduler/capacity-questions.ts";
import { noCapacities } from "#scheduler/capacity.ts";
import { subscriptionWithout, snapshotWithout } from "#scheduler/failover/without.ts";
import { schedule } from "#scheduler/schedule.ts";
import { canonicalHash } from "#std/canonical-json.ts";
import { compareText } from "#std/compare-text.ts";
import { betterDivision, type PlanInput } from "./division.ts";
import { isByWeight, isLike, movesOf } from "./by-weight.ts";
import { isBetterScore } from "./quality.ts";
import { isFit, notSettled } from "./standing.ts";

export interface Plan {
  /** Of exactly these moves; "" of none. */
  readonly hash: string;
  readonly moves: readonly RebalanceMove[];
  readonly replacements: readonly Replacement[];
  /** Why it is better; of an empty plan, why there is none. */
  readonly reasons: readonly string[];
  /** Nobody can tell now whether something would be better. */
  readonly isBlocked?: boolean;
}

/** What a status can hold, and people can read; the next plan goes on. */
const MOVES_MAX = 200;
const HASH_LENGTH = 8;

export function planRebalance(subscription: Subscription, input: PlanInput): Plan {
  const unsettled = notSettled(subscription, input.base);
  if (unsettled !== undefined) return blocked(unsettled);
  const why = notMovable(subscription);
  if (why !== undefined) return nothing(why);
  const { replacements, unlike } = replacementsFor(subscription, input);
  const begun = replacements.slice(0, input.begun?.length ?? 0);
  const plan = planWith(replacements, subscription, input) ?? planWith(begun, subscription, input) ?? nothing("");
  const [first] = unlike;
  return plan.hash === "" && first !== undefined ? nothing(first) : plan;
}

function nothing(reason: string): Plan {
  return { hash: "", moves: [], replacements: [], reasons: [reason === "" ? "nothing would be better" : reason] };
}

export function blocked(reason: string): Plan {
  return { ...nothing(reason), isBlocked: true };
}

function hashOf({ moves, replacements }: Pick<Plan, "moves" | "replacements">): string {
  const planned = {
    moves: moves.map(({ feed, from, to, replicas }) => ({ feed, from, to, replicas })),
    replacements: replacements.map(({ from, to }) => ({ from, to })),
  };
  return canonicalHash(planned).slice(0, HASH_LENGTH);
}

function notMovable({ spec }: Subscription): string | undefined {
  if (isDividedByCapacity({ spec })) return undefined;
  if (spec.schedulingBySubGroup === true) return undefined;
  if (spec.schedulingStrategy === "Dividing") return "what is divided by weight is divided anew at every decision";
  return "it is in every cluster that it selects";
}

interface Planned extends Replacement {
  readonly reason: string;
}

/** undefined: with these replacements not everything would be placed. */
function planWith(planned: readonly Planned[], subscription: Subscription, input: PlanInput): Plan | undefined {
  const replacements = planned.map(({ reason: _reason, ...each }): Replacement => each);
  const division = isDividedByCapacity(subscription)
    ? betterDivision(subscription, { ...input, replacements })
    : { moves: movesOf(subscription, replacements), reasons: [] };
  if (division === undefined || (planned.length > 0 && division.moves.length > MOVES_MAX)) return undefined;
  const moves = largestFirst(division.moves).slice(0, MOVES_MAX);
  if (moves.length + replacements.length === 0) return nothing(division.reasons.join("; "));
  const reasons = [...planned.map(({ reason }) => reason), ...division.reasons];
  return { hash: hashOf({ moves, replacements }), moves, replacements, reasons };
}

function largestFirst(moves: readonly RebalanceMove[]): readonly RebalanceMove[] {
  if (moves.length <= MOVES_MAX) return moves;
  return moves.toSorted((a, b) => b.replicas - a.replicas);
}

interface Replacing {
  readonly replacements: readonly Planned[];
  /** Why better clusters cannot take the place of others. */
  readonly unlike: readonly string[];
}

/** Bound clusters whose place a better one would take: of a group, or of the most clusters to use. */
function replacementsFor(subscription: Subscription, input: PlanInput): Replacing {
  const { spec, status } = subscription;
  const bound = status?.bindingClusters ?? [];
  const most = isDividedByCapacity(subscription) ? spec.dividingScheduling?.dynamicDividing?.maxClusters : undefined;
  const replacements: Planned[] = (input.begun ?? []).map((each) => ({
    ...each,
    reason: `${each.from} is being replaced by ${each.to}`,
  }));
  const isLimited = spec.schedulingBySubGroup === true || (most !== undefined && bound.length >= most);
  const unlike: string[] = [];
  if (!isLimited) return { replacements, unlike };
  const scores = new Map(input.base.scores?.map(({ cluster, total }) => [cluster, total]));
  const candidates = bound
    .filter((key) => isFit(subscription, { key, ...input }) && !replacements.some(({ from, to }) => key === from || key === to))
    .toSorted((a, b) => (scores.get(a) ?? 0) - (scores.get(b) ?? 0) || compareText(a, b));
  for (const from of candidates.slice(0, MOVES_MAX)) {
    const to = whoComes([...replacements, { from }], subscription, input).filter(
      (key) => !replacements.some((each) => each.to === key),
    );
    const [next, second] = to;
    const [worse, better] = [scores.get(from), scores.get(next ?? "")];
    if (next === undefined || second !== undefined || worse === undefined || better === undefined) continue;
    if (!isBetterScore(worse, better)) continue;
    const reason = `${next} has a score of ${String(Math.round(better))}, ${from} of ${String(Math.round(worse))}`;
    if (isByWeight(subscription) && !isLike([...replacements, { from, to: next }], subscription, input))
      unlike.push(`${reason}, but in its place the shares of others would change: by weight they are exact`);
    else replacements.push({ from, to: next, reason });
  }
  return { replacements, unlike };
}

/** Clusters that would be bound if these were not there. */
function whoComes(
  leaving: readonly { readonly from: string }[],
  subscription: Subscription,
  input: PlanInput,
): readonly string[] {
  const away = new Set(leaving.map(({ from }) => from));
  const decision = schedule(subscriptionWithout(subscription, away), {
    ...input,
    capacities: input.capacities ?? noCapacities,
    snapshot: snapshotWithout(input.snapshot, away),
    existing: [],
  });
  if (decision.type !== "bound") return [];
  const bound = new Set(subscription.status?.bindingClusters ?? []);
  const stays = [...bound].every((key) => away.has(key) || decision.clusters.includes(key));
  return stays ? decision.clusters.filter((key) => !bound.has(key)) : [];
}
