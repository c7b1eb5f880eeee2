// planLifecycle: heartbeat age -> condition and taints.
import { describe, expect, test } from "@jest/globals";
import type { Taint } from "#api/core-types.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { taints } from "#api/names.ts";
import type { Condition } from "#api/meta.ts";
import { planLifecycle } from "./plan.ts";

const NOW = Date.UTC(2026, 0, 1, 12);
const HEARTBEAT_SECONDS = 60;
const GRACE_MS = 180_000;

const ready = (status: Condition["status"], reason = "ManagedClusterReady"): Condition => ({
  type: "Ready",
  status,
  reason,
  message: "m",
  lastTransitionTime: "2026-01-01T00:00:00Z",
});
const init: Condition = {
  type: "ClusterInit",
  status: "True",
  reason: "ClusterInitDisabled",
  message: "m",
  lastTransitionTime: "2026-01-01T00:00:00Z",
};
const ours = (value: string): Taint => ({ key: taints.unschedulable, value, effect: "NoSchedule" });
const clock = (value: string, timeAdded = "2026-01-01T12:00:00Z"): Taint => ({
  key: taints.unschedulable,
  value,
  effect: "NoExecute",
  timeAdded,
});

function aCluster({
  conditions = [ready("True"), init],
  taints: list = [],
  observed = "2026-01-01T11:59:00Z",
  ...status
}: {
  readonly conditions?: readonly Condition[];
  readonly taints?: readonly Taint[];
  readonly observed?: string | null;
  readonly healthz?: boolean;
  readonly heartbeatFrequencySeconds?: number;
} = {}): ManagedCluster {
  return {
    apiVersion: "clusters.clusternet.io/v1beta1",
    kind: "ManagedCluster",
    metadata: { name: "paris", namespace: "paris-home" },
    spec: { clusterId: "x", syncMode: "Pull", taints: list },
    status: {
      heartbeatFrequencySeconds: HEARTBEAT_SECONDS,
      conditions,
      ...(observed === null ? {} : { lastObservedTime: observed }),
      ...status,
    },
  };
}

describe("planLifecycle", () => {
  test("changes nothing while reports arrive, and looks again when the grace period would end", () => {
    expect(planLifecycle(aCluster(), { ageMs: 60_000, now: NOW })).toEqual({
      checkAgainInMs: GRACE_MS - 60_000,
      reason: "reports arrive",
    });
  });

  test("makes a silent cluster Unknown, unhealthy and unschedulable", () => {
    const plan = planLifecycle(aCluster({ healthz: true }), { ageMs: GRACE_MS, now: NOW });
    expect(plan.conditions).toContainEqual(
      expect.objectContaining({
        type: "Ready",
        status: "Unknown",
        reason: "ClusterStatusUnknown",
        lastTransitionTime: "2026-01-01T12:00:00Z",
      }),
    );
    expect(plan.health).toEqual({ healthz: false, livez: false, readyz: false });
    expect(plan.taints).toEqual([ours("ClusterStatusUnknown"), clock("ClusterStatusUnknown")]);
  });

  test("says so when a cluster never reported", () => {
    const plan = planLifecycle(aCluster({ observed: null, conditions: [init] }), { ageMs: GRACE_MS, now: NOW });
    expect(plan.conditions).toContainEqual(expect.objectContaining({ status: "Unknown", reason: "ClusterStatusNeverUpdated" }));
  });

  test("a settled silent cluster costs no write", () => {
    const silent = aCluster({
      conditions: [ready("Unknown", "ClusterStatusUnknown"), init],
      taints: [clock("ClusterStatusUnknown", "2026-01-01T11:00:00Z"), ours("ClusterStatusUnknown")],
    });
    const first = planLifecycle(silent, { ageMs: GRACE_MS * 5, now: NOW });
    const settled = { ...silent, status: { ...silent.status, conditions: first.conditions ?? silent.status?.conditions ?? [] } };
    expect(planLifecycle(settled, { ageMs: GRACE_MS * 9, now: NOW + 1 })).toEqual({
      checkAgainInMs: GRACE_MS,
      reason: expect.stringMatching(/no report/),
    });
  });

  const taintCases: readonly {
    it: string;
    before: readonly Taint[];
    condition: Condition;
    after: readonly Taint[] | undefined;
  }[] = [
    {
      it: "adds ours when the agent says NotReady",
      before: [],
      condition: ready("False", "ManagedClusterNotReady"),
      after: [ours("ManagedClusterNotReady"), clock("ManagedClusterNotReady")],
    },
    { it: "removes ours when it is Ready again", before: [ours("ClusterStatusUnknown")], condition: ready("True"), after: [] },
    {
      it: "removes all of ours at once",
      before: [ours("ClusterStatusUnknown"), ours("ManagedClusterNotReady"), clock("ClusterStatusUnknown")],
      condition: ready("True"),
      after: [],
    },
    {
      it: "keeps an administrator's taint of the same key",
      before: [ours("maintenance")],
      condition: ready("True"),
      after: undefined,
    },
    {
      it: "keeps other taints when it removes ours",
      before: [{ key: "gpu", effect: "NoSchedule" }, ours("ClusterStatusUnknown")],
      condition: ready("True"),
      after: [{ key: "gpu", effect: "NoSchedule" }],
    },
    {
      it: "adds none beside an administrator's of the same effect",
      before: [ours("maintenance")],
      condition: ready("False", "ManagedClusterNotReady"),
      after: [ours("maintenance"), clock("ManagedClusterNotReady")],
    },
    {
      it: "replaces their reason, and still says since when",
      before: [ours("ClusterStatusUnknown"), clock("ClusterStatusUnknown", "2026-01-01T11:00:00Z")],
      condition: ready("False", "ManagedClusterNotReady"),
      after: [ours("ManagedClusterNotReady"), clock("ManagedClusterNotReady", "2026-01-01T11:00:00Z")],
    },
    {
      it: "says since when an administrator's NoExecute taint is there",
      before: [{ key: "disks", effect: "NoExecute" }],
      condition: ready("True"),
      after: [{ key: "disks", effect: "NoExecute", timeAdded: "2026-01-01T12:00:00Z" }],
    },
    {
      it: "says that only once, also beside ours",
      before: [
        { key: "disks", effect: "NoExecute", timeAdded: "2026-01-01T10:00:00Z" },
        ours("ManagedClusterNotReady"),
        clock("ManagedClusterNotReady", "2026-01-01T11:00:00Z"),
      ],
      condition: ready("False", "ManagedClusterNotReady"),
      after: undefined,
    },
  ];
  test.each(taintCases)("$it", ({ before, condition, after }) => {
    expect(planLifecycle(aCluster({ taints: before, conditions: [condition, init] }), { ageMs: 0, now: NOW }).taints).toEqual(
      after,
    );
  });

  test("waits nine minutes for an agent that does not say how often it reports", () => {
    const cluster = aCluster();
    const quiet = { ...cluster, status: { conditions: [ready("True"), init], lastObservedTime: "2026-01-01T11:59:00Z" } };
    expect(planLifecycle(quiet, { ageMs: 9 * 60_000 - 1, now: NOW }).conditions).toBeUndefined();
    expect(planLifecycle(quiet, { ageMs: 9 * 60_000, now: NOW }).conditions).toBeDefined();
  });
});
