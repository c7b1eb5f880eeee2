// A decision told to people: per cluster who said no and why, its scores, what it could take and what it gets; and what would change. Pure.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { conditionTypes } from "#api/names.ts";
import { findCondition } from "#kube/conditions.ts";
import type { CapacityAnswer } from "./capacity.ts";
import type { Decision, FeedDivision, Problem, Verdict } from "./decision.ts";
import type { DividingReason } from "./divide/reasons.ts";
import type { Lost } from "./preempt/room.ts";
import { whyNotSelected, type ScheduleInput } from "./schedule.ts";
import { scheduledCondition } from "./scheduled-condition.ts";

export interface ReplicaShare {
  readonly feed: string;
  readonly replicas: number;
  readonly previous: number;
  /** Of the plugin that divided. */
  readonly reason?: string;
}

export interface ClusterPlacement {
  readonly cluster: string;
  /** Absent: the Subscription does not select it, or nothing was decided. */
  readonly verdict?: Verdict;
  readonly wasBound: boolean;
  /** Who does not select it, and why. */
  readonly notSelected?: { readonly plugin: string; readonly reason: string };
  readonly score?: number;
  /** Weighted, so that they add up to the score. */
  readonly scores?: Readonly<Record<string, number>>;
  readonly replicas?: readonly ReplicaShare[];
  /** By feed: how many replicas more it could take. */
  readonly capacity?: Readonly<Record<string, CapacityAnswer>>;
}

export interface PlacementChange {
  readonly type: "bind" | "unbind" | "replicas";
  readonly cluster: string;
  readonly text: string;
}

/** What would be decided if something were different. */
export interface PlacementHint {
  readonly if: string;
  readonly then: readonly string[];
}

export interface Placement {
  readonly subscription: string;
  readonly schedulerName: string;
  readonly strategy: string;
  readonly outcome: Decision["type"];
  /** Only this cluster was asked about. */
  readonly about?: string;
  readonly clusters: readonly ClusterPlacement[];
  /** How many clusters the Subscription does not select. */
  readonly notSelected: number;
  readonly divisions: readonly Omit<FeedDivision, "shares">[];
  readonly changes: readonly PlacementChange[];
  readonly condition: Problem & { readonly status: string };
  /** Absent: nothing that was tried would change it. */
  readonly hints?: readonly PlacementHint[];
  /** What the scheduler has said: only who leads knows what others give. */
  readonly preemption?: PreemptionSaid;
}

interface PreemptionSaid {
  /** Whose room is being freed for it. */
  readonly waits?: string;
  /** What higher priorities took from it. */
  readonly lost?: readonly Lost[];
}

export interface ExplainPlacementOptions extends ScheduleInput {
  readonly decision: Decision;
  /** Only this cluster. */
  readonly cluster?: string;
}

export function explainPlacement(subscription: Subscription, options: ExplainPlacementOptions): Placement {
  const { decision, cluster, snapshot, existing = [] } = options;
  const { spec, status, metadata } = subscription;
  const bound = status?.bindingClusters ?? existing;
  const scope: Scope = { subscription, options, bound, scores: scoresOf(decision) };
  const known = [...new Set([...(decision.type === "bound" ? decision.verdicts.map((each) => each.cluster) : []), ...bound])];
  const keys = cluster === undefined ? known.toSorted() : [cluster];
  const { status: isTrue, reason, message } = scheduledCondition(decision);
  return {
    subscription: `${metadata.namespace ?? ""}/${metadata.name}`,
    schedulerName: spec.schedulerName,
    strategy: strategyText(spec),
    outcome: decision.type,
    ...(cluster === undefined ? {} : { about: cluster }),
    clusters: keys.map((key) => placementOf(key, scope)),
    notSelected:
      decision.type === "bound" && cluster === undefined ? snapshot.clusters.filter(({ key }) => !known.includes(key)).length : 0,
    divisions: decision.type === "bound" ? (decision.divisions ?? []).map(({ shares: _shares, ...division }) => division) : [],
    changes: changesOf(scope).filter((change) => cluster === undefined || change.cluster === cluster),
    condition: { status: isTrue, reason, message },
    ...preemptionSaid(subscription, cluster),
  };
}

function preemptionSaid({ status }: Subscription, cluster: string | undefined): Pick<Placement, "preemption"> {
  const awaiting: DividingReason = "AwaitingPreemption";
  const said = findCondition(status?.conditions, conditionTypes.scheduled);
  const waits = said?.reason === awaiting ? { waits: said.message } : {};
  const lost = (status?.preempted ?? []).filter((each) => cluster === undefined || each.cluster === cluster);
  const preemption = { ...waits, ...(lost.length === 0 ? {} : { lost }) };
  return Object.keys(preemption).length === 0 ? {} : { preemption };
}

interface Scope {
  readonly subscription: Subscription;
  readonly options: ExplainPlacementOptions;
  readonly bound: readonly string[];
  readonly scores: ReadonlyMap<string, { readonly total: number; readonly byPlugin: Readonly<Record<string, number>> }>;
}

function scoresOf(decision: Decision): Scope["scores"] {
  const scores = decision.type === "bound" ? (decision.scores ?? []) : [];
  return new Map(scores.map((score) => [score.cluster, score]));
}

function strategyText({ schedulingStrategy, dividingScheduling, schedulingBySubGroup }: Subscription["spec"]): string {
  const type = schedulingStrategy === "Dividing" ? ` (${dividingScheduling?.type ?? "Static"})` : "";
  return `${schedulingStrategy}${type}${schedulingBySubGroup === true ? " by subgroups" : ""}`;
}

function placementOf(key: string, scope: Scope): ClusterPlacement {
  const { subscription, options, bound, scores } = scope;
  const { decision, snapshot } = options;
  const verdict = decision.type === "bound" ? decision.verdicts.find(({ cluster }) => cluster === key)?.verdict : undefined;
  const cluster = snapshot.get(key);
  const notSelected = verdict === undefined && cluster !== undefined ? whyNotSelected(subscription, cluster, options) : undefined;
  const score = scores.get(key);
  const replicas = sharesOf(key, scope);
  const capacity = capacityOf(key, options);
  return {
    cluster: key,
    wasBound: bound.includes(key),
    ...(verdict === undefined ? {} : { verdict }),
    ...(notSelected === undefined ? {} : { notSelected }),
    ...(score === undefined ? {} : { score: score.total, scores: score.byPlugin }),
    ...(replicas.length === 0 ? {} : { replicas }),
    ...(Object.keys(capacity).length === 0 ? {} : { capacity }),
  };
}

/** Feeds that are divided, now or before. */
function sharesOf(cluster: string, { subscription: { status }, options: { decision }, bound }: Scope): readonly ReplicaShare[] {
  if (decision.type !== "bound") return [];
  const feeds = [...new Set([...Object.keys(decision.replicas ?? {}), ...Object.keys(status?.replicas ?? {})])].toSorted();
  const [now, before] = [decision.clusters.indexOf(cluster), bound.indexOf(cluster)];
  return feeds.flatMap((feed) => {
    const [replicas, previous] = [decision.replicas?.[feed]?.[now], status?.replicas?.[feed]?.[before]];
    if (replicas === undefined && previous === undefined) return [];
    const division = decision.divisions?.find((each) => each.feed === feed);
    const reason = division?.shares.find((share) => share.cluster === cluster)?.reason;
    return [{ feed, replicas: replicas ?? 0, previous: previous ?? 0, ...(reason === undefined ? {} : { reason }) }];
  });
}

function capacityOf(
  cluster: string,
  { needs = [], capacities }: ExplainPlacementOptions,
): Readonly<Record<string, CapacityAnswer>> {
  const answers = needs.flatMap(({ feed }) => {
    const answer = capacities?.of(cluster, feed);
    return answer === undefined ? [] : [[feed, answer] as const];
  });
  return Object.fromEntries(answers);
}

function changesOf(scope: Scope): readonly PlacementChange[] {
  const { options, bound } = scope;
  const { decision } = options;
  if (decision.type !== "bound") return [];
  return decision.verdicts.flatMap(({ cluster, verdict }): readonly PlacementChange[] => {
    if (verdict.type === "bind") return [{ type: "bind", cluster, text: `bind ${cluster}` }, ...replicaChanges(cluster, scope)];
    if (verdict.type === "unbind" && bound.includes(cluster))
      return [{ type: "unbind", cluster, text: `unbind ${cluster}: ${verdict.reason}` }];
    return verdict.type === "keep" ? replicaChanges(cluster, scope) : [];
  });
}

function replicaChanges(cluster: string, scope: Scope): readonly PlacementChange[] {
  return sharesOf(cluster, scope)
    .filter(({ replicas, previous }) => replicas !== previous)
    .map(({ feed, replicas, previous }) => ({
      type: "replicas",
      cluster,
      text: `${feed} in ${cluster}: ${String(previous)} → ${String(replicas)} replicas`,
    }));
}
