// A plan on its way: may it go on, and what is the next step? Pure.
//
// (RBS-1) A step moves at most maxMovePercent of a feed's replicas, or one, and keeps their sum.
// (RBS-2) The next step waits until what was moved is Available where it went.
// (RBS-3) A cluster is left when it has no replicas any more and everything is Available in what replaces it.

import type { RebalanceMove, Rebalancing, Replacement } from "#api/apps/v1alpha1/rebalance.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { noCapacities } from "#scheduler/capacity.ts";
import type { BoundDecision } from "#scheduler/decision.ts";
import { sum } from "#scheduler/divide/apportion.ts";
import { whyNotAvailable } from "#scheduler/failover/available.ts";
import type { FailoverInput } from "#scheduler/failover/plan.ts";
import { isByWeight } from "./by-weight.ts";
import type { StopReason } from "./report.ts";
import type { RebalanceSettings } from "./settings.ts";
import { notSettled, whyUnfit } from "./standing.ts";

export interface Transfer {
  readonly feed: string;
  readonly from: string;
  readonly to: string;
  readonly replicas: number;
}

export type Next =
  | { readonly type: "wait"; readonly until: number }
  | { readonly type: "stop"; readonly reason: StopReason; readonly message: string }
  | {
      readonly type: "step";
      readonly transfers: readonly Transfer[];
      /** Clusters that are not bound any more. */
      readonly leaves: readonly Replacement[];
      /** Clusters that begin to be left. */
      readonly begins: readonly Replacement[];
    };

export interface StepInput extends FailoverInput {
  readonly base: BoundDecision;
  readonly settings: RebalanceSettings;
}

export function nextStep(subscription: Subscription, known: Rebalancing, input: StepInput): Next {
  const stopped = whyStopped(subscription, known, input);
  if (stopped !== undefined) return stopped;
  const { snapshot, now, settings } = input;
  const late = (known.waitingFor ?? []).flatMap((key) => {
    const cluster = snapshot.get(key);
    const why = cluster === undefined ? "it is gone" : whyNotAvailable(subscription, cluster);
    return why === undefined ? [] : [{ key, why }];
  });
  if (late.length > 0) {
    const until = Date.parse(known.steppedAt ?? known.since) + settings.stepTimeoutSeconds * 1_000;
    if (now < until) return { type: "wait", until };
    const [{ key, why } = { key: "", why: "" }, ...others] = late;
    const where = others.length === 0 ? key : `${key} and ${String(others.length)} more`;
    const message = `what was moved to ${where} is not Available after ${String(settings.stepTimeoutSeconds)} s: ${why}`;
    return { type: "stop", reason: "NotAvailable", message };
  }
  const { moves = [], replacements = [] } = known;
  const leaves = replacements.filter(
    ({ from, phase }) => phase === "Begun" && !moves.some((move) => move.from === from && left(move) > 0),
  );
  const transfers = transfersOf(moves, subscription, settings);
  const full = transfers.find(
    ({ feed, to }) =>
      !isByWeight(subscription) &&
      sum(transfers.filter((each) => each.to === to).map(({ replicas }) => replicas)) > roomOf(to, feed, input),
  );
  if (full !== undefined)
    return { type: "stop", reason: "NoRoom", message: `${full.to} has no room any more for what the plan gives it` };
  const touched = new Set(transfers.flatMap(({ from, to }) => [from, to]));
  const open = replacements.filter(({ phase }) => phase === undefined);
  const begins =
    transfers.length > 0
      ? open.filter(({ from, to }) => touched.has(from) || touched.has(to))
      : open.slice(0, clustersAtOnce(subscription, settings));
  return { type: "step", transfers, leaves, begins };
}

function whyStopped(
  subscription: Subscription,
  { generation, moves = [], replacements = [], waitingFor = [] }: Rebalancing,
  { base, fleet, ...input }: StepInput,
): Extract<Next, { type: "stop" }> | undefined {
  const stop = (reason: StopReason, message: string) => ({ type: "stop", reason, message }) as const;
  if (generation !== (subscription.metadata.generation ?? 0)) return stop("Edited", "the Subscription was edited");
  if (fleet.held !== undefined) return stop("FleetHeld", fleet.held);
  const unsettled = notSettled(subscription, base);
  if (unsettled !== undefined) return stop("Changed", unsettled);
  const clusters = [...moves.filter((move) => left(move) > 0), ...replacements.filter(({ phase }) => phase !== "Done")].flatMap(
    ({ from, to }) => [from, to],
  );
  for (const key of new Set([...clusters, ...waitingFor])) {
    const why = whyUnfit(subscription, { key, base, ...input });
    if (why !== undefined) return stop("ClusterUnfit", why);
  }
  return undefined;
}

function left({ replicas, moved = 0 }: RebalanceMove): number {
  return replicas - moved;
}

/** Of one feed: the first that has something left to move. */
function transfersOf(
  moves: readonly RebalanceMove[],
  { status }: Subscription,
  { maxMovePercent }: RebalanceSettings,
): readonly Transfer[] {
  const first = moves.find((move) => left(move) > 0);
  if (first === undefined) return [];
  const { feed } = first;
  let budget = Math.max(1, Math.floor((sum(status?.replicas?.[feed] ?? []) * maxMovePercent) / 100));
  return moves.flatMap((move): readonly Transfer[] => {
    const replicas = move.feed === feed ? Math.min(budget, left(move)) : 0;
    budget -= replicas;
    return replicas === 0 ? [] : [{ feed, from: move.from, to: move.to, replicas }];
  });
}

function clustersAtOnce({ status }: Subscription, { maxMovePercent }: RebalanceSettings): number {
  return Math.max(1, Math.floor(((status?.bindingClusters?.length ?? 0) * maxMovePercent) / 100));
}

function roomOf(key: string, feed: string, { capacities = noCapacities, limits }: StepInput): number {
  if (limits?.of(key, feed) !== undefined) return 0;
  const answer = capacities.of(key, feed);
  return answer?.type === "fits" ? answer.replicas : 0;
}
