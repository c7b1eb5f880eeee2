// What an installation that cannot begin leaves behind: a reason that a person can read, and nothing of ours anywhere. One that can is in
// test/scenarios/cluster-api-joins.test.ts, with a real workload cluster.

import { beforeEach, expect, test } from "@jest/globals";
import { stringify } from "yaml";
import type { ResourceType } from "#api/meta.ts";
import { silentLogger } from "#std/log.ts";
import { createMemoryCluster, type MemoryCluster } from "#test/framework/memory-cluster.ts";
import { apiVersionFor, type CapiCluster } from "./contract.ts";
import { installAgent } from "./install.ts";
import { SettingsData } from "./settings.ts";

const clusterType = {
  group: "cluster.x-k8s.io",
  version: "v1beta2",
  kind: "Cluster",
  plural: "clusters",
  scope: "Namespaced",
} as ResourceType<CapiCluster>;
const cluster: CapiCluster = {
  apiVersion: apiVersionFor("v1beta2"),
  kind: "Cluster",
  metadata: { namespace: "default", name: "oslo" },
};
const settings = SettingsData.parse({ image: "example.test/image:1", parentURL: "https://parent:6443" });
const PRIVATE = "very-private";

let parent: MemoryCluster;
let said: string[];
beforeEach(() => {
  parent = createMemoryCluster([clusterType]);
  said = [];
});

function makeKubeconfig(server: string, user: object = { token: PRIVATE }): void {
  const text = stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "c",
    clusters: [{ name: "k", cluster: { server } }],
    users: [{ name: "u", user }],
    contexts: [{ name: "c", context: { cluster: "k", user: "u" } }],
  });
  const metadata = { namespace: "default", name: "oslo-kubeconfig" };
  const data = { value: Buffer.from(text).toString("base64") };
  parent.make({ apiVersion: "v1", kind: "Secret", metadata, data }, "capi");
}

const install = (): ReturnType<typeof installAgent> =>
  installAgent(
    { cluster, settings, reason: "the control plane is ready" },
    {
      client: parent.client,
      clusterType,
      namespace: "clusternet-system",
      joinTokenLifetimeMs: 60_000,
      discoveryOf: () => parent.discovery,
      events: {
        record: (_object, { type, reason, message }) => said.push(`${type} ${reason}: ${message}`),
        flush: () => Promise.resolve(),
      },
      log: silentLogger,
    },
    new AbortController().signal,
  );

test("without a kubeconfig it is looked at again later", async () => {
  expect(await install()).toEqual({ type: "after", delayMs: 10_000 });
  expect(said).toEqual(["Warning KubeconfigMissing: Secret oslo-kubeconfig is missing"]);
  expect(parent.writes()).toEqual([]);
});

test("a kubeconfig that would run a program here is refused, without a word of what is in it", async () => {
  makeKubeconfig("https://oslo.example:6443", { exec: { command: PRIVATE } });
  expect(await install()).toEqual({ type: "after", delayMs: 10_000 });
  expect(said).toEqual([expect.stringMatching(/^Warning KubeconfigUnusable: Secret oslo-kubeconfig cannot be used: /)]);
  expect(said.join()).not.toContain(PRIVATE);
  expect(parent.writes()).toEqual([]);
});

test("a workload cluster that does not answer is said, tried again by the controller, and nothing of ours exists yet", async () => {
  // Nobody listens on port 1.
  makeKubeconfig("https://127.0.0.1:1");
  await expect(install()).rejects.toThrow(/ECONNREFUSED|connect/);
  expect(said).toEqual([expect.stringMatching(/^Warning AgentNotInstalled: The agent is not installed, which is tried again: /)]);
  expect(said.join()).not.toContain(PRIVATE);
  expect(parent.writes()).toEqual([]);
});
