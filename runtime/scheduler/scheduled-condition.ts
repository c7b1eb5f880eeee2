// Decision -> the condition Scheduled: what people read first. Pure.

import { conditionTypes } from "#api/names.ts";
import type { NewCondition } from "#kube/conditions.ts";
import { shortList } from "#std/short-list.ts";
import { unavailableText, type BoundDecision, type Decision, type Problem } from "./decision.ts";

/** Names in a message; the rest is a number. */
const SHOWN_MAX = 5;

export function scheduledCondition(decision: Decision): Omit<NewCondition, "observedGeneration"> {
  const type = conditionTypes.scheduled;
  const problem = problemOf(decision);
  const bindings = decision.type === "bound" && decision.clusters.length > 0 ? boundText(decision) : [];
  const { status, reason } =
    problem === undefined
      ? ({ status: "True", reason: "Scheduled" } as const)
      : ({ status: "False", reason: problem.reason } as const);
  return { type, status, reason, message: [...(problem === undefined ? [] : [problem.message]), ...bindings].join("; ") };
}

/** What is wrong with a decision; undefined: it does all that was asked for. */
export function problemOf(decision: Decision): Problem | undefined {
  if (decision.type !== "bound") return { reason: decision.reason, message: decision.message };
  const { clusters, verdicts, shortfall, advice = [] } = decision;
  if (clusters.length > 0 || shortfall !== undefined) return shortfall;
  return { reason: "NoClusterFits", message: [unavailableText(verdicts), ...shortList(advice, SHOWN_MAX)].join("; ") };
}

function boundText({ clusters, verdicts }: BoundDecision): readonly string[] {
  const despite = verdicts.flatMap(({ cluster, verdict }) =>
    verdict.type === "keep" && verdict.despite !== undefined ? [`${cluster} stays although ${verdict.despite}`] : [],
  );
  const rejected = verdicts.flatMap(({ cluster, verdict }) =>
    verdict.type === "reject" ? [`not to ${cluster}: ${verdict.reason}`] : [],
  );
  return [`Bound to ${String(clusters.length)} clusters`, ...shortList(despite, SHOWN_MAX), ...shortList(rejected, SHOWN_MAX)];
}
