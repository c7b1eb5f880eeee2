// Rebalancing: a plan is shown before it is carried out, on demand or by policy, and carried out step by step. Pure.
//
//   (none) ──asked, or its interval──▶ Planned ──confirmed, or shown for long enough by CarryOut──▶ CarryingOut ──every move──▶ Done
//      ▲                                 │  ▲                                                          │
//      └──nothing would be better any more┘  └───────── asked, or its interval ──── Stopped ◀──────────┘ something came in between
//
// (RBP-1) Without policy and annotation nothing is planned, and nothing moves.
// (RBP-2) Only a plan that has been shown is carried out, and only while it is still exactly that plan.
// (RBP-3) A request is answered once: status.rebalance.answered says which.
// (RBP-4) What must survive this process is in status.rebalance. An edit, a hold of the fleet, or a cluster that cannot go on ends a plan
//         where it is: what was moved stays, and clusters that are being left keep what they have.

import type { Rebalancing } from "#api/apps/v1alpha1/rebalance.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { annotations } from "#api/names.ts";
import { rfc3339 } from "#kube/conditions.ts";
import type { Decision } from "#scheduler/decision.ts";
import { scheduleWithFailover, type FailoverInput } from "#scheduler/failover/plan.ts";
import { begunOf, decideBeside } from "./aside.ts";
import { carryOn, type Carrying } from "./carry-on.ts";
import { blocked, planRebalance, type Plan } from "./plan.ts";
import { planText, type RebalanceEvent, type RebalanceReason, type RebalanceReport } from "./report.ts";
import { isAtRest } from "./standing.ts";
import { rebalanceOf } from "./settings.ts";
import type { RebalanceTurn } from "./turns.ts";

export interface RebalanceInput extends FailoverInput {
  readonly turn: RebalanceTurn;
}

/** Asks for a plan. This, and the hash that confirms one, may be followed by a blank and anything, so that it can be said again. */
export const SHOW = "Show";

/** A turn is asked for again after so long. */
const TURN_MS = 15_000;

/** As scheduleWithFailover(), and besides: what a rebalance changes. */
export function scheduleWithRebalance(subscription: Subscription, input: RebalanceInput): Decision {
  const settings = rebalanceOf(subscription);
  const known = subscription.status?.rebalance;
  const asked = requestOf(subscription);
  if (known === undefined && asked === undefined && settings.policy === "Never") return scheduleWithFailover(subscription, input);
  const begun = begunOf(subscription, input);
  const base = decideBeside(begun, subscription, input);
  // It waits for something, or cannot be done: bindings stay, and so does what is said of a rebalance.
  if (base.type !== "bound") return base;
  const context: Context = { subscription, base, settings, input, begun, known, asked };
  if (known?.phase === "CarryingOut") return carryOn(known, context);
  if (asked !== undefined) return answer(asked, context);
  return settings.policy === "Never" ? outdated(context) : byPolicy(context);
}

/** What would be shown now, to somebody who does not lead. */
export function planFor(subscription: Subscription, input: FailoverInput): Plan {
  const begun = begunOf(subscription, input);
  const base = decideBeside(begun, subscription, input);
  if (base.type !== "bound") return blocked(base.message);
  return planNow({ subscription, base, input, begun, settings: rebalanceOf(subscription) });
}

/** The request that has not been answered yet. */
function requestOf({ metadata, status }: Subscription): string | undefined {
  const asked = metadata.annotations?.[annotations.rebalance];
  return asked === "" || asked === status?.rebalance?.answered ? undefined : asked;
}

interface Context extends Carrying {
  readonly input: RebalanceInput;
  readonly known: Rebalancing | undefined;
  readonly asked: string | undefined;
}

function planNow({ subscription, input, settings, base, begun }: Carrying): Plan {
  if (input.fleet.held !== undefined) return blocked(input.fleet.held);
  return planRebalance(subscription, { ...input, settings, base, begun });
}

/** Somebody asks for a plan, or confirms one. */
function answer(asked: string, context: Context): Decision {
  // Decided once more as soon as they are written.
  if (!isAtRest(context.subscription, context.base)) return context.base;
  const plan = planNow(context);
  const [what] = asked.split(" ");
  if (what === SHOW) return show(plan, { ...context, reason: "PlanReady" });
  if (plan.hash !== what) return show(plan, { ...context, reason: "PlanChanged" });
  return begin(plan, context);
}

function byPolicy(context: Context): Decision {
  const { known, settings, input } = context;
  const { turn, now } = input;
  const isShown = known?.phase === "Planned" && isCurrent(context);
  const shownUntil =
    isShown && settings.policy === "CarryOut" ? Date.parse(known.since) + settings.shownForSeconds * 1_000 : undefined;
  const isRipe = shownUntil !== undefined && shownUntil <= now;
  const lookAgainAt = Math.min(turn.nextLookAt, shownUntil !== undefined && !isRipe ? shownUntil : Infinity);
  if (!isRipe && !turn.isDue) return { ...context.base, rebalance: { events: [], moved: 0, lookAgainAt } };
  const plan = planNow(context);
  if (isRipe && plan.hash === known?.hash) return begin(plan, context);
  return show(plan, { ...context, reason: "PlanReady" });
}

/** The plan that is shown is for an older version of the Subscription, and nobody asks for another. */
function outdated(context: Context): Decision {
  const { base, known } = context;
  if (known?.phase !== "Planned" || isCurrent(context)) return base;
  const message = "The Subscription was edited since it was planned";
  const status: Rebalancing = { ...recordOf(context), phase: "Stopped", message };
  return { ...base, rebalance: { stated: { status, reason: "PlanOutdated", message }, events: [], moved: 0 } };
}

interface Shown extends Context {
  readonly reason: Extract<RebalanceReason, "PlanReady" | "PlanChanged">;
}

function show(plan: Plan, context: Shown): Decision {
  const { base, known, reason, input, asked, settings } = context;
  const { turn, now } = input;
  const isSame = known?.phase === "Planned" && known.hash === plan.hash && isCurrent(context);
  const ripeAt = (isSame ? Date.parse(known.since) : now) + settings.shownForSeconds * 1_000;
  const isWaited = settings.policy === "CarryOut" && plan.hash !== "";
  const lookAgainAt = settings.policy === "Never" ? undefined : Math.min(turn.nextLookAt, isWaited ? ripeAt : Infinity);
  const time = lookAgainAt === undefined ? {} : { lookAgainAt };
  if (plan.hash === "") return { ...base, rebalance: { ...balanced(plan, context), ...time } };
  if (isSame && asked === undefined) return { ...base, rebalance: { events: [], moved: 0, ...time } };
  const text = planText(plan);
  const message = reason === "PlanChanged" ? `What was confirmed is not the plan any more; ${text}` : text;
  const status: Rebalancing = {
    ...recordOf(context),
    ...membersOf(plan),
    phase: "Planned",
    since: isSame ? known.since : rfc3339(now),
  };
  const events: RebalanceEvent[] = isSame && reason === "PlanReady" ? [] : [shownEvent(reason, message, plan)];
  return { ...base, rebalance: { stated: { status, reason, message }, events, moved: 0, ...time } };
}

function shownEvent(reason: Shown["reason"], message: string, { reasons }: Plan): RebalanceEvent {
  if (reason === "PlanChanged") return { type: "Warning", reason: "rebalanceStopped", message };
  return { type: "Normal", reason: "rebalancePlanned", message: [message, ...reasons].join("; ") };
}

/** There is nothing to move: said to who asked, and where something else was said. */
function balanced({ reasons, isBlocked = false }: Plan, context: Context): Pick<RebalanceReport, "stated" | "events" | "moved"> {
  const { known, asked, begun } = context;
  const isSaid = known !== undefined && known.phase !== "Planned" && isCurrent(context);
  if (asked === undefined && (isSaid || isBlocked)) return { events: [], moved: 0 };
  const [why = ""] = reasons;
  const record = recordOf(context);
  if (known === undefined || begun.length === 0) {
    const status: Rebalancing = { ...record, phase: "Done", reasons };
    return { stated: { status, reason: isBlocked ? "NotPlanned" : "Balanced", message: why }, events: [], moved: 0 };
  }
  const status: Rebalancing = { ...known, ...record, hash: known.hash, since: known.since };
  const message = `${begun.map(({ from }) => from).join(", ")} cannot be left now: ${why}`;
  return { stated: { status, reason: "Unfinished", message }, events: [], moved: 0 };
}

/** A plan is carried out, from its first step on; or waits for its turn. */
function begin(plan: Plan, context: Context): Decision {
  const { base, input, known } = context;
  const { turn, now } = input;
  if (!turn.mayStart) {
    const message = `${planText(plan)} waits: enough other Subscriptions are rebalanced at the same time`;
    const isSame = known?.phase === "Planned" && known.hash === plan.hash;
    // Not answered yet: the request stands.
    const record = { ...recordOf({ ...context, asked: undefined }), since: isSame ? known.since : rfc3339(now) };
    const status: Rebalancing = { ...record, ...membersOf(plan), phase: "Planned" };
    return {
      ...base,
      rebalance: { stated: { status, reason: "WaitsForTurn", message }, events: [], moved: 0, lookAgainAt: now + TURN_MS },
    };
  }
  const status: Rebalancing = { ...recordOf(context), ...membersOf(plan), phase: "CarryingOut" };
  const event: RebalanceEvent = {
    type: "Normal",
    reason: "rebalancePlanned",
    message: [`${planText(plan)} is carried out`, ...plan.reasons].join("; "),
  };
  return carryOn(status, context, [event]);
}

function membersOf({
  hash,
  moves,
  replacements,
  reasons,
}: Plan): Pick<Rebalancing, "hash" | "moves" | "replacements" | "reasons"> {
  return { hash, ...(moves.length === 0 ? {} : { moves }), ...(replacements.length === 0 ? {} : { replacements }), reasons };
}

/** What every status says: for which version, since now, and which request it answers. */
function recordOf({
  subscription,
  known,
  asked,
  input,
}: Context): Pick<Rebalancing, "hash" | "generation" | "since" | "answered"> {
  const answered = asked ?? known?.answered;
  return {
    hash: "",
    generation: subscription.metadata.generation ?? 0,
    since: rfc3339(input.now),
    ...(answered === undefined ? {} : { answered }),
  };
}

function isCurrent({ known, subscription }: Context): boolean {
  return known?.generation === (subscription.metadata.generation ?? 0);
}
