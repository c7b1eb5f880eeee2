// The next step of a plan as a decision: replicas and clusters as they are after it, and what is remembered of it. Pure.

import type { RebalanceMove, Rebalancing, Replacement } from "#api/apps/v1alpha1/rebalance.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { rfc3339 } from "#kube/conditions.ts";
import type { BoundDecision, ClusterVerdict, Decision } from "#scheduler/decision.ts";
import { sum } from "#scheduler/divide/apportion.ts";
import type { FailoverInput } from "#scheduler/failover/plan.ts";
import { deepEqual } from "#std/canonical-json.ts";
import { decideBeside } from "./aside.ts";
import { planText, progressText, type RebalanceEvent, type StopReason } from "./report.ts";
import type { RebalanceSettings } from "./settings.ts";
import { nextStep, type Next, type Transfer } from "./steps.ts";

export interface Carrying {
  readonly subscription: Subscription;
  /** What is decided without moving anything. */
  readonly base: BoundDecision;
  readonly settings: RebalanceSettings;
  readonly input: FailoverInput;
  /** Clusters that are being left. */
  readonly begun: readonly Replacement[];
}

type Step = Extract<Next, { type: "step" }>;

export function carryOn(plan: Rebalancing, carrying: Carrying, events: readonly RebalanceEvent[] = []): Decision {
  const { subscription, base, settings, input } = carrying;
  const next = nextStep(subscription, plan, { ...input, base, settings });
  switch (next.type) {
    case "wait":
      return { ...base, rebalance: { events, moved: 0, lookAgainAt: next.until } };
    case "stop":
      return stop(plan, next, { carrying, events });
    case "step":
      return take(plan, next, { carrying, events });
    default:
      return next satisfies never;
  }
}

interface Carried {
  readonly carrying: Carrying;
  readonly events: readonly RebalanceEvent[];
}

function stop(
  plan: Rebalancing,
  { reason, message: why }: { readonly reason: StopReason; readonly message: string },
  { carrying, events }: Carried,
): Decision {
  const { base, input } = carrying;
  const { waitingFor: _waitingFor, steppedAt: _steppedAt, ...rest } = plan;
  const progress = progressText(rest);
  const message = `${planText(plan)} was stopped: ${why}${progress === "" ? "" : `; ${progress}`}`;
  const status: Rebalancing = { ...rest, phase: "Stopped", since: rfc3339(input.now), message: why };
  const stopped: RebalanceEvent = { type: "Warning", reason: "rebalanceStopped", message };
  return { ...base, rebalance: { stated: { status, reason, message }, events: [...events, stopped], moved: 0 } };
}

function take(plan: Rebalancing, step: Step, carried: Carried): Decision {
  const { carrying, events } = carried;
  const { subscription, input } = carrying;
  const { transfers, begins } = step;
  const standing = bindingOthers(step, carrying);
  if (standing === undefined) return stop(plan, { reason: "Changed", message: "other clusters would be bound by now" }, carried);
  const decision = afterStep(standing, step, subscription);
  const waitingFor = [
    ...new Set([...transfers.map(({ to }) => to), ...(transfers.length === 0 ? begins.map(({ to }) => to) : [])]),
  ];
  const moves = plan.moves?.map((move) => movedOn(move, transfers));
  const replacements = plan.replacements?.map((each) => phaseOf(each, step));
  const { waitingFor: _waitingFor, steppedAt: _steppedAt, ...rest } = plan;
  const after: Rebalancing = {
    ...rest,
    ...(moves === undefined ? {} : { moves }),
    ...(replacements === undefined ? {} : { replacements }),
  };
  const moved = sum(transfers.map(({ replicas }) => replicas));
  if (waitingFor.length === 0) {
    const message = `${planText(plan)} was carried out`;
    const status: Rebalancing = { ...after, phase: "Done", since: rfc3339(input.now) };
    const done: RebalanceEvent = { type: "Normal", reason: "rebalanced", message };
    return { ...decision, rebalance: { stated: { status, reason: "Rebalanced", message }, events: [...events, done], moved } };
  }
  const status: Rebalancing = { ...after, waitingFor: waitingFor.toSorted(), steppedAt: rfc3339(input.now) };
  const message = `${planText(plan)}: ${progressText(status)}`;
  const lookAgainAt = input.now + carrying.settings.stepTimeoutSeconds * 1_000;
  return { ...decision, rebalance: { stated: { status, reason: "Rebalancing", message }, events, moved, lookAgainAt } };
}

/** Replicas move by themselves; without any, who begins to be left is put aside, and exactly its replacement must come. */
function bindingOthers({ transfers, begins }: Step, { base, begun, subscription, input }: Carrying): BoundDecision | undefined {
  if (transfers.length > 0 || begins.length === 0) return base;
  const decision = decideBeside([...begun, ...begins], subscription, input);
  if (decision.type !== "bound") return undefined;
  const known = new Set(base.clusters);
  const added = decision.clusters.filter((key) => !known.has(key));
  const isAsPlanned =
    deepEqual(added, begins.map(({ to }) => to).toSorted()) && base.clusters.every((key) => decision.clusters.includes(key));
  return isAsPlanned ? decision : undefined;
}

function afterStep(standing: BoundDecision, { transfers, leaves }: Step, { status }: Subscription): BoundDecision {
  const { divisions: _divisions, ...base } = standing;
  const left = new Map(leaves.map(({ from, to }) => [from, to]));
  const gets = new Set(transfers.map(({ to }) => to));
  const clusters = [...new Set([...base.clusters, ...gets])].filter((key) => !left.has(key)).toSorted();
  const verdicts = base.verdicts.map(({ cluster, verdict }): ClusterVerdict => {
    const instead = left.get(cluster);
    if (instead !== undefined) return { cluster, verdict: { type: "unbind", reason: `a rebalance replaced it by ${instead}` } };
    const isNew = gets.has(cluster) && status?.bindingClusters?.includes(cluster) !== true;
    return isNew ? { cluster, verdict: { type: "bind", reason: "a rebalance gives it replicas" } } : { cluster, verdict };
  });
  if (base.replicas === undefined) return { ...base, clusters, verdicts };
  const indexes = new Map(base.clusters.map((key, index) => [key, index]));
  const replicas = Object.entries(base.replicas).map(([feed, shares]) => {
    if (shares.length === 0) return [feed, shares] as const;
    return [feed, clusters.map((key) => (shares[indexes.get(key) ?? -1] ?? 0) + changeOf({ feed, key }, transfers))] as const;
  });
  return { ...base, clusters, verdicts, replicas: Object.fromEntries(replicas) };
}

function changeOf({ feed, key }: { readonly feed: string; readonly key: string }, transfers: readonly Transfer[]): number {
  const changes = transfers.map(({ feed: of, from, to, replicas }) =>
    of !== feed ? 0 : to === key ? replicas : from === key ? -replicas : 0,
  );
  return sum(changes);
}

function movedOn(move: RebalanceMove, transfers: readonly Transfer[]): RebalanceMove {
  const now = transfers.find(({ feed, from, to }) => feed === move.feed && from === move.from && to === move.to);
  return now === undefined ? move : { ...move, moved: (move.moved ?? 0) + now.replicas };
}

function phaseOf(replacement: Replacement, { leaves, begins }: Step): Replacement {
  const is = ({ from }: Replacement): boolean => from === replacement.from;
  if (leaves.some(is)) return { ...replacement, phase: "Done" };
  return begins.some(is) ? { ...replacement, phase: "Begun" } : replacement;
}
