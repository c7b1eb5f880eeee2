// May a cluster take part in a rebalance, and is the Subscription at rest? Pure.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { untolerated } from "#kube/tolerations.ts";
import type { BoundDecision, Verdict } from "#scheduler/decision.ts";
import type { Profile } from "#scheduler/profile.ts";
import type { Snapshot } from "#scheduler/snapshot.ts";
import { deepEqual } from "#std/canonical-json.ts";

/** Says no in the name of schedulingBySubGroup. */
const SUBGROUPS = "SubGroups";

interface Standing {
  readonly key: string;
  readonly snapshot: Snapshot;
  readonly profile: Profile;
  readonly base: BoundDecision;
}

/** It works, nothing keeps work away from it, and no plugin says that it stays bound only because it was. */
export function isFit(subscription: Subscription, standing: Standing): boolean {
  return whyUnfit(subscription, standing) === undefined;
}

export function whyUnfit({ spec }: Subscription, { key, snapshot, profile, base }: Standing): string | undefined {
  const cluster = snapshot.get(key);
  if (cluster === undefined || cluster.isDeleting) return `${key} is gone`;
  if (cluster.ready !== "True") return `${key} is not ready`;
  const taint = untolerated(cluster.taints, spec.clusterTolerations ?? []);
  if (taint !== undefined) return `${key} has taint ${taint.key}`;
  const verdict = verdictsOf(base).get(key);
  if (verdict === undefined) return `${key} is not selected`;
  if (verdict.type === "keep") return verdict.despite === undefined ? undefined : `${key}: ${verdict.despite}`;
  if (verdict.type === "unbind") return `${key}: ${verdict.reason}`;
  // Who was only not chosen may be chosen.
  const isLeftOver =
    verdict.type === "bind" || verdict.plugin === SUBGROUPS || profile.plugins.assign.some(({ name }) => name === verdict.plugin);
  return isLeftOver ? undefined : `${key}: ${verdict.reason}`;
}

const verdictsByDecision = new WeakMap<BoundDecision, ReadonlyMap<string, Verdict>>();

/** Every cluster of a large fleet is looked at several times. */
function verdictsOf(base: BoundDecision): ReadonlyMap<string, Verdict> {
  const known = verdictsByDecision.get(base);
  if (known !== undefined) return known;
  const made = new Map(base.verdicts.map(({ cluster, verdict }) => [cluster, verdict]));
  verdictsByDecision.set(base, made);
  return made;
}

/** Why nothing is planned on top of this decision; undefined: all is as the status says. */
export function notSettled(subscription: Subscription, base: BoundDecision): string | undefined {
  const { clusters, failover, shortfall } = base;
  if (failover?.moves.some(({ phase }) => phase !== "Left") === true) return "failover moves its work";
  if (shortfall !== undefined && shortfall.reason !== "SpreadNotMet") return shortfall.message;
  if (clusters.length === 0) return "it is bound to no cluster";
  return isAtRest(subscription, base) ? undefined : "its bindings are changing";
}

/** The decision changes nothing. */
export function isAtRest({ status }: Subscription, { clusters, replicas }: BoundDecision): boolean {
  return deepEqual(status?.bindingClusters, clusters) && deepEqual(status?.replicas, replicas);
}
