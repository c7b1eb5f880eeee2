// What the data path costs: GET of a 1 KB ConfigMap as an ordinary user, by way and by number of connections, in one run.
//
//   direct   → child's kube-apiserver                      ceiling  → parent's kube-apiserver → a trivial TLS server
//   parent   → parent's kube-apiserver → hub → agent → child         hub  → hub → agent → child
//
// The child's own counter must rise by what was sent; a run in which direct is not 2.5 times the ceiling says nothing and is refused.

import { spawn, type ChildProcess } from "node:child_process";
import { openSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MALLOC_ARENAS_MAX, nodeOptionsOf } from "#install/deployment.ts";
import { createCertificateAuthority, issueCertificate } from "#std/certificates.ts";
import { socketProxyPath } from "#api/proxies/v1alpha1/socket.ts";
import {
  allow,
  HUB_PORT,
  hubAuthority,
  installAgentAccounts,
  installHub,
  isAvailable,
  socketsProxyRules,
  SYSTEM_NAMESPACE,
  tokenOf,
} from "#test/conformance/hub-objects.ts";
import type { ApiClient } from "#test/framework/api-client.ts";
import { startControlPlane, type ControlPlane } from "#test/framework/control-plane.ts";
import { eventually } from "#test/framework/eventually.ts";
import { compileInto } from "./proxy-compiled.ts";
import { generateLoad, type LoadResult } from "./load-generator.ts";
import { processUse, type ProcessUse } from "./proxy-processes.ts";
import type { ProxyAgentConfig } from "./proxy-agent.ts";

export interface BenchValue {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

const CONNECTIONS = [1, 8, 32] as const;
const ROUNDS = Number(process.env["BENCH_ROUNDS"] ?? 3);
const SECONDS = Number(process.env["BENCH_SECONDS"] ?? 3);
/** Those of the Deployments. For whoever looks for what is slow: `--cpu-prof --cpu-prof-dir=DIR`, and a file for what the processes log. */
const NODE_FLAGS = (process.env["BENCH_NODE_FLAGS"] ?? nodeOptionsOf("hub")).split(" ").filter((flag) => flag !== "");
const LOG = process.env["BENCH_LOG"];
const WAYS_MEASURED = process.env["BENCH_WAYS"]?.split(",");
const USER = "bench-user";
const CEILING_PORT = 8444;
const CEILING_GROUP = "ceiling.bench.example";
const DIRECT_OF_CEILING_MIN = 2.5;
const WAYS = ["direct", "ceiling", "parent", "hub"] as const;
type Way = (typeof WAYS)[number];

export async function run(print: (line: string) => void): Promise<BenchValue[]> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "clusternet-bench-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  print("starting a parent and a child");
  const [parent, child] = await Promise.all([startControlPlane({ name: "parent" }), startControlPlane({ name: "child" })]);
  stack.use(parent);
  stack.use(child);
  const bed = await startProcesses({ parent, child, directory, stack, print });
  const samples = await measure(bed, print);
  return await report(bed, samples, print);
}

interface Bed {
  readonly parent: ControlPlane;
  readonly child: ControlPlane;
  readonly urls: Readonly<Record<Way, string>>;
  readonly files: Readonly<Record<Way, { readonly caFile: string; readonly certFile: string; readonly keyFile: string }>>;
  readonly pids: Readonly<Record<string, number>>;
}

interface Start {
  readonly parent: ControlPlane;
  readonly child: ControlPlane;
  readonly directory: string;
  readonly stack: AsyncDisposableStack;
  readonly print: (line: string) => void;
}

async function startProcesses({ parent, child, directory, stack, print }: Start): Promise<Bed> {
  const program = join(directory, "program");
  await compileInto(program, ["test/bench/proxy-agent.ts"]);
  const clusterId = (await child.admin.get<{ metadata: { uid: string } }>("/api/v1/namespaces/kube-system"))?.metadata.uid ?? "";
  const hubAddress = await installHub(parent);
  await installAgentAccounts(parent, child, clusterId);
  await grantUser(parent.admin, child.admin);
  const node = process.execPath;
  const start = (file: string, args: readonly string[]): ChildProcess => {
    const started = spawn(node, [...NODE_FLAGS, file, ...args], {
      stdio: ["ignore", LOG === undefined ? "ignore" : openSync(LOG, "a"), "inherit"],
      env: { ...process.env, NODE_ENV: "production", MALLOC_ARENA_MAX: MALLOC_ARENAS_MAX },
    });
    stack.defer(() => void started.kill(NODE_FLAGS.length === 0 ? "SIGKILL" : "SIGTERM"));
    return started;
  };
  print("starting the hub, the agent and the ceiling");
  const hubKubeconfig = await writeTokenKubeconfig(
    join(directory, "hub.kubeconfig"),
    parent,
    await tokenOf(parent.admin, "clusternet-hub"),
  );
  const hub = start(join(program, "runtime/main.js"), [
    "hub",
    `--kubeconfig=${hubKubeconfig}`,
    `--bind-address=${hubAddress}`,
    `--secure-port=${String(HUB_PORT)}`,
    "--health-port=0",
    `--leader-elect-resource-namespace=${SYSTEM_NAMESPACE}`,
  ]);
  await eventually("the hub is available", () => isAvailable(parent.admin));
  const config: ProxyAgentConfig = {
    clusterId,
    parent: { server: parent.server, caPem: parent.caPem, token: await tokenOf(parent.admin, "clusternet-agent") },
    child: { server: child.server, caPem: child.caPem, token: await tokenOf(child.admin, "clusternet-proxy") },
    parentSystemNamespace: SYSTEM_NAMESPACE,
  };
  await writeFile(join(directory, "agent.json"), JSON.stringify(config), { mode: 0o600 });
  const agent = start(join(program, "test/bench/proxy-agent.js"), [join(directory, "agent.json")]);
  const ceiling = await startCeiling(parent, { directory, start });
  // From the child's watch cache: a read from etcd would cost more than everything else, and direct would be no measure.
  const path = "/api/v1/namespaces/default/configmaps/bench?resourceVersion=0";
  const proxyPath = socketProxyPath(clusterId) + path;
  const parentFiles = await userFiles(parent, directory, "parent");
  const childFiles = await userFiles(child, directory, "child");
  const hubCa = join(directory, "hub-ca.crt");
  await writeFile(hubCa, await hubAuthority(parent.admin));
  const bed: Bed = {
    parent,
    child,
    urls: {
      direct: child.server + path,
      ceiling: `${parent.server}/apis/${CEILING_GROUP}/v1${path}`,
      parent: parent.server + proxyPath,
      hub: `https://${hubAddress}:${String(HUB_PORT)}${proxyPath}`,
    },
    files: { direct: childFiles, ceiling: parentFiles, parent: parentFiles, hub: { ...parentFiles, caFile: hubCa } },
    pids: {
      hub: hub.pid ?? 0,
      agent: agent.pid ?? 0,
      ceiling: ceiling.pid ?? 0,
      "parent kube-apiserver": parent.process("kube-apiserver")?.pid ?? 0,
      "child kube-apiserver": child.process("kube-apiserver")?.pid ?? 0,
    },
  };
  for (const way of WAYS)
    await eventually(`${way} answers`, () =>
      generateLoad({ url: bed.urls[way], connections: 1, seconds: 0.2, ...bed.files[way] }),
    );
  return bed;
}

async function grantUser(parent: ApiClient, child: ApiClient): Promise<void> {
  const subject = { kind: "User", name: USER, apiGroup: "rbac.authorization.k8s.io" };
  const get = { apiGroups: ["*"], resources: ["configmaps", "configmaps/status", "namespaces"], verbs: ["get"] };
  await allow(parent, {
    name: USER,
    subject,
    rules: [...socketsProxyRules, { ...get, resources: ["*"], apiGroups: [CEILING_GROUP] }],
  });
  await allow(child, { name: USER, subject, rules: [get] });
  const data = { text: "x".repeat(1024) };
  await child.create("/api/v1/namespaces/default/configmaps", {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "bench" },
    data,
  });
}

async function startCeiling(
  { admin }: ControlPlane,
  { directory, start }: { readonly directory: string; readonly start: (file: string, args: readonly string[]) => ChildProcess },
): Promise<ChildProcess> {
  const labels = { "kubernetes.io/service-name": "ceiling" };
  const ports = [{ name: "https", port: CEILING_PORT, protocol: "TCP" }];
  const { spec } = await admin.create<{ spec: { clusterIP: string } }>(`/api/v1/namespaces/${SYSTEM_NAMESPACE}/services`, {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "ceiling" },
    spec: { ports: [{ ...ports[0], targetPort: CEILING_PORT }] },
  });
  await admin.create(`/apis/discovery.k8s.io/v1/namespaces/${SYSTEM_NAMESPACE}/endpointslices`, {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "ceiling-1", labels },
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.244.0.2"], conditions: { ready: true } }],
    ports,
  });
  const authority = await createCertificateAuthority({ commonName: "ceiling", validDays: 1 });
  const names = [`ceiling.${SYSTEM_NAMESPACE}.svc`];
  const certificate = await issueCertificate(authority, {
    commonName: "ceiling",
    dnsNames: names,
    usages: ["server"],
    validDays: 1,
  });
  await admin.create("/apis/apiregistration.k8s.io/v1/apiservices", {
    apiVersion: "apiregistration.k8s.io/v1",
    kind: "APIService",
    metadata: { name: `v1.${CEILING_GROUP}` },
    spec: {
      group: CEILING_GROUP,
      version: "v1",
      groupPriorityMinimum: 1000,
      versionPriority: 100,
      caBundle: Buffer.from(authority.certificatePem).toString("base64"),
      service: { name: "ceiling", namespace: SYSTEM_NAMESPACE, port: CEILING_PORT },
    },
  });
  await writeFile(join(directory, "ceiling.json"), JSON.stringify({ host: spec.clusterIP, port: CEILING_PORT, ...certificate }), {
    mode: 0o600,
  });
  return start(join(import.meta.dirname, "proxy-ceiling.mjs"), [join(directory, "ceiling.json")]);
}

async function userFiles(
  { authorities, caPem }: ControlPlane,
  directory: string,
  name: string,
): Promise<{ caFile: string; certFile: string; keyFile: string }> {
  const certificate = await issueCertificate(authorities.cluster, { commonName: USER, usages: ["client"], validDays: 1 });
  const file = (suffix: string): string => join(directory, `${name}-${suffix}`);
  await writeFile(file("ca.crt"), caPem);
  await writeFile(file("user.crt"), certificate.certificatePem);
  await writeFile(file("user.key"), certificate.privateKeyPem, { mode: 0o600 });
  return { caFile: file("ca.crt"), certFile: file("user.crt"), keyFile: file("user.key") };
}

async function writeTokenKubeconfig(path: string, { server, caPem }: ControlPlane, token: string): Promise<string> {
  const kubeconfig = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "parent", cluster: { server, "certificate-authority-data": Buffer.from(caPem).toString("base64") } }],
    users: [{ name: "hub", user: { token } }],
    contexts: [{ name: "hub", context: { cluster: "parent", user: "hub" } }],
    "current-context": "hub",
  };
  await writeFile(path, JSON.stringify(kubeconfig), { mode: 0o600 });
  return path;
}

interface Sample extends LoadResult {
  readonly way: Way;
  readonly connections: number;
  readonly cpuUsPerRequest: Readonly<Record<string, number>>;
}

async function measure(bed: Bed, print: (line: string) => void): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const connections of CONNECTIONS) {
      for (const way of WAYS) {
        if (WAYS_MEASURED?.includes(way) === false) continue;
        const sample = await measureOne(bed, way, connections);
        samples.push(sample);
        const cpu = Object.entries(sample.cpuUsPerRequest).map(([name, value]) => `${name} ${value.toFixed(0)}`);
        print(
          `${way.padEnd(8)} c=${String(connections).padStart(2)}  ${sample.requestsPerSecond.toFixed(0).padStart(6)} req/s  p50 ${sample.p50Ms.toFixed(3)}  p99 ${sample.p99Ms.toFixed(2)} ms  CPU µs/request: ${cpu.join(", ")}`,
        );
      }
    }
  }
  return samples;
}

async function measureOne(bed: Bed, way: Way, connections: number): Promise<Sample> {
  const before = await uses(bed);
  const counterBefore = await childCounter(bed.child.admin);
  const result = await generateLoad({ url: bed.urls[way], connections, seconds: SECONDS, ...bed.files[way] });
  const counted = (await childCounter(bed.child.admin)) - counterBefore;
  if (way !== "ceiling" && counted < result.requests) {
    throw new Error(
      `The child counted ${String(counted)} of ${String(result.requests)} requests by way of ${way}: something answered in its place`,
    );
  }
  const after = await uses(bed);
  // The warm-up is in both, requests and CPU time; the child's counter knows how many they were together.
  const total = way === "ceiling" ? result.requests * (1 + 1 / SECONDS) : counted;
  const cpuUsPerRequest = Object.fromEntries(
    Object.entries(after).map(([name, use]) => [name, ((use.cpuMs - (before[name]?.cpuMs ?? 0)) * 1_000) / total]),
  );
  return { ...result, way, connections, cpuUsPerRequest };
}

async function uses({ pids }: Bed): Promise<Record<string, ProcessUse>> {
  return Object.fromEntries(
    await Promise.all(Object.entries(pids).map(async ([name, pid]) => [name, await processUse(pid)] as const)),
  );
}

/** GETs of ConfigMaps that the child's kube-apiserver has served. */
async function childCounter(admin: ApiClient): Promise<number> {
  const { text } = await admin.request({ method: "GET", path: "/metrics" });
  const lines = text
    .split("\n")
    .filter((line) => line.startsWith("apiserver_request_total{") && line.includes('resource="configmaps"'));
  return lines
    .filter((line) => line.includes('verb="GET"'))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

async function report(bed: Bed, samples: readonly Sample[], print: (line: string) => void): Promise<BenchValue[]> {
  const median = (way: Way, connections: number, of: (sample: Sample) => number): number => {
    const values = samples.filter((sample) => sample.way === way && sample.connections === connections).map(of);
    return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
  };
  const values: BenchValue[] = [];
  for (const connections of CONNECTIONS) {
    const rate = (way: Way): number => median(way, connections, (sample) => sample.requestsPerSecond);
    for (const way of WAYS) {
      const prefix = `proxy.${way}.c${String(connections)}`;
      values.push({ name: `${prefix}.req_per_s`, value: rate(way), unit: "req/s" });
      values.push({ name: `${prefix}.p50_ms`, value: median(way, connections, (sample) => sample.p50Ms), unit: "ms" });
      values.push({ name: `${prefix}.p99_ms`, value: median(way, connections, (sample) => sample.p99Ms), unit: "ms" });
      for (const name of Object.keys(bed.pids)) {
        const cpu = median(way, connections, (sample) => sample.cpuUsPerRequest[name] ?? 0);
        values.push({ name: `${prefix}.${name.replaceAll(" ", "_")}.cpu_us_per_request`, value: cpu, unit: "µs" });
      }
    }
    const p50 = (way: Way): number => median(way, connections, (sample) => sample.p50Ms);
    const prefix = (way: Way): string => `proxy.${way}.c${String(connections)}`;
    values.push({ name: `${prefix("direct")}.of_ceiling`, value: rate("direct") / rate("ceiling"), unit: "ratio" });
    values.push({ name: `${prefix("parent")}.of_ceiling`, value: rate("parent") / rate("ceiling"), unit: "ratio" });
    values.push({ name: `${prefix("hub")}.of_direct`, value: rate("hub") / rate("direct"), unit: "ratio" });
    values.push({ name: `${prefix("hub")}.p50_of_direct`, value: p50("hub") / p50("direct"), unit: "ratio" });
  }
  for (const [name, { peakRssBytes }] of Object.entries(await uses(bed))) {
    values.push({ name: `proxy.${name.replaceAll(" ", "_")}.rss_bytes`, value: peakRssBytes, unit: "bytes" });
  }
  for (const target of TARGETS) print(judge(target, values));
  const weak = CONNECTIONS.filter(
    (connections) => valueOf(values, `proxy.direct.c${String(connections)}.of_ceiling`) < DIRECT_OF_CEILING_MIN,
  );
  if (weak.length > 0)
    print(
      `This run does not count: direct is less than ${String(DIRECT_OF_CEILING_MIN)} × the ceiling at ${weak.join(", ")} connections`,
    );
  return values;
}

const MEGABYTE = 1_000_000;
const TARGETS = [
  { name: "proxy.parent.c1.of_ceiling", atLeast: 0.55 },
  { name: "proxy.parent.c32.of_ceiling", atLeast: 0.6 },
  { name: "proxy.hub.c1.p50_of_direct", atMost: 4 },
  { name: "proxy.hub.c32.of_direct", atLeast: 0.4 },
  { name: "proxy.hub.rss_bytes", atMost: 150 * MEGABYTE },
  { name: "proxy.agent.rss_bytes", atMost: 130 * MEGABYTE },
] as const;

function judge(target: (typeof TARGETS)[number], values: readonly BenchValue[]): string {
  const value = valueOf(values, target.name);
  const isMet = "atLeast" in target ? value >= target.atLeast : value <= target.atMost;
  const bound = "atLeast" in target ? `≥ ${String(target.atLeast)}` : `≤ ${String(target.atMost)}`;
  return `${isMet ? "met   " : "MISSED"} ${target.name} = ${value < 100 ? value.toFixed(3) : value.toFixed(0)} (${bound})`;
}

function valueOf(values: readonly BenchValue[], name: string): number {
  return values.find((value) => value.name === name)?.value ?? Number.NaN;
}

if (import.meta.main) {
  await run((line) => {
    process.stdout.write(`${line}\n`);
  });
  process.exit(0);
}
