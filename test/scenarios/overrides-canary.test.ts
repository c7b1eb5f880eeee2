// A canary is one Globalization whose clusterAffinity is widened or narrowed; the plugin of kubectl says why a cluster has its value.

import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { execa } from "execa";
import { Globalization } from "#api/apps/v1alpha1/globalization.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { runCli } from "#cli/cli.ts";
import { ConfigMap, Deployment } from "#kube/builtin-kinds.ts";
import { realClock } from "#std/clock.ts";
import { aConfigMap, feedOf, SHOP, startDeliveryBed, type DeliveryBed, type Running } from "#test/framework/delivery-bed.ts";
import { eventually } from "#test/framework/eventually.ts";
import { whenSettled } from "#test/framework/request-counter.ts";
import { kubectlEnvironment, kubectlWith } from "#tools/kubectl.ts";
import { resolveTool } from "#tools/toolchain.ts";

const text = "# What runs.\nversion: 1 # raised by a canary\nreplicas: 9007199254740993\n";
const settings = aConfigMap("settings", { "app.yaml": text, size: "1" });
const TEA = { namespace: "default", name: "tea" };
interface TeaSpec {
  readonly replicas: number;
  readonly template: { readonly spec: { readonly containers: readonly { readonly image: string }[] } };
}
const example = join(dirname(dirname(import.meta.dirname)), "examples", "02-overrides-and-canary", "yaml");
const plugin = join(dirname(dirname(import.meta.dirname)), "runtime", "cli", "main.ts");
/** Every controller looks at every object once after a start; that takes a fraction of it. */
const SETTLED_MS = 2_000;

let bed: DeliveryBed;
let controllerManager: Running;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "kubectl-clusternet-"));
  // kubectl finds a plugin by its name on PATH.
  await symlink(plugin, join(directory, "kubectl-clusternet"));
  bed = await startDeliveryBed({ children: 2 });
  bed.startScheduler();
  controllerManager = bed.startControllerManager();
  for (const child of bed.children) child.startAgent();
  await bed.template(settings);
  await bed.subscribe({ name: "web", feeds: [feedOf(settings)] });
  await bed.condition("web", "Delivered");
});
afterAll(async () => {
  await bed[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

type Spec = Globalization["spec"];
const apply = (name: string, spec: Partial<Spec>): Promise<unknown> =>
  bed.parent.apply(
    Globalization,
    {
      apiVersion: Globalization.apiVersion,
      kind: Globalization.kind,
      metadata: { name },
      spec: { overridePolicy: "ApplyNow", priority: 500, feed: feedOf(settings), ...spec },
    },
    { fieldManager: "test", force: true },
    bed.signal,
  );
const version2: NonNullable<Spec["overrides"]> = [
  { name: "version", type: "FieldMergePatch", fieldPath: "/data/app.yaml", fieldFormat: "YAML", value: "version: 2" },
];
const expectVersions = (...versions: readonly number[]): Promise<unknown> =>
  eventually(`versions ${versions.join(", ")}`, async () => {
    const found = await Promise.all(
      bed.children.map((child) => child.client.get(ConfigMap, { namespace: SHOP, name: "settings" }, bed.signal)),
    );
    expect(found.map((map) => map?.data?.["app.yaml"])).toEqual(
      versions.map((version) => text.replace("version: 1", `version: ${String(version)}`)),
    );
    return true;
  });
const expectApplied = (name: string, expected: string): Promise<unknown> =>
  eventually(`${name}: ${expected}`, async () => {
    const { metadata, status } = (await bed.parent.get(Globalization, { name }, bed.signal)) ?? {};
    const condition = status?.conditions?.find(({ type }) => type === "Applied");
    expect(`${condition?.reason ?? ""}: ${condition?.message ?? ""}`).toBe(expected);
    expect(condition?.observedGeneration).toBe(metadata?.generation);
    return true;
  });
const kubectl = (...args: readonly string[]): Promise<{ stdout: string; stderr: string; exitCode?: number | undefined }> =>
  resolveTool("kubectl").then((path) =>
    execa(path, ["clusternet", ...args, "-n", SHOP], {
      reject: false,
      env: {
        ...kubectlEnvironment(bed.controlPlane.adminKubeconfig),
        PATH: [directory, dirname(process.execPath), process.env["PATH"] ?? ""].join(delimiter),
      },
    }),
  );

test("a canary reaches the clusters that its affinity selects, is promoted, paused and rolled back by changing it", async () => {
  await apply("canary", { clusterAffinity: { matchLabels: { name: "child-1" } }, overrides: version2 });
  await expectVersions(2, 1);
  await expectApplied("canary", "Applied: In 1 of 1 clusters");

  await apply("canary", { clusterAffinity: { matchLabels: { fleet: "yes" } }, overrides: version2 });
  await expectVersions(2, 2);
  await expectApplied("canary", "Applied: In 2 of 2 clusters");

  await apply("canary", { clusterAffinity: { matchLabels: { name: "child-1" } }, overrides: version2 });
  await expectVersions(2, 1);
});

test("ApplyLater says that it waits, and for which clusters", async () => {
  await apply("later", { overridePolicy: "ApplyLater", overrides: [{ type: "MergePatch", value: "data: {size: big}" }] });
  await expectApplied(
    "later",
    "Waiting: ApplyLater: waits until the feed is rendered for another reason in 2 of 2 clusters: child-1; child-2",
  );
});

test("kubectl clusternet explain value says what touched the value, and what did not and why", async () => {
  const { stdout, stderr } = await kubectl("explain", "value", "web", "child-1", "--path", "/data/app.yaml");
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^ConfigMap shop\/settings in child-1, \/data\/app\.yaml\n {2}template: "# What runs\./);
  expect(stdout).toContain("  Globalization canary, patch version (FieldMergePatch): ");
  expect(stdout).toContain("  Globalization later: waiting, ApplyLater: waits until the feed is rendered for another reason");
  const other = await kubectl(
    "explain",
    "value",
    "web",
    "child-2/child-2",
    "--feed",
    "configmap/settings",
    "--path",
    "/data/size",
    "-o",
    "json",
  );
  expect(JSON.parse(other.stdout)).toMatchObject({
    template: "1",
    delivered: "1",
    next: "big",
    steps: expect.arrayContaining([
      expect.objectContaining({
        override: "Globalization canary",
        outcome: "skipped",
        reason: "its clusterAffinity does not select child-2",
      }),
    ]) as unknown,
  });
});

test.each([
  [
    "a Subscription that is not there",
    ["explain", "value", "nobody", "child-1"],
    /There is no Subscription shop\/nobody\n {2}Name its namespace/,
  ],
  [
    "a cluster that is not bound",
    ["explain", "value", "web", "oslo"],
    /is not bound to a cluster oslo\n {2}It is bound to child-1, child-2/,
  ],
  [
    "a feed that it does not have",
    ["explain", "value", "web", "child-1", "--feed", "Secret/x"],
    /Its feeds: ConfigMap\/settings/,
  ],
  ["a path that is none", ["explain", "value", "web", "child-1", "--path", "data"], /Start it with \//],
  ["no cluster", ["explain", "value", "web"], /missing required argument 'cluster'/],
] as const)("%s is an error that says what to do", async (_what, args, expected) => {
  const said = { out: "", error: "" };
  const exitCode = await runCli([...args, "-n", SHOP, "--kubeconfig", bed.controlPlane.adminKubeconfig], {
    env: {},
    write: (line) => (said.out += line),
    complain: (line) => (said.error += line),
  });
  expect([exitCode, said.out]).toEqual([1, ""]);
  expect(said.error).toMatch(expected);
});

test("the example goes to its canary, to everywhere and back, as its README says", async () => {
  for (const child of bed.children) {
    const canary = child === bed.children[0] ? { tea: "canary" } : {};
    const body = { metadata: { labels: { stage: "demo", ...canary } } };
    await bed.parent.patch(ManagedCluster, { namespace: child.name, name: child.name }, { type: "merge", body }, bed.signal);
  }
  const administrator = await kubectlWith(bed.controlPlane.adminKubeconfig, bed.signal);
  const run = (verb: string, file: string, ...args: readonly string[]): Promise<unknown> =>
    administrator.run([verb, "-f", join(example, file), ...args]);
  const expectTea = (...expected: readonly string[]): Promise<unknown> =>
    eventually(`tea is ${expected.join(", ")}`, async () => {
      const found = await Promise.all(bed.children.map(({ client }) => client.get(Deployment, TEA, bed.signal)));
      const told = found.map((each) => {
        const { replicas, template } = (each as unknown as { spec: TeaSpec } | undefined)?.spec ?? {};
        return `${String(replicas)} × ${template?.spec.containers[0]?.image ?? ""}`;
      });
      expect(told).toEqual(expected);
      return true;
    });
  await run("apply", "tea.yaml");
  await expectTea("1 × tea:1", "1 × tea:1");
  await run("apply", "canary.yaml");
  await expectTea("1 × tea:2", "1 × tea:1");
  await run("apply", "everywhere.yaml");
  await expectTea("1 × tea:2", "1 × tea:2");
  await run("apply", "canary.yaml");
  await expectTea("1 × tea:2", "1 × tea:1");
  await run("apply", "large-cluster.yaml", "--namespace", "child-2");
  await expectTea("1 × tea:2", "5 × tea:1");
  await run("delete", "canary.yaml");
  await expectTea("1 × tea:1", "5 × tea:1");
  const file = await bed.children[0]!.client.get(ConfigMap, TEA, bed.signal);
  expect(file?.data?.["tea.yaml"]).toBe("# What the kitchen reads.\nlog:\n  level: warn # debug, info or warn\nkettles: 2\n");
});

test("a settled fleet with overrides is written to by nobody, after a restart too", async () => {
  await whenSettled([controllerManager.counter]);
  await controllerManager.stop();
  controllerManager = bed.startControllerManager();
  await eventually("it watches", () => Promise.resolve(controllerManager.counter.count({ verb: "watch" }) >= 7));
  await realClock.sleep(SETTLED_MS, bed.signal);
  controllerManager.counter.expectNoWrites();
});
