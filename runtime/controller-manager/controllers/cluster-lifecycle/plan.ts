// Heartbeat age -> condition and taints of a ManagedCluster. Pure. The age is measured on the parent: the child's clock plays no part.
//
// (LIF-1) Only silence makes Ready Unknown; what the agent says about itself is the agent's.
// (LIF-2) A taint goes only if its value is one of the reasons that we give: an administrator's taint of the same key stays.
// (LIF-3) Silence only keeps new work away. Nothing is deleted or unbound here.

import type { Taint } from "#api/core-types.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { annotations, conditionReasons, conditionTypes, taints } from "#api/names.ts";
import type { Condition } from "#api/meta.ts";
import { findCondition, setCondition } from "#kube/conditions.ts";
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
  const wantedTaints = withTaint(cluster.spec.taints ?? [], findCondition(conditions, conditionTypes.ready));
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

const OUR_REASONS: readonly string[] = [
  conditionReasons.clusterStatusNeverUpdated,
  conditionReasons.clusterStatusUnknown,
  conditionReasons.managedClusterNotReady,
];

function withTaint(existing: readonly Taint[], ready: Condition | undefined): readonly Taint[] {
  const others = existing.filter((taint) => !isOurs(taint));
  // No report yet: nothing is known, and the scheduler asks for Ready=True anyway.
  if (ready === undefined || ready.status === "True") return others;
  const isTainted = others.some(({ key, effect }) => key === taints.unschedulable && effect === "NoSchedule");
  if (isTainted) return others;
  const reason = OUR_REASONS.includes(ready.reason) ? ready.reason : conditionReasons.managedClusterNotReady;
  const current = existing.find((taint) => isOurs(taint) && taint.value === reason);
  // In place when it is there, so that nothing changes.
  if (current !== undefined) return existing.filter((taint) => taint === current || !isOurs(taint));
  return [...others, { key: taints.unschedulable, value: reason, effect: "NoSchedule" }];
}

function isOurs({ key, effect, value }: Taint): boolean {
  return key === taints.unschedulable && effect === "NoSchedule" && value !== undefined && OUR_REASONS.includes(value);
}
