// Decision: which clusters a Subscription is bound to, and for every cluster why or why not. Data; pure.

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

export type Decision =
  | {
      readonly type: "bound";
      /** Ascending. */
      readonly clusters: readonly string[];
      /** Every cluster that is bound, was bound, or was asked for; ascending. */
      readonly verdicts: readonly ClusterVerdict[];
    }
  /** The Subscription asks for something that this scheduler does not do (yet). Its bindings stay as they are. */
  | { readonly type: "refused"; readonly reason: RefusedReason; readonly message: string };

export type RefusedReason = "UnsupportedStrategy" | "UnsupportedSubGroups";

export function unbound({ verdicts }: Extract<Decision, { type: "bound" }>): readonly ClusterVerdict[] {
  return verdicts.filter(({ verdict }) => verdict.type === "unbind");
}

/** `0/3 clusters are available: 2 taint a is not tolerated, 1 not ready`: upstream's form. */
export function unavailableText(verdicts: readonly ClusterVerdict[]): string {
  const counts = new Map<string, number>();
  for (const { verdict } of verdicts)
    if (verdict.type === "reject") counts.set(verdict.reason, (counts.get(verdict.reason) ?? 0) + 1);
  const reasons = [...counts].map(([reason, count]) => `${String(count)} ${reason.replace(/^it /, "")}`).toSorted();
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return `0/${String(total)} clusters are available${reasons.length === 0 ? "" : `: ${reasons.join(", ")}`}`;
}
