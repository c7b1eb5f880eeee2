// The examples that run on a fleet which is there, each as its README says: as a program, by the real Pulumi engine, and as plain YAML, by
// kubectl. What is asserted is what a user sees in the children.

import { copyFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { Namespace } from "#kube/builtin-kinds.ts";
import { startChartRepository, type ChartRepository } from "#test/framework/chart-repository.ts";
import { SHOP, startDeliveryBed, type DeliveryBed } from "#test/framework/delivery-bed.ts";
import { eventually } from "#test/framework/eventually.ts";
import { createPulumi, type OperationOptions, type Pulumi } from "#test/framework/pulumi.ts";
import { inventory, whatIsNew } from "#tools/demo/inventory.ts";
import { kubectlWith, type Kubectl } from "#tools/kubectl.ts";
import { resolveTool } from "#tools/toolchain.ts";

const EXAMPLE_MS_MAX = 300_000;
/** Seconds on an idle machine. */
const SEEN_MS_MAX = 90_000;
const examples = join(import.meta.dirname, "..", "..", "examples");
const fixtures = join(import.meta.dirname, "fixtures");
const user = { username: "robot", password: "correct horse" };

const stack = new AsyncDisposableStack();
let bed: DeliveryBed;
let directory: string;
let parent: Kubectl;
let children: readonly Kubectl[];
let before: readonly ReadonlySet<string>[];
/** Asks for a password; the other is open, over HTTP. */
let registry: ChartRepository;
let repository: ChartRepository;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "clusternet-examples-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const helm = await resolveTool("helm");
  registry = stack.use(await startChartRepository({ user }));
  repository = stack.use(await startChartRepository());
  for (const each of [registry, repository]) each.publish(podinfo);
  bed = stack.use(await startDeliveryBed({ children: 2, helm }));
  await copyFile(bed.controlPlane.adminKubeconfig, join(directory, "parent.kubeconfig"));
  parent = await kubectlWith(bed.controlPlane.adminKubeconfig, bed.signal);
  children = await Promise.all(bed.children.map(({ controlPlane }) => kubectlWith(controlPlane.adminKubeconfig, bed.signal)));
  bed.startScheduler();
  bed.startControllerManager([`--helm=${helm}`]);
  for (const child of bed.children) {
    child.startAgent();
    const canary = child === bed.children[0] ? { tea: "canary" } : {};
    const body = { metadata: { labels: { stage: "demo", ...canary } } };
    await bed.parent.patch(ManagedCluster, { namespace: child.name, name: child.name }, { type: "merge", body }, bed.signal);
  }
  // The example's own; the children keep theirs.
  await bed.parent.delete(Namespace, { name: SHOP }, {}, bed.signal);
  await eventually("the bed's namespace is gone", async () => {
    return (await bed.parent.get(Namespace, { name: SHOP }, bed.signal)) === undefined;
  });
  before = await Promise.all([parent, ...children].map(inventory));
}, EXAMPLE_MS_MAX);

afterAll(async () => {
  await stack.disposeAsync();
}, EXAMPLE_MS_MAX);

const podinfo = {
  name: "podinfo",
  version: "6.7.1",
  values: { replicaCount: 1, ui: { message: "the chart's own" } },
  files: {
    "templates/configmap.yaml": `apiVersion: v1
kind: ConfigMap
metadata: { name: {{ .Release.Name }} }
data: { message: {{ .Values.ui.message | quote }}, replicas: {{ .Values.replicaCount | quote }} }
`,
  },
};

interface Example {
  up(settings?: Readonly<Record<string, string>>, options?: OperationOptions): ReturnType<Pulumi["up"]>;
  readonly pulumi: Pulumi;
}

/** `name`: the folder of a program. */
async function open(name: string, config: Readonly<Record<string, string>>): Promise<Example & AsyncDisposable> {
  const pulumi = await createPulumi({ directory: name, config, report: () => undefined });
  const settingsOf = (settings: Readonly<Record<string, string>>): string[] =>
    Object.entries(settings).flatMap(([key, value]) => ["--config", `${key}=${value}`]);
  return {
    pulumi,
    up: (settings = {}, options = {}) => pulumi.up({ ...options, arguments: settingsOf(settings) }, bed.signal),
    [Symbol.asyncDispose]: () => pulumi[Symbol.asyncDispose](),
  };
}

/** `expected`: one text per child. */
function inChildren(args: readonly string[], expected: readonly string[]): Promise<unknown> {
  return eventually(
    `kubectl ${args.join(" ")} says ${expected.join(", ")}`,
    async () => {
      const found = await Promise.all(children.map((child) => child.attempt(args)));
      expect(found.map(({ exitCode, stdout }) => (exitCode === 0 ? stdout : "absent"))).toEqual(expected);
      return true;
    },
    { intervalMs: 250, timeoutMs: SEEN_MS_MAX },
  );
}

const expectTea = (...expected: readonly string[]): Promise<unknown> =>
  inChildren(
    ["get", "deployment", "tea", "--output", "jsonpath={.spec.replicas} × {.spec.template.spec.containers[0].image}"],
    expected,
  );

test(
  "02-overrides-and-canary, as a program: the canary first, promoted, back, and one large cluster",
  async () => {
    await using example = await open(join(examples, "02-overrides-and-canary"), {
      parentKubeconfig: join(directory, "parent.kubeconfig"),
    });
    await example.up();
    await expectTea("1 × tea:2", "1 × tea:1");
    const file = "# What the kitchen reads.\nlog:\n  level: warn # debug, info or warn\nkettles: 2";
    await inChildren(["get", "configmap", "tea", "--output", "jsonpath={.data.tea\\.yaml}"], [file, file]);
    await example.up({}, { expectNoChanges: true });
    await example.up({ rollout: "everywhere" });
    await expectTea("1 × tea:2", "1 × tea:2");
    await example.up({ rollout: "canary", largeCluster: "child-2" });
    await expectTea("1 × tea:2", "5 × tea:1");
    await example.pulumi.destroy();
    await expectTea("absent", "absent");
  },
  EXAMPLE_MS_MAX,
);

const expectPodinfo = (...expected: readonly string[]): Promise<unknown> =>
  inChildren(
    ["get", "configmap", "podinfo", "--namespace", "podinfo", "--output", "jsonpath={.data.message}, {.data.replicas}"],
    expected,
  );

test(
  "03-helm-chart, as a program: from a private registry, with the fleet's value and one cluster's own",
  async () => {
    await using example = await open(join(examples, "03-helm-chart"), { kubeconfigs: directory });
    await example.pulumi.setConfig("password", user.password, { secret: true });
    const settings = { repository: registry.oci, plainHTTP: "true", username: user.username };
    await example.up(settings);
    // It ended when the chart was released everywhere: no waiting here.
    expect(await example.pulumi.outputs()).toEqual({ released: "In 2 of 2 clusters" });
    await expectPodinfo("Hello from the fleet, 1", "Hello from the fleet, 1");
    expect(JSON.stringify(await example.pulumi.exportState())).not.toContain(user.password);
    await example.up(settings, { expectNoChanges: true });
    await example.up({ ...settings, specialNamespace: "child-2" });
    await expectPodinfo("Hello from the fleet, 1", "Hello from the fleet, 2");
    await example.pulumi.destroy();
    await expectPodinfo("absent", "absent");
  },
  EXAMPLE_MS_MAX,
);

test(
  "03-helm-chart, as YAML: from an HTTP repository, and taken back",
  async () => {
    const written = await readFile(join(examples, "03-helm-chart", "objects.yaml"), "utf8");
    const input = written.replace(/repo: .*/, `repo: ${repository.url}`);
    await parent.run(["create", "namespace", "charts"]);
    await parent.run(["apply", "--filename", "-"], { input });
    await expectPodinfo("Hello from the fleet, 1", "Hello from the fleet, 1");
    await parent.run(["delete", "--filename", "-"], { input });
    await parent.run(["delete", "namespace", "charts"]);
    await expectPodinfo("absent", "absent");
  },
  EXAMPLE_MS_MAX,
);

const inShop = ["--namespace", SHOP];
const expectColour = (...expected: readonly string[]): Promise<unknown> =>
  inChildren(["get", "configmap", "settings", ...inShop, "--output", "jsonpath={.data.colour}"], expected);
const volumeUids = (): Promise<readonly string[]> =>
  Promise.all(children.map((child) => child.run(["get", "pvc", "orders", ...inShop, "--output", "jsonpath={.metadata.uid}"])));

/** What the README tells to try, once the objects are there by whatever way; `takeDown` is that way back. */
async function driftAndDeletion(takeDown: () => Promise<unknown>): Promise<void> {
  await expectColour("blue", "blue");
  await children[0]?.run(["patch", "configmap", "settings", ...inShop, "--type=merge", "--patch", '{"data":{"colour":"red"}}']);
  await expectColour("blue", "blue");
  await eventually("the Event says who it was", async () => {
    const events = await parent.run(["get", "events", "--all-namespaces", "--field-selector", "reason=DriftCorrected"]);
    return events.includes("/data/colour is red instead of blue");
  });
  await eventually("the volumes are there", volumeUids);
  const volumes = await volumeUids();
  await takeDown();
  await expectColour("absent", "absent");
  // onDelete: Retain. Whoever has the data decides when they go.
  expect(await volumeUids()).toEqual(volumes);
  const marks = ["get", "pvc", "orders", ...inShop, "--output", "jsonpath={.metadata.labels}{.metadata.annotations}"];
  await inChildren(marks, ["", ""]);
  for (const child of children) await child.run(["delete", "pvc", "orders", ...inShop]);
}

test(
  "04-drift-and-deletion, as a program: an edit is put back, a volume stays when everything else goes",
  async () => {
    await using example = await open(join(examples, "04-drift-and-deletion"), { kubeconfigs: directory });
    await example.up();
    await example.up({}, { expectNoChanges: true });
    await driftAndDeletion(() => example.pulumi.destroy());
  },
  EXAMPLE_MS_MAX,
);

test(
  "04-drift-and-deletion, as YAML",
  async () => {
    const file = join(examples, "04-drift-and-deletion", "objects.yaml");
    await parent.run(["create", "namespace", SHOP]);
    await parent.run(["apply", "--filename", file]);
    await driftAndDeletion(() => parent.run(["delete", "--filename", file]));
    await parent.run(["delete", "namespace", SHOP]);
  },
  EXAMPLE_MS_MAX,
);

const expectQueue = (...expected: readonly string[]): Promise<unknown> =>
  inChildren(["get", "deployment", "queue", "--output", "jsonpath={.spec.replicas}"], expected);

test(
  "06-divide-by-weight, as a program: two to one, a new total, new weights",
  async () => {
    await using example = await open(join(examples, "06-divide-by-weight"), { kubeconfigs: directory });
    await example.up();
    expect(await example.pulumi.outputs()).toEqual({ clusters: ["child-1/child-1", "child-2/child-2"], divided: [4, 2] });
    await expectQueue("4", "2");
    await example.up({}, { expectNoChanges: true });
    await example.up({ replicas: "9" });
    await expectQueue("6", "3");
    await example.up({ replicas: "9", weights: '{"child-1":1,"child-2":1}' });
    await expectQueue("5", "4");
    await example.pulumi.destroy();
    await expectQueue("absent", "absent");
  },
  EXAMPLE_MS_MAX,
);

test(
  "06-divide-by-weight, as YAML",
  async () => {
    const file = join(examples, "06-divide-by-weight", "objects.yaml");
    await parent.run(["apply", "--filename", file]);
    await expectQueue("4", "2");
    const total = ["deployments.default.queue", "--type", "merge", "--patch", '{"template":{"spec":{"replicas":9}}}'];
    await parent.run(["--namespace", "clusternet-reserved", "patch", "manifest", ...total]);
    await expectQueue("6", "3");
    await parent.run(["delete", "--filename", file]);
    await expectQueue("absent", "absent");
  },
  EXAMPLE_MS_MAX,
);

const expectLeader = (expected: readonly string[]): Promise<unknown> =>
  inChildren(["get", "configmap", "leader", "--ignore-not-found", "--output", "jsonpath={.metadata.name}"], expected);

/** Its cluster must be empty: the work goes to the other one, and that alone has it. */
async function failover(down: () => Promise<unknown>, moveBack: () => Promise<unknown>): Promise<void> {
  const bound = await parent.run(["get", "subscription", "leader", "--output", "jsonpath={.status.bindingClusters[0]}"]);
  const [namespace = "", name = ""] = bound.split("/");
  const isFirst = name === bed.children[0]?.name;
  const here = isFirst ? ["leader", ""] : ["", "leader"];
  const there = here.toReversed();
  await expectLeader(here);
  const taint = (taints: unknown): Promise<unknown> =>
    parent.run([
      "--namespace",
      namespace,
      "patch",
      "managedcluster",
      name,
      "--type",
      "merge",
      "--patch",
      JSON.stringify({ spec: { taints } }),
    ]);
  await taint([{ key: "maintenance", effect: "NoExecute" }]);
  await expectLeader(there);
  await taint(null);
  await moveBack();
  await expectLeader(here);
  await down();
  await expectLeader(["", ""]);
}

test(
  "08-failover, as a program: the work moves, and returns",
  async () => {
    await using example = await open(join(examples, "08-failover"), { kubeconfigs: directory });
    await example.up();
    await example.up({}, { expectNoChanges: true });
    await failover(
      () => example.pulumi.destroy(),
      () => example.up({ afterRecovery: "MoveBack" }),
    );
  },
  EXAMPLE_MS_MAX,
);

test(
  "08-failover, as YAML",
  async () => {
    const file = join(examples, "08-failover", "objects.yaml");
    await parent.run(["apply", "--filename", file]);
    await parent.run(["wait", "subscription", "leader", "--for", "condition=Available", "--timeout", "60s"]);
    const patch = ["leader", "--type", "merge", "--patch", '{"spec":{"failover":{"afterRecovery":"MoveBack"}}}'];
    await failover(
      () => parent.run(["delete", "--filename", file]),
      () => parent.run(["patch", "subscription", ...patch]),
    );
  },
  EXAMPLE_MS_MAX,
);

test(
  "an update that waits names each cluster that is not there yet, and why; what it waited for is an output",
  async () => {
    await using program = await open(join(fixtures, "waits"), { kubeconfigs: directory });
    const { exitCode, diagnostics } = await program.up({ replicas: "1" }, { allowFailure: true });
    expect(exitCode).not.toBe(0);
    const told = diagnostics.map(({ severity, message }) => `${severity}: ${message.trim()}`);
    expect(told).toContain(
      "info: Waiting for Subscription default/waits: Available: In 0 of 2 clusters; " +
        "child-1/child-1: Deployment default/waits: 0 of 1 replicas are available; " +
        "child-2/child-2: Deployment default/waits: 0 of 1 replicas are available",
    );
    await program.up({ replicas: "0" });
    expect(await program.pulumi.outputs()).toEqual({
      available: { status: "True", message: "In 2 of 2 clusters" },
      clusters: ["child-1: Available", "child-2: Available"],
    });
    await program.pulumi.destroy();
  },
  EXAMPLE_MS_MAX,
);

test("nothing of all this is left in any cluster", async () => {
  await eventually("it is as it was", async () => {
    const now = await Promise.all([parent, ...children].map(inventory));
    const left = now.map((lines, index) => whatIsNew(before[index] ?? new Set(), lines).filter((line) => !isOfHelm(line)));
    expect(left).toEqual([[], [], []]);
    return true;
  });
});

/** helm makes the namespace of a release, and leaves it. */
function isOfHelm(line: string): boolean {
  return / (podinfo\/|\/podinfo$)/.test(line);
}
