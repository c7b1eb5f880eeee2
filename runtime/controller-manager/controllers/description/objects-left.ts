// Condition ObjectsLeft of a Subscription: what stayed in which cluster when a deletion completed without it. Pure.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { Condition } from "#api/meta.ts";
import { conditionTypes } from "#api/names.ts";
import { findCondition, setCondition } from "#kube/conditions.ts";

/** The newest are kept: a status is read by people. */
const CLUSTERS_MAX = 20;

export interface Left {
  /** The cluster's dedicated namespace. */
  readonly namespace: string;
  /** Of a Base that has several Descriptions: each has a line. */
  readonly part?: number;
  readonly message: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** One line per cluster; a newer one about the same cluster replaces the older. */
export function withObjectsLeft(
  { metadata, status }: Subscription,
  { namespace, part = 0, message, now }: Left,
): readonly Condition[] {
  const type = conditionTypes.objectsLeft;
  const before = findCondition(status?.conditions, type)?.message.split("\n") ?? [];
  const where = part === 0 ? namespace : `${namespace} (part ${String(part)})`;
  const others = before.filter((line) => !line.startsWith(`${where}: `));
  const lines = [...others, `${where}: ${message}`].slice(-CLUSTERS_MAX);
  const observedGeneration = metadata.generation ?? 0;
  const condition = { type, status: "True", reason: "ClusterNotAsked", message: lines.join("\n"), observedGeneration } as const;
  return setCondition(status?.conditions, condition, now);
}
