// 07-divide-by-capacity, both ways, with real kube-schedulers in the children: what each child was given is what runs there.

import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Pod } from "#kube/builtin-kinds.ts";
import { loadProfiles } from "#scheduler/load-profiles.ts";
import { parseSchedulerOptions } from "#scheduler/options.ts";
import { createScheduler } from "#scheduler/scheduler.ts";
import { realClock } from "#std/clock.ts";
import { silentLogger } from "#std/log.ts";
import { eventually } from "#test/framework/eventually.ts";
import { createPulumi } from "#test/framework/pulumi.ts";
import { startCapacityFleet, type CapacityFleet } from "#test/scenarios/capacity-fleet.ts";
import { kubectlWith, type Kubectl } from "#tools/kubectl.ts";

const EXAMPLE_MS_MAX = 240_000;
const example = join(import.meta.dirname, "..", "..", "examples", "07-divide-by-capacity");
const stack = new AsyncDisposableStack();
const { signal } = new AbortController();
let fleet: CapacityFleet;
let directory: string;
let parent: Kubectl;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "clusternet-capacity-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const node = (name: string, cpu: string) => ({ name, allocatable: { cpu, memory: "8Gi", pods: "50" } });
  // Room for 8 and for 4.
  fleet = stack.use(await startCapacityFleet([[node("large", "4")], [node("small", "2")]]));
  await copyFile(fleet.parent.adminKubeconfig, join(directory, "parent.kubeconfig"));
  parent = await kubectlWith(fleet.parent.adminKubeconfig, signal);
  const options = parseSchedulerOptions(["--leader-elect=false", "--health-port=0", "--capacity-cache=1s"], {});
  const profiles = await loadProfiles(options);
  const stop = new AbortController();
  const { connection } = fleet.scheduler;
  const running = createScheduler(options, { connection, profiles, clock: realClock, log: silentLogger }).run(stop.signal);
  stack.defer(async () => {
    stop.abort(new Error("The test is over"));
    await running.catch(() => undefined);
  });
}, EXAMPLE_MS_MAX);
afterAll(async () => {
  await stack.disposeAsync();
});

/** Pods with a node, of each child. */
function expectRunning(...expected: readonly number[]): Promise<unknown> {
  return eventually(`${expected.join(" and ")} run`, async () => {
    const found = fleet.children.map(({ client }) =>
      client.list(Pod, { namespace: "default", labelSelector: "app=render" }, signal),
    );
    const placed = (await Promise.all(found)).map(({ items }) => items.filter(({ spec }) => spec.nodeName !== undefined).length);
    expect(placed).toEqual(expected);
    return true;
  });
}

test(
  "as a program",
  async () => {
    await using pulumi = await createPulumi({ directory: example, config: { kubeconfigs: directory }, report: () => undefined });
    await pulumi.up({}, signal);
    expect(await pulumi.outputs()).toEqual({ clusters: ["child-1/child-1", "child-2/child-2"], divided: [6, 3] });
    await expectRunning(6, 3);
    await pulumi.up({ expectNoChanges: true }, signal);
    await pulumi.destroy();
    await expectRunning(0, 0);
  },
  EXAMPLE_MS_MAX,
);

test(
  "as YAML; more than fits is said",
  async () => {
    const file = join(example, "objects.yaml");
    await parent.run(["apply", "--filename", file]);
    await expectRunning(6, 3);
    const total = ["deployments.default.render", "--type", "merge", "--patch", '{"template":{"spec":{"replicas":1000}}}'];
    await parent.run(["--namespace", "clusternet-reserved", "patch", "manifest", ...total]);
    await expectRunning(8, 4);
    const condition = 'jsonpath={.status.conditions[?(@.type=="Scheduled")].message}';
    expect(await parent.run(["get", "subscription", "render", "--output", condition])).toContain("12 of 1000 replicas");
    await parent.run(["delete", "--filename", file]);
    await expectRunning(0, 0);
  },
  EXAMPLE_MS_MAX,
);
