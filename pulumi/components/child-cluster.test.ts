// One child as Pulumi sees it: its place and its grant on the parent, its agent in its own cluster.

import { expect, test } from "@jest/globals";
import * as k8s from "@pulumi/kubernetes";
import { ChildCluster, type ChildClusterArgs } from "#pulumi/components/child-cluster.ts";
import { recordResources, type Recorded } from "#test/framework/recorded-resources.ts";

const made = (more: Partial<ChildClusterArgs> = {}, name = "oslo"): Promise<Recorded[]> =>
  recordResources(() => {
    const provider = new k8s.Provider("parent", { kubeconfig: "x" });
    const args = { kubeconfig: "y", parentUrl: "https://parent:6443", bootstrapSecret: "0123456789abcdef", ...more };
    return new ChildCluster(name, args, { provider });
  });
const grantOf = (resources: readonly Recorded[]): Recorded | undefined =>
  resources.find(({ type }) => type.endsWith(":ConfigMap"));

test("the grant says who may join as what, and nothing of how long unless told", async () => {
  const resources = await made({ labels: { stage: "demo" }, syncMode: "Dual" });
  expect(grantOf(resources)?.inputs["data"]).toEqual({
    username: expect.stringMatching(/^system:bootstrap:[a-z0-9]{6}$/) as unknown,
    clusterName: "oslo",
    clusterNamespace: "clusternet-oslo",
    clusterLabels: '{"stage":"demo"}',
    syncModes: "Dual",
  });
});

test("validFor is how long the grant lets the child in", async () => {
  expect(grantOf(await made({ validFor: "24h" }))?.inputs["data"]).toMatchObject({ validFor: "24h" });
});

test("the agent has a port for questions without the tunnel when it is told", async () => {
  const predictorPort = { url: "https://predictor.oslo.example:8443", port: 8443, secretName: "predictor" };
  const agent = (await made({ predictorPort })).find(({ type }) => type.endsWith(":Deployment"));
  expect(JSON.stringify(agent?.inputs["spec"])).toContain(`--predictor-direct-url=${predictorPort.url}`);
});

test("the grant comes after the agent, and so goes before it; both belong to different clusters", async () => {
  const resources = await made();
  const agent = resources.find(({ type }) => type.endsWith(":Deployment"));
  const grant = grantOf(resources);
  expect(grant?.dependsOnAll.has(agent?.urn ?? "")).toBe(true);
  expect([agent?.provider, grant?.provider].map((provider) => provider?.split("::").at(-2))).toEqual(["oslo-child", "parent"]);
});

test.each<[string, Partial<ChildClusterArgs>, RegExp]>([
  ["a time that is none", { validFor: "a day" }, /validFor: Must be a duration such as 30m or 24h/],
  ["a name of ours", { clusterName: "system" }, /clusterName: Must not be one of system, reserved/],
  [
    "a predictor's port without TLS",
    { predictorPort: { url: "http://predictor.oslo", secretName: "predictor" } },
    /predictorPort\.url: Must be an https:\/\/ URL/,
  ],
  [
    "a predictor's port that nobody may ask",
    { predictorPort: { url: "https://predictor.oslo", secretName: "predictor", clientNames: [] } },
    /predictorPort\.clientNames: Must name who may ask/,
  ],
  ["a parent without TLS", { parentUrl: "http://parent" }, /parentUrl: Must be an https:\/\/ URL/],
])("%s is refused with its path", async (_what, args, says) => {
  await expect(made(args)).rejects.toThrow(says);
});
