// What rebalancing did in one decision, for its status, its condition and its Events. Data; pure.

import type { Rebalancing } from "#api/apps/v1alpha1/rebalance.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { conditionTypes } from "#api/names.ts";
import type { NewCondition } from "#kube/conditions.ts";
import { shortList } from "#std/short-list.ts";

/** What the condition Balanced says. */
export type RebalanceReason =
  | "Balanced" // nothing would be placed better by now
  | "Rebalanced" // a plan was carried out
  | "PlanReady" // something would be placed better: the plan is in status.rebalance
  | "PlanChanged" // what was confirmed is not the plan any more; the new one is shown
  | "WaitsForTurn" // enough other Subscriptions are rebalanced at the same time
  | "Rebalancing" // a plan is being carried out, step by step
  | "NotPlanned" // nothing can be planned now: bindings change, replicas are not placed, or the fleet is held
  | "Unfinished" // a plan was stopped half-way, and cannot go on now
  | "PlanOutdated" // the plan was for an older version of the Subscription
  | StopReason;

/** Why a plan was stopped half-way. What was moved stays where it is. */
export type StopReason =
  | "Edited" // the Subscription was edited
  | "Changed" // its bindings or its replicas have to change for another reason
  | "ClusterUnfit" // a cluster that takes part does not work, or takes nothing new
  | "NoRoom" // a cluster cannot take any more what the plan gives it
  | "NotAvailable" // what a step moved does not work where it went
  | "FleetHeld"; // too many clusters are silent at once

export interface RebalanceEvent {
  readonly type: "Normal" | "Warning";
  readonly reason: "rebalancePlanned" | "rebalanced" | "rebalanceStopped";
  readonly message: string;
}

export interface RebalanceReport {
  /** For the status; absent: what was said stays. */
  readonly stated?: { readonly status: Rebalancing; readonly reason: RebalanceReason; readonly message: string };
  readonly events: readonly RebalanceEvent[];
  /** Replicas that this decision moves. */
  readonly moved: number;
  /** Milliseconds since the epoch; absent: nothing changes with time alone. */
  readonly lookAgainAt?: number;
}

const GOOD: ReadonlySet<RebalanceReason> = new Set(["Balanced", "Rebalanced"]);
const UNKNOWN: ReadonlySet<RebalanceReason> = new Set(["NotPlanned", "PlanOutdated"]);

/** Moves in a message; the rest is a number. */
const SHOWN_MAX = 5;

export function balancedCondition(
  { metadata }: Subscription,
  { reason, message }: NonNullable<RebalanceReport["stated"]>,
): NewCondition {
  const status = GOOD.has(reason) ? "True" : UNKNOWN.has(reason) ? "Unknown" : "False";
  return { type: conditionTypes.balanced, status, reason, message, observedGeneration: metadata.generation ?? 0 };
}

/** `plan 1a2b3c4d: 3 of v1/… from a/a to b/b`. */
export function planText({ hash, moves = [], replacements = [] }: Pick<Rebalancing, "hash" | "moves" | "replacements">): string {
  const texts = [
    ...replacements.map(({ from, to }) => `${to} for ${from}`),
    ...moves.map(({ feed, from, to, replicas }) => `${String(replicas)} of ${feed} from ${from} to ${to}`),
  ];
  return `plan ${hash}: ${shortList(texts, SHOWN_MAX).join(", ")}`;
}

export function progressText({ moves = [], replacements = [], waitingFor = [] }: Rebalancing): string {
  const moved = moves.reduce((sum, each) => sum + (each.moved ?? 0), 0);
  const all = moves.reduce((sum, { replicas }) => sum + replicas, 0);
  const done = replacements.filter(({ phase }) => phase === "Done").length;
  return [
    ...(all === 0 ? [] : [`${String(moved)} of ${String(all)} replicas are moved`]),
    ...(replacements.length === 0 ? [] : [`${String(done)} of ${String(replacements.length)} clusters are replaced`]),
    ...(waitingFor.length === 0 ? [] : [`waits until it is Available in ${shortList(waitingFor, SHOWN_MAX).join(", ")}`]),
  ].join(", ");
}
