// Of a large fleet, only some of the clusters that fit are scored and divided over (`percentageOfClustersToScore`). Pure.
//
// (ENO-1) Who is bound is always among them, and fills the share first: the same clusters come out of the next decision.
// (ENO-2) Each Subscription begins to look at a place of its own, so that not all of them end on the first clusters.

import { fnv1a32 } from "#api/apps/v1alpha1/spec-hash.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { Verdict } from "./decision.ts";
import type { Candidate, SchedulingOptions } from "./plugin.ts";

/** A smaller fleet is scored as a whole, as upstream's. */
const CLUSTERS_MIN = 100;

const enough: Verdict = {
  type: "reject",
  plugin: "percentageOfClustersToScore",
  reason: "enough other clusters were found",
};

interface Judged {
  readonly said: { readonly cluster: string; readonly verdict: Verdict };
  readonly candidate?: Candidate;
}

/** A Replication goes to every cluster that fits, and each subgroup needs its own: nothing is left out of those. */
export function withEnough<T extends Judged>(
  judged: readonly T[],
  { spec, metadata }: Subscription,
  { percentageOfClustersToScore: share }: SchedulingOptions,
): readonly (T | Judged)[] {
  const needsAll = spec.schedulingStrategy === "Replication" || spec.schedulingBySubGroup === true;
  if (needsAll || share === 0 || share >= 100 || judged.length <= CLUSTERS_MIN) return judged;
  const candidates = judged.flatMap(({ candidate }) => candidate ?? []);
  const wanted = Math.max(CLUSTERS_MIN, Math.floor((judged.length * share) / 100));
  const fresh = Math.max(0, wanted - candidates.filter(({ wasBound }) => wasBound).length);
  const start = fnv1a32(metadata.uid ?? metadata.name) % Math.max(1, candidates.length);
  const ring = [...candidates.slice(start), ...candidates.slice(0, start)].filter(({ wasBound }) => !wasBound);
  if (ring.length <= fresh) return judged;
  const left = new Set(ring.slice(fresh));
  return judged.map((one) =>
    one.candidate !== undefined && left.has(one.candidate) ? { said: { cluster: one.said.cluster, verdict: enough } } : one,
  );
}
