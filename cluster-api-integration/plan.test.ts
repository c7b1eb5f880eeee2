import { describe, expect, test } from "@jest/globals";
import { finalizers } from "#api/names.ts";
import { isControlPlaneReady, isPaused, kubeconfigSecretName, meaningfulLabels, type CapiCluster } from "./contract.ts";
import { isMadeFor, nameCandidates } from "./names.ts";
import { labelsTextOf, planCluster, type ClusterFacts } from "./plan.ts";
import { readSettings } from "./settings.ts";

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

describe("Both versions of the contract", () => {
  test.each([
    ["v1beta2, ready", v1beta2, true],
    ["v1beta2, not ready", { initialization: { controlPlaneInitialized: false } }, false],
    ["v1beta2, provisioning", { initialization: {} }, false],
    ["v1beta1, ready", { controlPlaneReady: true }, true],
    ["v1beta1, not ready", { controlPlaneReady: false }, false],
    ["nothing yet", undefined, false],
  ])("%s", (_what, status, ready) => {
    expect(isControlPlaneReady(status === undefined ? { ...aCluster(), status: {} } : aCluster({ status }))).toBe(ready);
  });

  test("paused by its field or by its annotation", () => {
    const { metadata } = aCluster();
    expect(isPaused(aCluster())).toBe(false);
    expect(isPaused(aCluster({ spec: { paused: true } }))).toBe(true);
    expect(isPaused(aCluster({ metadata: { ...metadata, annotations: { "cluster.x-k8s.io/paused": "" } } }))).toBe(true);
  });

  test("labels of machinery are no labels of the cluster", () => {
    const labels = {
      stage: "demo",
      "example.com/team": "a",
      "cluster.x-k8s.io/cluster-name": "oslo",
      "topology.cluster.x-k8s.io/owned": "",
      "app.kubernetes.io/name": "x",
      "clusters.clusternet.io/cluster-id": "y",
      "notk8s.io/z": "kept",
    };
    const cluster = aCluster({ metadata: { ...aCluster().metadata, labels } });
    expect(meaningfulLabels(cluster)).toEqual({ stage: "demo", "example.com/team": "a", "notk8s.io/z": "kept" });
  });

  test("the order of labels changes nothing", () => {
    const text = (labels: Record<string, string>): string => labelsTextOf(aCluster({ metadata: { name: "x", labels } }));
    expect(text({ b: "2", a: "1" })).toBe(text({ a: "1", b: "2" }));
  });

  test("the Secret's name", () => {
    expect(kubeconfigSecretName("oslo")).toBe("oslo-kubeconfig");
  });
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
    ["uninstalling, not ours", { settings: "uninstalling", isOurs: false }, "ignore"],
    ["paused", { ...NOT_INSTALLED, cluster: paused }, "wait"],
    ["paused and being deleted, as a move does", { cluster: { ...gone, spec: { paused: true } } }, "wait"],
    ["paused while uninstalling", { cluster: paused, settings: "uninstalling" }, "remove"],
  ])("%s", (_what, more, type) => {
    expect(planCluster(facts(more)).type).toBe(type);
  });
});

describe("Names", () => {
  const names = (key: string): string[] => nameCandidates(key).map(({ clusterName }) => clusterName);

  test("the Cluster's own, else one with a hash of its namespace", () => {
    expect(names("default/oslo")[0]).toBe("oslo");
    expect(names("default/oslo")[1]).toMatch(/^oslo-[0-9a-f]{8}$/);
    expect(names("a/oslo")[1]).not.toBe(names("b/oslo")[1]);
  });

  test("never one whose namespace is ours", () => {
    for (const name of ["system", "reserved", "joining"])
      expect(names(`default/${name}`)).toEqual([expect.stringMatching(/-[0-9a-f]{8}$/)]);
  });

  test("at most 30 characters, also of a long name", () => {
    for (const name of names(`default/${"long-".repeat(12)}x`)) expect(name.length).toBeLessThanOrEqual(30);
  });

  test("belongs to a Cluster only what says so", () => {
    const made = {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "x", annotations: { "clusters.clusternet.io/cluster-api-cluster": "a/b" } },
    };
    expect(isMadeFor("a/b", made)).toBe(true);
    expect(isMadeFor("a/c", made)).toBe(false);
    expect(isMadeFor("a/b", { ...made, metadata: { name: "x" } })).toBe(false);
  });
});

describe("Settings", () => {
  const data = { image: "i", parentURL: "https://p:6443", "ca.crt": "" };
  const held = { name: "s", finalizers: [finalizers.clusterApi] };

  test("are ready only when they are whole and held", () => {
    expect(readSettings({ metadata: held, data })).toMatchObject({
      state: "ready",
      settings: { image: "i", parentCaPem: undefined },
    });
    expect(readSettings({ metadata: { name: "s" }, data })).toEqual({ state: "pending" });
    expect(readSettings(undefined)).toEqual({ state: "missing" });
  });

  test("say what is wrong with them", () => {
    expect(readSettings({ metadata: held, data: { image: "", parentURL: "http://p" } })).toMatchObject({
      state: "invalid",
      problem: expect.stringMatching(/image.*parentURL/s),
    });
    expect(readSettings({ metadata: held })).toMatchObject({ state: "invalid" });
  });

  test("that are being deleted are an instruction, whatever they hold", () => {
    expect(readSettings({ metadata: { ...held, deletionTimestamp: "2026-01-01T00:00:00Z" } })).toEqual({ state: "uninstalling" });
  });
});
