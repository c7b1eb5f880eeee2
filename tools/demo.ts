// `npm start`: a real parent and two real children become one fleet by `pulumi up`, and each promise is shown with real kubectl.
//
//   --keep        stay up at the end, and print what to try
//   --json FILE   write {"ok", "seconds", "steps": [{"name", "ok", "seconds", "detail"}]}
//
// Ctrl-C stops everything and removes every process and file that this made.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { startCluster } from "#test/framework/cluster.ts";
import { openFirstFleet, startClusters } from "#test/framework/fleet.ts";
import { joinsByItself } from "#tools/demo/cluster-api-step.ts";
import type { Child, DemoContext } from "#tools/demo/context.ts";
import { changed, delivered, installed, joined, survives } from "#tools/demo/fleet-steps.ts";
import { inventory, whatIsNew } from "#tools/demo/inventory.ts";
import { kubectlWith, type Kubectl } from "#tools/kubectl.ts";
import { atHop, runSteps, type DemoReport, type Step } from "#tools/demo/steps.ts";
import { kubectlThroughTheParent, revokeRights } from "#tools/demo/user-steps.ts";
import { resolveTools } from "#tools/toolchain.ts";

interface DemoOptions {
  readonly keep: boolean;
  readonly json: string | undefined;
}

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const STRANGER = "capi-1";

const up: Step<DemoContext> = {
  name: "pulumi up of examples/01-first-fleet",
  run: async ({ pulumi }, signal) => {
    const result = await atHop("pulumi up", () => pulumi.up({}, signal));
    return `${String(result.changes["create"] ?? 0)} resources created`;
  },
};

const destroyed: Step<DemoContext> = {
  name: "pulumi destroy leaves nothing behind in any cluster",
  run: async (context, signal) => {
    await revokeRights(context);
    await atHop("pulumi destroy", () => context.pulumi.destroy({}, signal));
    const left: string[] = [];
    for (const [name, kubectl] of allKubectls(context)) {
      const fresh = whatIsNew(context.before.get(name) ?? new Set(), await inventory(kubectl));
      left.push(...fresh.filter((line) => !isOfClusterApi(line)).map((line) => `${name}: ${line}`));
    }
    if (left.length > 0) throw new Error(`Left behind:\n${left.join("\n")}`);
    return "every cluster holds what it held before, the parent also the user's own Cluster API objects";
  },
};

function isOfClusterApi(line: string): boolean {
  return line.includes("cluster.x-k8s.io") || line.endsWith(`/${STRANGER}-kubeconfig`);
}

await main();

async function main(): Promise<void> {
  const options = parseCommandLine();
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      if (!controller.signal.aborted) print("Stopping, and removing everything that was started …");
      controller.abort(new Error(`Received ${name}`));
    });
  }
  let report: DemoReport | undefined;
  try {
    report = await demo(options, controller.signal);
  } catch (error) {
    if (!controller.signal.aborted) print(`✗ ${error instanceof Error ? error.message : String(error)}`);
  }
  if (options.json !== undefined)
    await writeFile(options.json, `${JSON.stringify(report ?? { ok: false, seconds: 0, steps: [] }, null, 2)}\n`);
  process.exit(report?.ok === true ? 0 : 1);
}

function parseCommandLine(): DemoOptions {
  const command = new Command("npm start --").description("Shows a fleet at work, on real clusters of this machine");
  command.option("--keep", "stay up at the end and print what to try", false).option("--json <file>", "write a report");
  const { keep, json } = command.parse().opts<{ keep: boolean; json?: string }>();
  return { keep, json };
}

async function demo({ keep }: DemoOptions, signal: AbortSignal): Promise<DemoReport> {
  await resolveTools(["etcd", "kube-apiserver", "kube-controller-manager", "kubectl", "kwok", "pulumi"], print, signal);
  const directory = await mkdtemp(join(tmpdir(), "clusternet-demo-"));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  print("  Starting one parent, two children, and a third control plane that no program names …");
  const context = await prepare(directory, stack, signal);
  const steps = [up, installed, joined, delivered, kubectlThroughTheParent, changed, survives, joinsByItself];
  const report = await runSteps(keep ? steps : [...steps, destroyed], { context, print }, signal);
  print(report.ok ? `All of it is true, after ${report.seconds.toFixed(0)} s` : "Not all of it is true");
  if (keep && report.ok) await keepUp(context, signal);
  return report;
}

async function prepare(directory: string, stack: AsyncDisposableStack, signal: AbortSignal): Promise<DemoContext> {
  const clusters = stack.use(await startClusters({ children: 2, directory, cluster: { fakeNodes: {} } }, signal));
  const stranger = stack.use(await startCluster({ name: STRANGER }, signal));
  const parent = await kubectlWith(clusters.parent.controlPlane.adminKubeconfig, signal);
  const childOf = async (cluster: DemoContext["stranger"]["cluster"]): Promise<Child> => ({
    name: cluster.controlPlane.name,
    cluster,
    kubectl: await kubectlWith(cluster.controlPlane.adminKubeconfig, signal),
  });
  const [first, second] = await Promise.all(clusters.children.map(childOf));
  if (first === undefined || second === undefined) throw new Error("Bug: two children were asked for");
  const pulumi = stack.use(await openFirstFleet(clusters, { report: (line) => print(`  ${line}`) }, signal));
  const context: DemoContext = {
    clusters,
    parent,
    children: [first, second],
    stranger: await childOf(stranger),
    pulumi,
    before: new Map(),
  };
  for (const [name, kubectl] of allKubectls(context)) context.before.set(name, await inventory(kubectl));
  return context;
}

function allKubectls({ parent, children, stranger }: DemoContext): readonly (readonly [string, Kubectl])[] {
  return [["parent", parent], ...[...children, stranger].map(({ name, kubectl }) => [name, kubectl] as const)];
}

async function keepUp({ clusters, children, stranger }: DemoContext, signal: AbortSignal): Promise<void> {
  const { directory } = clusters;
  print(`
Kubeconfigs:
  ${directory}/parent.kubeconfig
  ${directory}/${children[0].name}.kubeconfig
  ${directory}/${children[1].name}.kubeconfig
  ${directory}/alice-in-${children[0].name}.kubeconfig   (an ordinary user, through the parent)
  ${stranger.cluster.controlPlane.adminKubeconfig}   (${stranger.name})

Five things to try:
  1. kubectl --kubeconfig ${directory}/parent.kubeconfig get managedclusters -A
  2. kubectl --kubeconfig ${directory}/parent.kubeconfig get subscription shop -o yaml
  3. kubectl --kubeconfig ${directory}/alice-in-child-1.kubeconfig get pods -n default --watch
  4. kubectl --kubeconfig ${directory}/child-1.kubeconfig delete deployment shop     then look at the Subscription's status
  5. kubectl --kubeconfig ${directory}/parent.kubeconfig get clsrr -o wide

Ctrl-C removes everything.`);
  await new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => {
      resolve();
    });
  });
}
