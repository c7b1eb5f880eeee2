// Several schedulers in one process, one of them with the example's plugin; and what kubectl clusternet says of their placements.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { execa } from "execa";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { runCli } from "#cli/cli.ts";
import { SHOP, startDeliveryBed, type DeliveryBed } from "#test/framework/delivery-bed.ts";
import { eventually } from "#test/framework/eventually.ts";

const config = join(import.meta.dirname, "..", "..", "examples", "05-write-a-scheduler-plugin", "config.yaml");
const bySubGroup = {
  schedulerName: "thrifty",
  schedulingBySubGroup: true,
  subscribers: [{ clusterAffinity: { matchLabels: { fleet: "yes" } }, subGroupStrategy: { minClusters: 1 } }],
};

let bed: DeliveryBed;

beforeAll(async () => {
  bed = await startDeliveryBed({ children: 2 });
  const prices = ["5", "2"];
  for (const [index, child] of bed.children.entries()) {
    const { name } = child;
    const body = { metadata: { labels: { "example.com/price": prices[index] } } };
    await bed.parent.patch(ManagedCluster, { namespace: name, name }, { type: "merge", body }, bed.signal);
    child.startAgent();
  }
  await bed.childrenReady();
  bed.startScheduler([`--config=${config}`]);
});
afterAll(async () => {
  await bed[Symbol.asyncDispose]();
});

const bound = async (name: string): Promise<string> => String((await bed.subscription(name))?.status?.bindingClusters);
const edit = (name: string, spec: object): Promise<unknown> =>
  bed.parent.patch(Subscription, { namespace: SHOP, name }, { type: "merge", body: { spec } }, bed.signal);

test("a plugin of one's own chooses the cheapest cluster for its scheduler's Subscriptions only", async () => {
  await bed.subscribe({ name: "batch", feeds: [], spec: bySubGroup });
  await bed.subscribe({ name: "web", feeds: [] });
  await bed.subscribe({ name: "foreign", feeds: [], spec: { schedulerName: "somebody-else" } });
  await eventually("the cheapest", async () => (await bound("batch")) === "child-2/child-2");
  await eventually("every cluster", async () => (await bound("web")) === "child-1/child-1,child-2/child-2");
  expect((await bed.subscription("foreign"))?.status).toBeUndefined();
});

test("kubectl clusternet says why, with the scheduler's configuration", async () => {
  let out = "";
  const argv = [
    "explain",
    "placement",
    "batch",
    "-n",
    SHOP,
    "--config",
    config,
    "--kubeconfig",
    bed.controlPlane.adminKubeconfig,
  ];
  const code = await runCli(argv, { env: {}, write: (text) => void (out += text), complain: (text) => void (out += text) });
  expect([code, out]).toEqual([0, expect.stringContaining("child-2/child-2: stays bound")]);
  expect(out).toContain("child-1/child-1: not bound, SubGroups: its groups have enough clusters");
  expect(out).toContain("Cheapest 1000");
  expect(out).toContain("nothing changes");
});

test("while a gate is closed nothing is decided; when it opens, it is", async () => {
  await bed.subscribe({ name: "gated", feeds: [], spec: { schedulingGates: [{ name: "example.com/approval" }] } });
  await eventually("it waits", async () => {
    const conditions = (await bed.subscription("gated"))?.status?.conditions ?? [];
    return conditions.find(({ type }) => type === "Scheduled")?.reason === "SchedulingGated";
  });
  expect(await bound("gated")).toBe("undefined");
  await edit("gated", { schedulingGates: null });
  await eventually("it is bound", async () => (await bound("gated")) === "child-1/child-1,child-2/child-2");
});

test("schedulers side by side in one namespace each lead by a Lease of their own, and decide what is theirs", async () => {
  const names = ["east", "west"];
  for (const name of names) {
    const leaseName = `clusternet-scheduler-${name}`;
    bed.startScheduler(["--leader-elect=true", `--leader-elect-resource-name=${leaseName}`, `--scheduler-name=${name}`]);
    await bed.subscribe({ name, feeds: [], spec: { schedulerName: name } });
  }
  for (const name of names) await eventually(name, async () => (await bound(name)) === "child-1/child-1,child-2/child-2");
});

test("a plugin that never returns ends its scheduler, which names it; what is bound stays bound", async () => {
  const directory = await mkdtemp(join(tmpdir(), "hanging-plugin-"));
  const pluginText = `
    export const contractVersion = 1;
    export const plugins = {
      Endless: () => ({ name: "Endless", filter: ({ subscription }) => {
        while (subscription.metadata.name === "stuck");
        return { fits: true };
      } }),
    };`;
  await writeFile(join(directory, "endless.mjs"), pluginText);
  const plugins = { filter: { enabled: [{ name: "Endless" }] } };
  const profiles = { profiles: [{ schedulerName: "hanging", plugins }], modules: ["./endless.mjs"] };
  await writeFile(join(directory, "config.yaml"), JSON.stringify(profiles));
  await bed.subscribe({ name: "loose", feeds: [], spec: { schedulerName: "hanging" } });
  const flags = [
    "--leader-elect=false",
    "--health-port=0",
    "--plugin-hang-timeout=2s",
    "--config",
    join(directory, "config.yaml"),
  ];
  const entry = join(import.meta.dirname, "..", "..", "runtime", "scheduler", "main.ts");
  const argv = [entry, "--kubeconfig", bed.controlPlane.adminKubeconfig, ...flags];
  const scheduler = execa(process.execPath, argv, { reject: false, timeout: 50_000, killSignal: "SIGTERM" });
  await eventually("it works", async () => (await bound("loose")) === "child-1/child-1,child-2/child-2");
  await bed.subscribe({ name: "stuck", feeds: [], spec: { schedulerName: "hanging" } });
  const { signal, stdout } = await scheduler;
  const last = JSON.parse(stdout.split("\n").at(-1) ?? "") as object;
  const named = { plugin: "Endless", point: "filter", subscription: `${SHOP}/stuck` };
  expect(last).toMatchObject({ level: "error", event: "plugin.hangs", ...named });
  expect(signal).toBe("SIGKILL");
  expect(await bound("loose")).toBe("child-1/child-1,child-2/child-2");
  await rm(directory, { recursive: true });
}, 60_000);
