// From "submitted on the parent" to "in the child", and what it costs: a real parent, the real scheduler and controller-manager as
// processes, the delivery controllers of the real agent for every child. Only a child's own API is a light stand-in (delivery-child.ts).

import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Manifest } from "#api/apps/v1alpha1/manifest.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { labels, namespaces } from "#api/names.ts";
import { Namespace } from "#kube/builtin-kinds.ts";
import { createClient, type Client } from "#kube/client.ts";
import { connectKubeconfig } from "#kube/connection.ts";
import { startControlPlane, type ControlPlane } from "#test/framework/control-plane.ts";
import { eventually } from "#test/framework/eventually.ts";
import type { OwnedProcess } from "#test/framework/owned-directory.ts";
import type { AgentsConfig } from "./delivery-agents.ts";
import { startLightChildren, type LightChildren } from "./delivery-child.ts";
import { processUse } from "./proxy-processes.ts";
import { installKinds, startComponent, STOP_MS_MAX } from "./parent-components.ts";
import { quantile } from "./quantile.ts";
import type { Measurement } from "./run.ts";

const CHILDREN = 100;
const SIZES = [1, 10, 100] as const;
const ROUNDS = Number(process.env["BENCH_ROUNDS"] ?? 10);
/** The claim is about ten minutes; a shorter look finds the same writers. */
/** 0: not measured; so for BENCH_SUBSCRIPTIONS. */
const SETTLED_SECONDS = Number(process.env["BENCH_SETTLED_SECONDS"] ?? 120);
const MANY = Number(process.env["BENCH_SUBSCRIPTIONS"] ?? 1_000);
/** Of the changed object: about a Deployment with two containers. Base64 alone, which the wire form asks for, makes it a third larger. */
const TEXT_BYTES = Number(process.env["BENCH_OBJECT_BYTES"] ?? 4_096);
const DELIVERED_MS_MAX = 60_000;
/** Ten thousand Descriptions at five writes each: what the parent takes for them on two cores. */
const MANY_MS_MAX = 1_800_000;
const SHOP = "shop";
const COMPONENTS = ["scheduler", "controller-manager"] as const;

interface Bed {
  readonly controlPlane: ControlPlane;
  readonly parent: Client;
  readonly signal: AbortSignal;
  /** When each child had the data, by `object/value`. */
  readonly arrivals: Map<string, Map<string, number>>;
  readonly components: Components;
}

interface Components {
  readonly pids: Readonly<Record<"scheduler" | "controller-manager", () => number>>;
  /** Ends and starts all of them, the agents too. */
  restart(): Promise<void>;
}

export async function run(print: (line: string) => void): Promise<Measurement[]> {
  await using stack = new AsyncDisposableStack();
  print(`starting a parent and ${String(CHILDREN)} agents`);
  const bed = await startBed(stack);
  const measurements: Measurement[] = [];
  const add = (name: string, value: number, unit: string): void => {
    measurements.push({ name: `delivery.${name}`, value, unit });
    print(`${name} ${value.toFixed(1)} ${unit}`);
  };
  for (const size of SIZES) await measureSubmit(bed, size, add);
  await measureChange(bed, add);
  if (SETTLED_SECONDS > 0) await measureSettled(bed, add);
  if (MANY > 0) await measureMemory(bed, add);
  return measurements;
}

type Add = (name: string, value: number, unit: string) => void;

async function measureSubmit(bed: Bed, size: number, add: Add): Promise<void> {
  const samples: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const name = `n${String(size)}-${String(round)}`;
    await putTemplate(bed, name, "1");
    // The template is known before: what is measured is what a Subscription sets off.
    await pause(200);
    const submittedAt = performance.now();
    await subscribe(bed, name, { [`to-${String(size)}`]: "yes" });
    samples.push(...[...(await arrived(bed, `${name}/1`, size)).values()].map((at) => at - submittedAt));
  }
  samples.sort((a, b) => a - b);
  add(`n${String(size)}.p50_ms`, quantile(samples, 0.5), "ms");
  add(`n${String(size)}.p99_ms`, quantile(samples, 0.99), "ms");
}

async function measureChange(bed: Bed, add: Add): Promise<void> {
  const times: number[] = [];
  const name = `n${String(CHILDREN)}-0`;
  await settled(bed);
  const bodiesBefore = await bodyBytes(bed);
  const writesBefore = await writes(bed);
  for (let round = 0; round < ROUNDS; round += 1) {
    const value = `changed-${String(round)}`;
    const changedAt = performance.now();
    await putTemplate(bed, name, value);
    times.push(Math.max(...(await arrived(bed, `${name}/${value}`, CHILDREN)).values()) - changedAt);
  }
  // Statuses follow.
  await settled(bed);
  const bodies = ((await bodyBytes(bed)) - bodiesBefore) / ROUNDS / CHILDREN;
  const written = difference(writesBefore, await writes(bed));
  for (const [what, count] of written)
    process.stderr.write(`per cluster and change: ${(count / ROUNDS / CHILDREN).toFixed(2)} ${what}\n`);
  add(`change.n${String(CHILDREN)}.writes_per_cluster`, sum(written) / ROUNDS / CHILDREN, "writes");
  add(
    `change.n${String(CHILDREN)}.p50_ms`,
    quantile(
      times.sort((a, b) => a - b),
      0.5,
    ),
    "ms",
  );
  add(`change.n${String(CHILDREN)}.body_bytes_per_cluster`, bodies, "bytes");
  add(`change.n${String(CHILDREN)}.body_of_object`, bodies / JSON.stringify(templateOf(name, "changed-0")).length, "ratio");
}

async function measureSettled(bed: Bed, add: Add): Promise<void> {
  await settled(bed);
  const before = await writes(bed);
  await pause((SETTLED_SECONDS * 1_000) / 2);
  await bed.components.restart();
  await pause((SETTLED_SECONDS * 1_000) / 2);
  const written = difference(before, await writes(bed));
  if (written.size > 0) process.stderr.write(`written while settled: ${[...written].map((pair) => pair.join(" ")).join(", ")}\n`);
  add("settled.seconds", SETTLED_SECONDS, "s");
  add("settled.writes", sum(written), "writes");
}

async function measureMemory(bed: Bed, add: Add): Promise<void> {
  const startedAt = performance.now();
  for (let number = 0; number < MANY; number += 10) {
    await Promise.all(
      Array.from({ length: Math.min(10, MANY - number) }, async (_, index) => {
        const name = `many-${String(number + index)}`;
        await putTemplate(bed, name, "1");
        await subscribe(bed, name, { "to-10": "yes" });
      }),
    );
  }
  await eventually(
    "every Subscription is delivered",
    () => {
      const complete = [...bed.arrivals].filter(([key, children]) => key.startsWith("many-") && children.size === 10).length;
      if (complete < MANY) throw new Error(`${String(complete)} of ${String(MANY)} are delivered`);
      return Promise.resolve(true);
    },
    { timeoutMs: MANY_MS_MAX },
  );
  add(`many.n${String(MANY)}.seconds`, (performance.now() - startedAt) / 1_000, "s");
  await settled(bed);
  const { peakRssBytes } = await processUse(bed.components.pids["controller-manager"]());
  add(`many.n${String(MANY)}.controller_manager.peak_rss_bytes`, peakRssBytes, "bytes");
}

// The bed.

async function startBed(stack: AsyncDisposableStack): Promise<Bed> {
  const controlPlane = stack.use(await startControlPlane({ name: "parent" }));
  const parent = createClient(stack.use(await connectKubeconfig({ path: controlPlane.adminKubeconfig })), { component: "bench" });
  const { signal } = new AbortController();
  const light = stack.use(await startLightChildren());
  const arrivals: Bed["arrivals"] = new Map();
  light.onApplied = ({ child, name, data, atMs }) => {
    const key = `${name}/${(data as { readonly value: string }).value}`;
    const known = arrivals.get(key) ?? new Map<string, number>();
    arrivals.set(key, known);
    if (!known.has(child)) known.set(child, atMs);
  };
  await installKinds(parent, [namespaces.system, namespaces.reserved, SHOP], signal);
  const names = Array.from({ length: CHILDREN }, (_, index) => `child-${String(index)}`);
  for (const [index, name] of names.entries()) await addCluster(parent, { name, index }, signal);
  const components = await startComponents(controlPlane, { light, names, stack });
  return { controlPlane, parent, signal, arrivals, components };
}

async function addCluster(
  parent: Client,
  { name, index }: { readonly name: string; readonly index: number },
  signal: AbortSignal,
): Promise<void> {
  const clusterId = `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`;
  const groups = SIZES.filter((size) => index < size).map((size) => [`to-${String(size)}`, "yes"]);
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
  await parent.apply(Namespace, namespace, { fieldManager: "bench", force: true }, signal);
  const own = {
    [labels.clusterId]: clusterId,
    [labels.clusterName]: name,
    ...(Object.fromEntries(groups) as Record<string, string>),
  };
  await parent.create(
    ManagedCluster,
    {
      apiVersion: ManagedCluster.apiVersion,
      kind: ManagedCluster.kind,
      metadata: { namespace: name, name, labels: own },
      spec: { clusterId, syncMode: "Pull" },
    },
    signal,
  );
}

async function startComponents(
  controlPlane: ControlPlane,
  {
    light,
    names,
    stack,
  }: { readonly light: LightChildren; readonly names: readonly string[]; readonly stack: AsyncDisposableStack },
): Promise<Components> {
  const config: AgentsConfig = {
    kubeconfig: controlPlane.adminKubeconfig,
    children: names.map((name) => ({ name, server: light.serverOf(name) })),
  };
  const components = new Map<string, OwnedProcess>();
  let agents: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    for (const name of COMPONENTS) components.set(name, await startComponent(controlPlane, { name }));
    // They end when the channel to us does.
    agents = fork(join(import.meta.dirname, "delivery-agents.ts"), [JSON.stringify(config)], {
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
    await once(agents, "message");
  };
  const stop = async (): Promise<void> => {
    await Promise.all([...components.values()].map((component) => component.stop(STOP_MS_MAX)));
    if (agents === undefined || agents.exitCode !== null || agents.signalCode !== null) return;
    agents.kill("SIGTERM");
    await once(agents, "exit");
  };
  stack.defer(stop);
  await start();
  const pidOf = (name: string) => (): number => components.get(name)?.pid ?? 0;
  return {
    pids: { scheduler: pidOf("scheduler"), "controller-manager": pidOf("controller-manager") },
    restart: async () => {
      await stop();
      await start();
    },
  };
}

// What happens on it.

function templateOf(name: string, value: string): Manifest["template"] {
  const data = { value, text: "x".repeat(TEXT_BYTES) };
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: SHOP, name }, data };
}

async function putTemplate({ parent, signal }: Bed, name: string, value: string): Promise<void> {
  const metadata = { namespace: namespaces.reserved, name: `configmaps.${SHOP}.${name}` };
  const manifest = { apiVersion: Manifest.apiVersion, kind: Manifest.kind, metadata, template: templateOf(name, value) };
  await parent.apply(Manifest, manifest, { fieldManager: "bench", force: true }, signal);
}

async function subscribe({ parent, signal }: Bed, name: string, matchLabels: Readonly<Record<string, string>>): Promise<void> {
  const spec = {
    subscribers: [{ clusterAffinity: { matchLabels } }],
    feeds: [{ apiVersion: "v1", kind: "ConfigMap", namespace: SHOP, name }],
  } as unknown as Subscription["spec"];
  const { apiVersion, kind } = Subscription;
  await parent.create(Subscription, { apiVersion, kind, metadata: { namespace: SHOP, name }, spec }, signal);
}

function arrived({ arrivals }: Bed, key: string, count: number): Promise<Map<string, number>> {
  return eventually(
    `${key} is in ${String(count)} children`,
    () => {
      const children = arrivals.get(key);
      if (children?.size !== count) throw new Error(`It is in ${String(children?.size ?? 0)}`);
      return Promise.resolve(children);
    },
    { timeoutMs: DELIVERED_MS_MAX },
  );
}

/** Nothing was written for a while. */
async function settled(bed: Bed): Promise<void> {
  const QUIET_MS = 3_000;
  let before = await writes(bed);
  for (let quiet = false; !quiet;) {
    await pause(QUIET_MS);
    const now = await writes(bed);
    quiet = [...now].every(([what, count]) => before.get(what) === count);
    before = now;
  }
}

const WRITE_VERBS = new Set(["POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"]);

/** Writes that the parent served, by verb and resource; leases, Events and heartbeats are not counted. */
async function writes(bed: Bed): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const { name, labels: own, value } of await metricsOf(bed)) {
    const { verb = "", resource = "", subresource = "" } = own;
    if (name !== "apiserver_request_total" || !WRITE_VERBS.has(verb) || ["leases", "events"].includes(resource)) continue;
    if (resource === "managedclusters" && subresource === "status") continue;
    const what = `${verb} ${resource}${subresource === "" ? "" : `/${subresource}`}`;
    counts.set(what, (counts.get(what) ?? 0) + value);
  }
  return counts;
}

function difference(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  return new Map(
    [...after].map(([what, count]) => [what, count - (before.get(what) ?? 0)] as const).filter(([, count]) => count > 0),
  );
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, count) => total + count, 0);
}

/** Bytes of request bodies about our kinds. */
async function bodyBytes(bed: Bed): Promise<number> {
  const ours = (await metricsOf(bed)).filter(
    ({ name, labels: own }) => name === "apiserver_request_body_size_bytes_sum" && (own["group"] ?? "").endsWith("clusternet.io"),
  );
  return ours.reduce((sum, { value }) => sum + value, 0);
}

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

async function metricsOf({ controlPlane }: Bed): Promise<readonly Sample[]> {
  const { text } = await controlPlane.admin.request({ method: "GET", path: "/metrics" });
  return text.split("\n").flatMap((line) => {
    const match = /^(apiserver_request_(?:total|body_size_bytes_sum))\{(.*)\} (\S+)$/.exec(line);
    if (match === null) return [];
    const [, name = "", own = "", value] = match;
    const pairs = [...own.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = "", text = ""]) => [key, text]);
    return [{ name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) }];
  });
}
