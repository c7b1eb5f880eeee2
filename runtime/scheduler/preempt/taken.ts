// What Subscriptions of higher priority take from one of lower priority: as its decision reads it, and as its status remembers it. Pure.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { FeedDivision } from "#scheduler/decision.ts";
import { shortList } from "#std/short-list.ts";
import type { Lost } from "./room.ts";

/** Of one Subscription; the oldest go. */
const LOST_MAX = 20;
/** Names in a message; the rest is a number. */
const SHOWN_MAX = 3;

export function preemptorText({ metadata, spec }: Subscription): string {
  return `${metadata.namespace ?? ""}/${metadata.name} (priority ${String(spec.priority ?? 0)})`;
}

/** What was lost before and is lost with these divisions; nothing as soon as every replica is placed again. */
export function lostAfter({ status }: Subscription, divisions: readonly FeedDivision[]): readonly Lost[] {
  if (divisions.every(({ placed, desired }) => placed >= desired)) return [];
  const lost = [...(status?.preempted ?? [])];
  for (const { cluster, feed, by, replicas } of givenIn(divisions)) {
    const index = lost.findIndex((each) => each.cluster === cluster && each.feed === feed && each.by === by);
    const before = index === -1 ? 0 : (lost.splice(index, 1)[0]?.replicas ?? 0);
    lost.push({ cluster, feed, by, replicas: before + replicas });
  }
  return lost.slice(-LOST_MAX);
}

/** What is given up with these divisions. */
export function givenIn(divisions: readonly FeedDivision[]): readonly Lost[] {
  return divisions.flatMap(({ feed, shares }) =>
    shares.flatMap(({ cluster, given }) => (given === undefined ? [] : [{ cluster, feed, ...given }])),
  );
}

export function lostText(lost: readonly Lost[]): string {
  const texts = lost.map(({ cluster, feed, replicas, by }) => `${by} took ${String(replicas)} of ${feed} in ${cluster}`);
  return shortList(texts, SHOWN_MAX).join(", ");
}
