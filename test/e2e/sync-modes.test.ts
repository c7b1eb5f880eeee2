// Pull, Push and Dual in one fleet, by the real Pulumi engine: the same is delivered, and destroy leaves nothing in any cluster. Then
// the root program, on the same clusters: stack configuration alone makes a fleet. Last, a parent whose scheduler has a plugin.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { parse } from "yaml";
import type { KubeObject } from "#api/meta.ts";
import { eventually } from "#test/framework/eventually.ts";
import { startClusters, type Clusters } from "#test/framework/fleet.ts";
import { createPulumi, type Pulumi } from "#test/framework/pulumi.ts";
import { inventory, whatIsNew } from "#tools/demo/inventory.ts";
import { kubectlWith, type Kubectl } from "#tools/kubectl.ts";

const FLEET_MS_MAX = 300_000;
const repository = join(import.meta.dirname, "..", "..");

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
    expect(await leftBehind()).toEqual([[], [], [], []]);
  },
  FLEET_MS_MAX,
);

test(
  "the root program makes a fleet of what the stack's configuration says, changes nothing the second time, and takes it back",
  async () => {
    const { directory } = clusters;
    const type = { apiVersion: "v1", kind: "ConfigMap" };
    const metadata = { namespace: "default", name: "greeting" };
    const feed = { ...type, ...metadata };
    // JSON is YAML.
    await writeFile(join(directory, "greeting.yaml"), JSON.stringify({ ...type, metadata, data: { text: "configured" } }));
    const spec = { subscribers: [{ clusterAffinity: { matchLabels: { stage: "configured" } } }], feeds: [feed] };
    const child = { name: "child-1", kubeconfig: join(directory, "child-1.kubeconfig"), labels: { stage: "configured" } };
    await using root = await createPulumi({
      directory: repository,
      config: {
        parent: JSON.stringify({ kubeconfig: join(directory, "parent.kubeconfig") }),
        children: JSON.stringify([child]),
        templates: JSON.stringify([join(directory, "greeting.yaml")]),
        subscriptions: JSON.stringify([{ name: "greeting", spec }]),
        hubServicePort: "8443",
        crdsOnDestroy: "delete",
      },
    });
    await root.setConfig("bootstrapSecret", randomBytes(16).toString("hex"), { secret: true });
    await root.up();
    expect(await root.outputs()).toEqual({ children: ["child-1"] });
    await eventually("child-1 has what the configuration names", async () => {
      const found = await kubectls[1]?.json<{ data: unknown }>(["get", "configmap", "greeting", "-n", "default"]);
      expect(found?.data).toEqual({ text: "configured" });
      return true;
    });
    await root.up({ expectNoChanges: true });
    expect((await root.preview()).text).toContain("Subscription default/greeting: no binding changes");
    await root.destroy();
    expect(await leftBehind()).toEqual([[], [], [], []]);
  },
  FLEET_MS_MAX,
);

test(
  "05-write-a-scheduler-plugin, as a program: the parent's scheduler binds to the cheapest cluster",
  async () => {
    const example = join(repository, "examples", "05-write-a-scheduler-plugin");
    const kubeconfig = join(clusters.directory, "parent.kubeconfig");
    await using program = await createPulumi({ directory: example, config: { kubeconfig, hubServicePort: "8443" } });
    await program.up();
    const [parent] = kubectls;
    for (const namespace of ["oslo", "paris", "rome", "shop"]) await parent?.run(["create", "namespace", namespace]);
    const { items } = parse(await readFile(join(example, "clusters.yaml"), "utf8")) as {
      items: (KubeObject & { status: object })[];
    };
    await parent?.run(["apply", "-f", join(example, "clusters.yaml")]);
    for (const { metadata, status } of items) {
      const patch = ["--subresource=status", "--type=merge", `--patch=${JSON.stringify({ status })}`];
      await parent?.run(["patch", "managedcluster", metadata.name, "-n", metadata.namespace ?? "", ...patch]);
    }
    await parent?.run(["apply", "-f", join(example, "subscription.yaml")]);
    await parent?.run([
      ...["wait", "subscription/batch", "-n", "shop", "--timeout=60s"],
      "--for=jsonpath={.status.bindingClusters[*]}=paris/paris",
    ]);
    await program.destroy();
  },
  FLEET_MS_MAX,
);

function leftBehind(): Promise<readonly (readonly string[])[]> {
  return Promise.all(kubectls.map(async (kubectl, index) => whatIsNew(before[index] ?? new Set(), await inventory(kubectl))));
}
