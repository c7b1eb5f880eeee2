// Descriptions that drifted -> condition Drifted of their Subscription. Pure.

import type { Description } from "#api/apps/v1alpha1/description.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { conditionTypes } from "#api/names.ts";
import { findCondition, type NewCondition } from "#kube/conditions.ts";
import { shortList } from "#std/short-list.ts";

/** What is known about one bound cluster. */
interface Reported {
  readonly binding: string;
  readonly descriptions: readonly (Description | undefined)[];
}

/** A message lists this many clusters at most. */
const CLUSTERS_SHOWN_MAX = 3;

/** None while nothing ever drifted. */
export function driftConditions({ status }: Subscription, reports: readonly Reported[]): readonly NewCondition[] {
  const type = conditionTypes.drifted;
  const drifted = reports.flatMap(({ binding, descriptions }) => {
    const found = descriptions
      .flatMap((description) => findCondition(description?.status?.conditions, type) ?? [])
      .filter((condition) => condition.status === "True");
    return found[0] === undefined
      ? []
      : [{ binding, reason: found[0].reason, message: found.map((each) => each.message).join("; ") }];
  });
  const [first] = drifted;
  if (first === undefined) {
    if (findCondition(status?.conditions, type) === undefined) return [];
    return [{ type, status: "False", reason: "AsDescribed", message: "Nothing differs" }];
  }
  const texts = drifted.map(({ binding, message: each }) => `${binding}: ${each}`);
  const message = `${String(drifted.length)} of ${String(reports.length)} clusters: ${shortList(texts, CLUSTERS_SHOWN_MAX).join("; ")}`;
  return [{ type, status: "True", reason: first.reason, message }];
}
