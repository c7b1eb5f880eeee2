// What failover did in one decision, for its status, its condition and its Events. Data; pure.

import type { Move } from "#api/apps/v1alpha1/failover.ts";
import { conditionTypes } from "#api/names.ts";
import { findCondition, type NewCondition } from "#kube/conditions.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { shortList } from "#std/short-list.ts";

/** Why a bound cluster that does not work is not left (yet), or no cluster is. */
export type FailoverReason =
  | "Moving" // a cluster is left as soon as what replaces it is Available
  | "MovingBack" // work returns to the cluster that it left
  | "Moved" // a cluster was left, and stays so
  | "Held" // too many clusters are silent at once: that is rather our network than theirs
  | "RateLimited" // enough clusters are left in this minute
  | "NoReplacement" // no other cluster can take the work over
  | "Tolerated" // the taint is tolerated for some time
  | "Settled"; // every bound cluster works

/** Why one bound cluster that does not work is not left now. */
export interface Note {
  readonly cluster: string;
  readonly reason: Extract<FailoverReason, "Held" | "RateLimited" | "NoReplacement" | "Tolerated">;
  readonly message: string;
}

export interface FailoverEvent {
  readonly type: "Normal" | "Warning";
  readonly reason: "failoverStarted" | "failoverHeld" | "failover";
  readonly message: string;
}

export interface FailoverReport {
  /** For the status; empty: nothing is left or being left. */
  readonly moves: readonly Move[];
  readonly notes: readonly Note[];
  /** Clusters that are unbound because of failover, ascending. */
  readonly unbound: readonly string[];
  /** Evictions that begin with this decision. */
  readonly started: number;
  /** Milliseconds since the epoch; absent: nothing changes with time alone. */
  readonly lookAgainAt?: number;
  readonly events: readonly FailoverEvent[];
}

/** Clusters in a message; the rest is a number. */
const SHOWN_MAX = 5;

/** undefined: there is nothing to say, and nothing was said before. */
export function failoverCondition(
  { metadata, status }: Subscription,
  { moves, notes }: Pick<FailoverReport, "moves" | "notes">,
): NewCondition | undefined {
  const type = conditionTypes.failover;
  const observedGeneration = metadata.generation ?? 0;
  const reason = reasonOf(moves, notes);
  if (reason === "Settled") {
    if (findCondition(status?.conditions, type) === undefined) return undefined;
    return { type, status: "False", reason, message: "Every bound cluster works", observedGeneration };
  }
  const texts = [...moves.map(moveText), ...notes.map(({ cluster, message }) => `${cluster} is not left: ${message}`)];
  const message = shortList(texts, SHOWN_MAX).join("; ");
  return { type, status: moves.length > 0 ? "True" : "False", reason, message, observedGeneration };
}

export function moveText({ cluster, phase, to = [], reason, since }: Move): string {
  const others = to.length === 0 ? "" : ` for ${shortList(to, SHOWN_MAX).join(", ")}`;
  const what = { Leaving: "is being left", Left: `was left at ${since}`, Returning: "gives its work back" }[phase];
  return `${cluster} ${what}${others}: ${reason}`;
}

function reasonOf(moves: readonly Move[], notes: readonly Note[]): FailoverReason {
  if (notes.some(({ reason }) => reason === "Held")) return "Held";
  if (moves.some(({ phase }) => phase === "Leaving")) return "Moving";
  if (moves.some(({ phase }) => phase === "Returning")) return "MovingBack";
  const order = ["RateLimited", "NoReplacement"] as const;
  const blocked = order.find((reason) => notes.some((note) => note.reason === reason));
  if (blocked !== undefined) return blocked;
  if (moves.length > 0) return "Moved";
  return notes.length > 0 ? "Tolerated" : "Settled";
}
