// Pull, Push and Dual in one fleet, by the real Pulumi engine: the same is delivered, and destroy leaves nothing in any cluster.

import { mkdtemp, rm } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startClusters, type Clusters } from "#test/framework/fleet.ts";
import { createPulumi, type Pulumi } from "#test/framework/pulumi.ts";
import { inventory, whatIsNew } from "#tools/demo/inventory.ts";
import { kubectlWith, type Kubectl } from "#tools/demo/kubectl.ts";

const FLEET_MS_MAX = 300_000;

const stack = new AsyncDisposableStack();
let clusters: Clusters;
let pulumi: Pulumi;
let kubectls: readonly Kubectl[];
let before: readonly ReadonlySet<string>[];

beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), "clusternet-modes-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  clusters = stack.use(await startClusters({ children: 3, directory }));
  const { signal } = new AbortController();
  const all = [clusters.parent, ...clusters.children];
  kubectls = await Promise.all(all.map(({ controlPlane }) => kubectlWith(controlPlane.adminKubeconfig, signal)));
  before = await Promise.all(kubectls.map(inventory));
  pulumi = stack.use(
    await createPulumi({ directory: join(import.meta.dirname, "fixtures", "sync-modes"), config: { kubeconfigs: directory } }),
  );
  await pulumi.setConfig("bootstrapSecret", randomBytes(16).toString("hex"), { secret: true });
  await pulumi.up();
}, FLEET_MS_MAX);

afterAll(async () => {
  await stack.disposeAsync();
}, FLEET_MS_MAX);

test("delivers the same in Pull, Push and Dual, overrides included", async () => {
  const [, ...children] = kubectls;
  const seen = await Promise.all(
    children.map((child) =>
      child.json<{ data: unknown; metadata: { managedFields?: unknown } }>(["get", "configmap", "note", "-n", "default"]),
    ),
  );
  expect(seen.map(({ data }) => data)).toEqual(Array(3).fill({ text: "delivered", by: "the fleet" }));
});

test("keeps no credential of a child on the parent", async () => {
  const [parent] = kubectls;
  const secrets = await parent?.json<{ items: { metadata: { name: string; namespace: string }; type: string }[] }>([
    "get",
    "secrets",
    "-A",
  ]);
  const ours = secrets?.items.filter(({ metadata }) => metadata.namespace.startsWith("clusternet-child-"));
  expect(ours).toEqual([]);
});

test("keeps the bootstrap tokens encrypted in the state", async () => {
  const state = JSON.stringify(await pulumi.exportState());
  expect(state).toContain("ciphertext");
  expect(state).not.toMatch(/[a-z0-9]{6}\.[a-z0-9]{16}"/);
});

test(
  "destroy leaves nothing behind, whoever had delivered",
  async () => {
    await pulumi.destroy();
    const left = await Promise.all(
      kubectls.map(async (kubectl, index) => whatIsNew(before[index] ?? new Set(), await inventory(kubectl))),
    );
    expect(left).toEqual([[], [], [], []]);
  },
  FLEET_MS_MAX,
);
