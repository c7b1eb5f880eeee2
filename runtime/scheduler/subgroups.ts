// schedulingBySubGroup: each subscriber is a group that gets subGroupStrategy.minClusters clusters of its own. Pure.
//
// (SUB-1) A cluster counts for one group.
// (SUB-2) Who is bound stays before anybody comes; a silent or tainted one counts, and is let go only when a group wants fewer.
// (SUB-3) No group lacks a cluster that another could spare: a cluster that several groups match is moved to where it is needed.
// (SUB-4) Of those that may come, the best by score come first, ties by key.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { compareText } from "#std/compare-text.ts";
import type { Problem } from "./decision.ts";
import type { Candidate } from "./plugin.ts";

export type SubGroupReason =
  | "InvalidSubGroups" // a subscriber does not say how many clusters its group gets
  | "TooFewClusters"; // fewer clusters fit than the groups ask for; those that fit are bound

export type SubGroups =
  | { readonly type: "refused"; readonly reason: SubGroupReason; readonly message: string }
  | {
      readonly type: "chosen";
      /** Of the candidates, in their order. */
      readonly candidates: readonly Candidate[];
      /** Why the others are left out, by key. */
      readonly left: Readonly<Record<string, string>>;
      readonly shortfall?: Problem;
    };

export function chooseBySubGroup({ spec }: Subscription, candidates: readonly Candidate[]): SubGroups {
  const sizes = spec.subscribers.map(({ subGroupStrategy }) => subGroupStrategy?.minClusters);
  const missing = sizes.indexOf(undefined);
  if (missing !== -1) {
    const message = `subscribers[${String(missing)}].subGroupStrategy.minClusters is missing: say how many clusters of this group to use`;
    return { type: "refused", reason: "InvalidSubGroups", message };
  }
  const groups = sizes.map((size = 0): Group => ({ size, members: [] }));
  for (const candidate of candidates.toSorted(preferredFirst)) place(candidate, { groups, visited: new Set() });
  const chosen = new Set(groups.flatMap(({ members }) => members));
  const left = candidates.filter((candidate) => !chosen.has(candidate));
  const short = groups.flatMap(({ size, members }, index) =>
    members.length < size ? [`subscribers[${String(index)}] has ${String(members.length)} of ${String(size)} clusters`] : [],
  );
  const reason: SubGroupReason = "TooFewClusters";
  return {
    type: "chosen",
    candidates: candidates.filter((candidate) => chosen.has(candidate)),
    left: Object.fromEntries(left.map(({ cluster }) => [cluster.key, "its groups have enough clusters"])),
    ...(short.length === 0 ? {} : { shortfall: { reason, message: short.join(", ") } }),
  };
}

interface Group {
  readonly size: number;
  readonly members: Candidate[];
}

interface Placing {
  readonly groups: readonly Group[];
  readonly visited: Set<number>;
}

/** Into the first of its groups that has room, or in which somebody can make room by going to another. Who has a place keeps one. */
function place(candidate: Candidate, placing: Placing): boolean {
  for (const index of candidate.subscribers) {
    const group = placing.groups[index];
    if (group === undefined || placing.visited.has(index)) continue;
    placing.visited.add(index);
    if (group.members.length < group.size) {
      group.members.push(candidate);
      return true;
    }
    const mover = group.members.findIndex((member) => place(member, placing));
    if (mover === -1) continue;
    group.members[mover] = candidate;
    return true;
  }
  return false;
}

function preferredFirst(a: Candidate, b: Candidate): number {
  return rank(a) - rank(b) || b.score - a.score || compareText(a.cluster.key, b.cluster.key);
}

function rank({ wasBound, unfit }: Candidate): number {
  if (!wasBound) return 2;
  return unfit === undefined ? 0 : 1;
}
