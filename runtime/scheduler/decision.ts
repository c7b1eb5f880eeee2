// Decision: which clusters a Subscription is bound to, and for every cluster why or why not. Data; pure.

import { compareText } from "#std/compare-text.ts";
import type { FailoverReport } from "./failover/report.ts";
import type { RebalanceReport } from "./rebalance/report.ts";
import type { PreemptionReport } from "./preempt/room.ts";

/** What a plugin says about one cluster. */
export type Fit = { readonly fits: true } | { readonly fits: false; readonly reason: string };

export const fits: Fit = { fits: true };

export function doesNotFit(reason: string): Fit {
  return { fits: false, reason };
}

export type Verdict =
  /** Bound now, was not before. */
  | { readonly type: "bind"; readonly reason: string }
  /** Bound before and still; `despite` is what would stop a new binding. */
  | { readonly type: "keep"; readonly reason: string; readonly despite?: string }
  /** Bound before, not any more: a live edit of the Subscription or the cluster's labels, or the cluster's deletion. */
  | { readonly type: "unbind"; readonly reason: string }
  /** Not bound. `plugin` said no. */
  | { readonly type: "reject"; readonly plugin: string; readonly reason: string };

export interface ClusterVerdict {
  /** `namespace/name` of the ManagedCluster. */
  readonly cluster: string;
  readonly verdict: Verdict;
}

/** How one feed's replicas were shared out. Data for people and tests. */
export interface FeedDivision {
  /** Its key, as in `status.replicas`. */
  readonly feed: string;
  readonly desired: number;
  /** Sum of the shares; less than desired only with a reason. */
  readonly placed: number;
  readonly shares: readonly {
    readonly cluster: string;
    readonly replicas: number;
    readonly previous: number;
    readonly reason: string;
    /** Replicas that a higher priority takes with this decision, and whose it is. */
    readonly given?: { readonly by: string; readonly replicas: number };
  }[];
  /** Why placed < desired. */
  readonly shortfall?: string;
  /** What else was asked for and is not so: fewer clusters, less even. */
  readonly unmet?: readonly string[];
}

export interface ClusterScore {
  readonly cluster: string;
  readonly total: number;
  /** Weighted, so that they add up to the total. */
  readonly byPlugin: Readonly<Record<string, number>>;
}

/** Why something is not done (whole); `reason` is a word for programs, `message` a sentence for people. */
export interface Problem {
  readonly reason: string;
  readonly message: string;
}

export interface BoundDecision {
  readonly type: "bound";
  /** Ascending. */
  readonly clusters: readonly string[];
  /** By feed key, at the index of `clusters`; `[]`: the feed cannot be divided. */
  readonly replicas?: Readonly<Record<string, readonly number[]>>;
  /** Every cluster that is bound, was bound, or was asked for; ascending. */
  readonly verdicts: readonly ClusterVerdict[];
  readonly divisions?: readonly FeedDivision[];
  /** Best first, ties by key. Absent: nobody scored. */
  readonly scores?: readonly ClusterScore[];
  /** Bound as far as it goes, but less than was asked for. */
  readonly shortfall?: Problem;
  /** Nothing is bound: what would help. */
  readonly advice?: readonly string[];
  /** Absent: failover is not declared, and nothing of it is left. */
  readonly failover?: FailoverReport;
  /** Absent: nobody asks for a rebalance, and nothing changes about what was said of one. */
  readonly rebalance?: RebalanceReport;
  /** Absent: nobody takes room from it, or for it. */
  readonly preemption?: PreemptionReport;
}

export type Decision =
  | BoundDecision
  /** Cannot be done as asked. Its bindings stay as they are. */
  | { readonly type: "refused"; readonly reason: string; readonly message: string }
  /** Will be decided when something arrives: an inventory, capacity, a gate. Its bindings stay as they are. */
  | { readonly type: "waiting"; readonly reason: string; readonly message: string };

/** Why a Subscription is refused or waits. Plugins may have other reasons. */
export type DecisionReason = "UnsupportedStrategy"; // no plugin of the profile assigns for its schedulingStrategy

export function refused(reason: DecisionReason, message: string): Decision {
  return { type: "refused", reason, message };
}

export function unbound({ verdicts }: BoundDecision): readonly ClusterVerdict[] {
  return verdicts.filter(({ verdict }) => verdict.type === "unbind");
}

/** Reasons in a message, those of the most clusters; each cluster may have a taint of its own. */
const REASONS_SHOWN_MAX = 20;

/** `0/3 clusters are available: 2 taint a is not tolerated, 1 not ready`: upstream's form. */
export function unavailableText(verdicts: readonly ClusterVerdict[]): string {
  const counts = new Map<string, number>();
  for (const { verdict } of verdicts)
    if (verdict.type === "reject") counts.set(verdict.reason, (counts.get(verdict.reason) ?? 0) + 1);
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const shown = [...counts].toSorted((a, b) => b[1] - a[1] || compareText(a[0], b[0])).slice(0, REASONS_SHOWN_MAX);
  const texts = shown.map(([reason, count]) => `${String(count)} ${reason.replace(/^it /, "")}`).toSorted();
  const hidden = counts.size - shown.length;
  const reasons = hidden === 0 ? texts : [...texts, `and ${String(hidden)} more reasons`];
  return `0/${String(total)} clusters are available${reasons.length === 0 ? "" : `: ${reasons.join(", ")}`}`;
}
