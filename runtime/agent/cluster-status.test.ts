// clusterStatus: what is observed of a cluster becomes the status of its ManagedCluster.
import { describe, expect, test } from "@jest/globals";
import type { Node, Pod } from "#kube/builtin-kinds.ts";
import { clusterStatus, flagValue, readyCondition, type AgentFacts, type ClusterObservation } from "./cluster-status.ts";

const facts: AgentFacts = {
  agentVersion: "0.1.0",
  apiserverUrl: "https://10.0.0.1:443",
  allowPush: false,
  predictor: false,
  reportFrequencyMs: 180_000,
  clusterCidr: "",
  serviceCidr: "",
};

const aNode = (ready: string | undefined, capacity: Record<string, string> = {}): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: "n" },
  status: {
    capacity,
    allocatable: capacity,
    conditions: ready === undefined ? [] : [{ type: "Ready", status: ready as "True" }],
  },
});

const aPod = (labels: Record<string, string>, command: string[]): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", labels },
  spec: { containers: [{ name: "c", command }] },
});

const observed = (more: Partial<ClusterObservation> = {}): ClusterObservation => ({
  observedAtMs: Date.UTC(2026, 0, 1),
  version: { gitVersion: "v1.36.3", platform: "linux/amd64" },
  health: { healthz: true, livez: true, readyz: true },
  nodes: [],
  systemPods: [],
  ...more,
});

describe("clusterStatus", () => {
  test("counts nodes by their Ready condition", () => {
    const nodes = [aNode("True"), aNode("True"), aNode("False"), aNode("Unknown"), aNode(undefined)];
    expect(clusterStatus(observed({ nodes }), facts).nodeStatistics).toEqual({
      readyNodes: 2,
      notReadyNodes: 1,
      unknownNodes: 1,
      lostNodes: 1,
    });
  });

  test("sums cpu, memory and GPUs, and nothing else", () => {
    const nodes = [
      aNode("True", { cpu: "4", memory: "16Gi", pods: "110" }),
      aNode("True", { cpu: "500m", memory: "512Mi", "nvidia.com/gpu": "2" }),
    ];
    expect(clusterStatus(observed({ nodes }), facts).capacity).toEqual({
      cpu: "4500m",
      memory: "16896Mi",
      "nvidia.com/gpu": "2",
    });
  });

  test("says how often it reports, when it looked, and what runs", () => {
    expect(clusterStatus(observed(), facts)).toMatchObject({
      heartbeatFrequencySeconds: 180,
      lastObservedTime: "2026-01-01T00:00:00Z",
      k8sVersion: "v1.36.3",
      platform: "linux/amd64",
      healthz: true,
      useSocket: true,
      appPusher: false,
    });
  });

  test.each([
    [{ predictor: false }, { predictorEnabled: false, predictorDirectAccess: false }],
    [{ predictor: true }, { predictorEnabled: true, predictorDirectAccess: false, predictorAddress: "http://predictor" }],
    [
      { predictor: true, predictorDirectUrl: "https://paris:8080" },
      { predictorEnabled: true, predictorDirectAccess: true, predictorAddress: "https://paris:8080" },
    ],
  ])("says where its capacity is asked for: %j", (more, says) => {
    expect(clusterStatus(observed(), { ...facts, ...more })).toMatchObject(says);
  });

  test("publishes usage only when a metrics server told it", () => {
    expect(clusterStatus(observed(), facts)).not.toHaveProperty("resourceUsage");
    const usage = {
      pods: [{ containers: 1 }, { containers: 0 }],
      nodes: [
        { cpu: "250m", memory: "1Gi" },
        { cpu: "1", memory: "1Gi" },
      ],
    };
    expect(clusterStatus(observed({ usage }), facts)).toMatchObject({
      podStatistics: { totalPods: 2, runningPods: 1 },
      resourceUsage: { cpuUsage: "1250m", memoryUsage: "2Gi" },
    });
  });

  const manager = (command: string[]): Pod => aPod({ component: "kube-controller-manager" }, command);
  test.each([
    {
      it: "of the controller manager",
      pods: [manager(["kube-controller-manager", "--cluster-cidr=10.244.0.0/16"])],
      cidr: "10.244.0.0/16",
    },
    {
      it: "as two words",
      pods: [manager(["kube-controller-manager", "--cluster-cidr", "10.244.0.0/16"])],
      cidr: "10.244.0.0/16",
    },
    {
      it: "in a shell line",
      pods: [manager(["sh", "-c", "exec kcm --cluster-cidr='10.244.0.0/16' --v=2"])],
      cidr: "10.244.0.0/16",
    },
    {
      it: "by the other label",
      pods: [aPod({ "app.kubernetes.io/component": "kube-controller-manager" }, ["--cluster-cidr=10.1.0.0/16"])],
      cidr: "10.1.0.0/16",
    },
    {
      it: "of kube-proxy when the controller manager has none",
      pods: [manager([]), aPod({ "k8s-app": "kube-proxy" }, ["--cluster-cidr=10.2.0.0/16"])],
      cidr: "10.2.0.0/16",
    },
    { it: "of the option when no pod tells", pods: [], cidr: "10.9.0.0/16" },
    {
      it: "of the option when the flag has no value",
      pods: [manager(["--cluster-cidr", "--v=2"]), manager(["--cluster-cidr"])],
      cidr: "10.9.0.0/16",
    },
    { it: "both families", pods: [manager(["--cluster-cidr=10.244.0.0/16,fd00::/64"])], cidr: "10.244.0.0/16,fd00::/64" },
  ])("finds the pods' addresses: $it", ({ pods, cidr }) => {
    expect(clusterStatus(observed({ systemPods: pods }), { ...facts, clusterCidr: "10.9.0.0/16" }).clusterCIDR).toBe(cidr);
  });

  test("finds the services' addresses, first of kube-apiserver", () => {
    const pods = [
      manager(["--service-cluster-ip-range=10.1.0.0/16"]),
      aPod({ component: "kube-apiserver" }, ["--service-cluster-ip-range=10.96.0.0/12"]),
    ];
    expect(clusterStatus(observed({ systemPods: pods }), facts).serviceCIDR).toBe("10.96.0.0/12");
  });
});

test.each([
  [{ healthz: true, livez: true, readyz: true }, "True"],
  [{ healthz: false, livez: true, readyz: true }, "True"],
  [{ healthz: true, livez: false, readyz: false }, "True"],
  [{ healthz: false, livez: true, readyz: false }, "False"],
  [{ healthz: false, livez: false, readyz: false }, "False"],
])("health %j is Ready=%s", (health, status) => {
  expect(readyCondition(health)).toMatchObject({
    type: "Ready",
    status,
    reason: status === "True" ? "ManagedClusterReady" : "ManagedClusterNotReady",
  });
});

test("a flag of a similar name is another flag", () => {
  expect(flagValue(["--cluster-cidr-x=1"], "--cluster-cidr")).toBeUndefined();
});
