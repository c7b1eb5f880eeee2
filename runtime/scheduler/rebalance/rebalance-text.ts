// A plan as lines for people. Pure.

import type { RebalanceMove, Rebalancing, Replacement } from "#api/apps/v1alpha1/rebalance.ts";
import { shortList } from "#std/short-list.ts";
import { progressText } from "./report.ts";

export interface ShownPlan {
  /** `namespace/name`. */
  readonly subscription: string;
  readonly by: "scheduler" | "this command";
  /** "": nothing moves. */
  readonly hash: string;
  readonly moves: readonly RebalanceMove[];
  readonly replacements: readonly Replacement[];
  readonly reasons: readonly string[];
  /** It is being carried out. */
  readonly progress?: Rebalancing;
  /** Why no cluster has said what fits. */
  readonly unknown?: string;
}

/** `-o json` has all of them. */
const MOVES_SHOWN_MAX = 100;

export function rebalanceText({
  subscription,
  hash,
  moves,
  replacements,
  reasons,
  progress,
  unknown,
}: ShownPlan): readonly string[] {
  const lines = shortList(
    [
      ...replacements.map(({ from, to }) => `  ${to} takes the place of ${from}`),
      ...moves.map(({ feed, from, to, replicas }) => `  ${String(replicas)} of ${feed} from ${from} to ${to}`),
    ],
    MOVES_SHOWN_MAX,
  );
  if (progress !== undefined)
    return [`Subscription ${subscription}: plan ${hash} is being carried out: ${progressText(progress)}`, ...lines];
  if (unknown !== undefined)
    return [
      `Subscription ${subscription}: nobody can tell, for no cluster has said what fits: ${unknown}`,
      "  with --ask the scheduler plans, which may ask them",
    ];
  const why = reasons.map((reason) => `  ${reason}`);
  if (hash === "") return [`Subscription ${subscription}: nothing to move`, ...why];
  const [namespace = "", name = ""] = subscription.split("/");
  return [
    `Subscription ${subscription}: plan ${hash}`,
    ...lines,
    "because",
    ...why,
    `to carry it out: kubectl clusternet rebalance ${name} -n ${namespace} --confirm ${hash}`,
  ];
}
