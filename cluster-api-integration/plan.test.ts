// What is done with a Cluster, given everything that is known about it.

import { describe, expect, test } from "@jest/globals";
import type { CapiCluster } from "./contract.ts";
import { labelsTextOf, planCluster, type ClusterFacts } from "./plan.ts";

const HOUR_MS = 3_600_000;
const v1beta2 = { initialization: { controlPlaneInitialized: true } };

const aCluster = (more: Partial<CapiCluster> & { readonly deleted?: boolean } = {}): CapiCluster => ({
  apiVersion: "cluster.x-k8s.io/v1beta2",
  kind: "Cluster",
  metadata: {
    name: "oslo",
    namespace: "default",
    labels: { stage: "demo" },
    ...(more.deleted === true ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
  },
  status: v1beta2,
  ...more,
});

const installed = { hash: "h", labelsText: '{"stage":"demo"}', tokenExpiresAtMs: 24 * HOUR_MS };
const NOT_INSTALLED = { isInstalled: false } as const;
const facts = ({ isInstalled = true, ...more }: Partial<ClusterFacts> & { readonly isInstalled?: boolean }): ClusterFacts => ({
  cluster: aCluster(),
  settings: "ready",
  isOurs: true,
  ...(isInstalled ? { installed } : {}),
  wantedHash: "h",
  isRegistered: false,
  nowMs: 0,
  ...more,
});

describe("What to do with a Cluster", () => {
  const gone = aCluster({ deleted: true });
  const paused = aCluster({ spec: { paused: true } });
  test.each<[string, Parameters<typeof facts>[0], string]>([
    ["ready, nothing installed", NOT_INSTALLED, "install"],
    ["not ready", { cluster: aCluster({ status: {} }) }, "wait"],
    ["not ready any more, installed: no instruction", { cluster: aCluster({ status: { controlPlaneReady: false } }) }, "wait"],
    ["settled", {}, "settled"],
    ["another image", { wantedHash: "other" }, "install"],
    ["labels changed", { installed: { ...installed, labelsText: "{}" } }, "relabel"],
    ["not joined, and its token ends soon", { nowMs: 23.5 * HOUR_MS }, "install"],
    ["joined, and its first token has long ended", { nowMs: 99 * HOUR_MS, isRegistered: true }, "settled"],
    ["being deleted, ours", { cluster: gone }, "remove"],
    ["being deleted, not ours", { cluster: gone, isOurs: false }, "ignore"],
    ["being deleted while settings are missing", { cluster: gone, settings: "missing" }, "remove"],
    ["being deleted while settings are broken", { cluster: gone, settings: "invalid" }, "remove"],
    ["settings missing", { settings: "missing" }, "wait"],
    ["settings broken", { settings: "invalid" }, "wait"],
    ["settings not held yet", { ...NOT_INSTALLED, settings: "pending" }, "wait"],
    ["uninstalling, ours", { settings: "uninstalling" }, "remove"],
    ["uninstalling, not ours", { ...NOT_INSTALLED, settings: "uninstalling", isOurs: false }, "ignore"],
    ["uninstalling, and somebody took our finalizer off", { settings: "uninstalling", isOurs: false }, "remove"],
    ["paused", { ...NOT_INSTALLED, cluster: paused }, "wait"],
    ["paused and being deleted, as a move does", { cluster: { ...gone, spec: { paused: true } } }, "wait"],
    ["paused while uninstalling", { cluster: paused, settings: "uninstalling" }, "remove"],
  ])("%s", (_what, more, type) => {
    expect(planCluster(facts(more)).type).toBe(type);
  });

  test("every plan that is none yet, or changes something, says why", () => {
    const reason = (more: Parameters<typeof facts>[0]): unknown => {
      const plan = planCluster(facts(more));
      return "reason" in plan ? plan.reason : undefined;
    };
    expect(reason({ settings: "missing" })).toBe("the integration's settings are missing");
    expect(reason({ wantedHash: "other" })).toBe("what we install has changed");
    expect(reason({ ...NOT_INSTALLED, cluster: paused })).toBe("the Cluster is paused");
  });
});

test("the order of labels changes nothing", () => {
  const text = (labels: Record<string, string>): string => labelsTextOf(aCluster({ metadata: { name: "x", labels } }));
  expect(text({ b: "2", a: "1" })).toBe(text({ a: "1", b: "2" }));
});
