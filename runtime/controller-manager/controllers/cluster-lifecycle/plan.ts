// Heartbeat age -> condition and taints of a ManagedCluster. Pure. The age is measured on the parent: the child's clock plays no part.
//
// (LIF-1) Only silence makes Ready Unknown; what the agent says about itself is the agent's.
// (LIF-2) A taint goes only if its value is one of the reasons that we give: an administrator's taint of the same key stays.
// (LIF-3) Silence only keeps new work away. Nothing is deleted or unbound here.
// (LIF-4) Every NoExecute taint says since when it is there, also an administrator's: toleration in seconds is counted from then.

import type { Taint } from "#api/core-types.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { annotations, conditionReasons, conditionTypes, taints } from "#api/names.ts";
import type { Condition } from "#api/meta.ts";
import { findCondition, rfc3339, setCondition } from "#kube/conditions.ts";
import { deepEqual } from "#std/canonical-json.ts";

const GRACE_PERIODS = 3;
/** For an agent that does not say how often it reports. */
const GRACE_DEFAULT_MS = 9 * 60_000;
/** A very frequent reporter may still be late by a garbage collection or a leader election. */
const GRACE_MIN_MS = 10_000;

export interface HeartbeatView {
  /** How long ago the parent saw the last new report, or the cluster itself when there was none. */
  readonly ageMs: number;
  /** Milliseconds since the epoch, for condition times. */
  readonly now: number;
}

export interface LifecyclePlan {
  /** The whole list, when it must change. */
  readonly conditions?: readonly Condition[];
  /** Health that nobody vouches for any more. */
  readonly health?: { readonly healthz: false; readonly livez: false; readonly readyz: false };
  /** The whole list, when it must change. */
  readonly taints?: readonly Taint[];
  readonly checkAgainInMs: number;
  readonly reason: string;
}

export function planLifecycle(cluster: ManagedCluster, { ageMs, now }: HeartbeatView): LifecyclePlan {
  const graceMs = heartbeatGraceMs(cluster);
  const isSilent = ageMs >= graceMs;
  const before = cluster.status?.conditions;
  const conditions = withClusterInit(isSilent ? withSilence(cluster, { graceMs, now }) : (before ?? []), now);
  const wantedTaints = withTaints(cluster.spec.taints ?? [], findCondition(conditions, conditionTypes.ready), now);
  const isVouchedFor = cluster.status?.healthz === true || cluster.status?.livez === true || cluster.status?.readyz === true;
  return {
    ...(deepEqual(conditions, before ?? []) ? {} : { conditions }),
    ...(isSilent && isVouchedFor ? { health: { healthz: false, livez: false, readyz: false } } : {}),
    ...(deepEqual(wantedTaints, cluster.spec.taints ?? []) ? {} : { taints: wantedTaints }),
    checkAgainInMs: isSilent ? graceMs : Math.max(1_000, graceMs - ageMs),
    reason: isSilent ? `no report for ${String(Math.round(ageMs / 1_000))} s` : "reports arrive",
  };
}

function heartbeatGraceMs({ status }: ManagedCluster): number {
  const seconds = status?.heartbeatFrequencySeconds;
  return seconds === undefined ? GRACE_DEFAULT_MS : Math.max(GRACE_MIN_MS, GRACE_PERIODS * seconds * 1_000);
}

function withSilence(
  { status }: ManagedCluster,
  { graceMs, now }: { readonly graceMs: number; readonly now: number },
): readonly Condition[] {
  const neverReported = status?.lastObservedTime === undefined;
  const grace = `${String(Math.round(graceMs / 1_000))} s`;
  return setCondition(
    status?.conditions,
    {
      type: conditionTypes.ready,
      status: "Unknown",
      reason: neverReported ? conditionReasons.clusterStatusNeverUpdated : conditionReasons.clusterStatusUnknown,
      message: neverReported ? `The agent has not reported within ${grace}` : `The agent has not reported for more than ${grace}`,
    },
    now,
  );
}

/** There is no initial workload to wait for yet; upstream's readers expect the condition all the same. */
function withClusterInit(conditions: readonly Condition[], now: number): readonly Condition[] {
  if (findCondition(conditions, conditionTypes.clusterInit) !== undefined) return conditions;
  return setCondition(
    conditions,
    {
      type: conditionTypes.clusterInit,
      status: "True",
      reason: conditionReasons.clusterInitDisabled,
      message: `No initial workload is wanted (see ${annotations.clusterInitBase})`,
    },
    now,
  );
}

const OUR_KEY = taints.unschedulable;
/** The first keeps new work away; of the second, failover of a Subscription that declares it measures how long that lasts. */
const OUR_EFFECTS: readonly Taint["effect"][] = ["NoSchedule", "NoExecute"];
const OUR_REASONS: readonly string[] = [
  conditionReasons.clusterStatusNeverUpdated,
  conditionReasons.clusterStatusUnknown,
  conditionReasons.managedClusterNotReady,
];

function withTaints(existing: readonly Taint[], ready: Condition | undefined, now: number): readonly Taint[] {
  const others = existing.filter((taint) => !isOurs(taint)).map((taint) => timed(taint, now));
  // No report yet: nothing is known, and the scheduler asks for Ready=True anyway.
  if (ready === undefined || ready.status === "True") return others;
  const reason = OUR_REASONS.includes(ready.reason) ? ready.reason : conditionReasons.managedClusterNotReady;
  const effects = OUR_EFFECTS.filter((effect) => !others.some(({ key, effect: other }) => key === OUR_KEY && other === effect));
  const wanted = effects.map((effect): Taint => {
    const before = existing.find((taint) => isOurs(taint) && taint.effect === effect);
    // Another reason for not working is not another beginning.
    const timeAdded = before?.timeAdded ?? rfc3339(now);
    return { key: OUR_KEY, value: reason, effect, ...(effect === "NoExecute" ? { timeAdded } : {}) };
  });
  // In place when they are there, so that nothing changes.
  const isSettled =
    wanted.length === existing.filter(isOurs).length && wanted.every((taint) => existing.some((has) => deepEqual(has, taint)));
  return isSettled ? existing.map((taint) => timed(taint, now)) : [...others, ...wanted];
}

/** LIF-4 */
function timed(taint: Taint, now: number): Taint {
  return taint.effect === "NoExecute" && taint.timeAdded === undefined ? { ...taint, timeAdded: rfc3339(now) } : taint;
}

function isOurs({ key, effect, value }: Taint): boolean {
  return key === OUR_KEY && OUR_EFFECTS.includes(effect) && value !== undefined && OUR_REASONS.includes(value);
}
