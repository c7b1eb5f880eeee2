// Since when does a cluster not work, and how long does a Subscription tolerate that? Pure.

import type { Taint } from "#api/core-types.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { taints } from "#api/names.ts";
import { rfc3339 } from "#kube/conditions.ts";
import { tolerates } from "#kube/tolerations.ts";
import type { Cluster } from "#scheduler/snapshot.ts";
import { compareText } from "#std/compare-text.ts";
import { failoverOf } from "./settings.ts";

export type Due =
  | { readonly type: "works" }
  /** `until`: milliseconds since the epoch; absent: for ever, or nobody says yet since when the taint is there. */
  | { readonly type: "tolerated"; readonly until?: number; readonly reason: string }
  | { readonly type: "due"; readonly reason: string };

export interface DueOptions {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Silence before that may have been ours: it does not count. */
  readonly notBefore: number;
}

/** The NoExecute taint that ends first decides. */
export function dueOf(subscription: Subscription, cluster: Cluster, { now, notBefore }: DueOptions): Due {
  const bad = cluster.taints.filter(({ effect }) => effect === "NoExecute");
  const ends = bad.map((taint) => ({ taint, until: toleratedUntil(subscription, taint, notBefore) }));
  const [first] = ends.toSorted((a, b) => a.until - b.until || compareText(a.taint.key, b.taint.key));
  if (first === undefined) return { type: "works" };
  const name = nameOf(first.taint);
  if (first.until <= now) return { type: "due", reason: `taint ${name} is there since ${first.taint.timeAdded ?? "?"}` };
  if (!Number.isFinite(first.until)) return { type: "tolerated", reason: `taint ${name} is tolerated` };
  return { type: "tolerated", until: first.until, reason: `taint ${name} is tolerated until ${rfc3339(first.until)}` };
}

/** It works, as far as anybody knows: what left it may return. */
export function isRecovered(subscription: Subscription, cluster: Cluster): boolean {
  const due = dueOf(subscription, cluster, { now: 0, notBefore: 0 });
  return cluster.ready === "True" && (due.type === "works" || (due.type === "tolerated" && due.until === undefined));
}

function toleratedUntil(subscription: Subscription, taint: Taint, notBefore: number): number {
  const matching = (subscription.spec.clusterTolerations ?? []).filter((toleration) => tolerates(toleration, taint));
  // As in Kubernetes: without seconds for ever, and of several the shortest.
  if (matching.some(({ tolerationSeconds }) => tolerationSeconds === undefined) || taint.timeAdded === undefined) return Infinity;
  const said = matching.map(({ tolerationSeconds = 0 }) => Math.max(0, tolerationSeconds));
  const seconds = said.length === 0 ? failoverOf(subscription).tolerationSeconds : Math.min(...said);
  const since = Date.parse(taint.timeAdded);
  const from = taint.key === taints.unschedulable ? Math.max(since, notBefore) : since;
  return from + seconds * 1_000;
}

function nameOf({ key, value = "", effect }: Taint): string {
  return value === "" ? `${key}:${effect}` : `${key}=${value}:${effect}`;
}
