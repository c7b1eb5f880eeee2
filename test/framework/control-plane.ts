// Starts and stops one real control plane on loopback: etcd, kube-apiserver, kube-controller-manager and, when asked, kube-scheduler.
//
// Flags are those of a kubeadm cluster where they matter to us (front proxy, bootstrap tokens, RBAC) and defaults otherwise: the product
// has to work with them. Service addresses are loopback addresses, so kube-aggregator dials a ClusterIP that a process can listen on.

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { abortReason } from "#std/abort.ts";
import { connectApiClient, type ApiClient } from "#test/framework/api-client.ts";
import { freePort, leaseAddressSlot, type AddressSlot } from "#test/framework/address-slot.ts";
import {
  writeControlPlaneCertificates,
  writeKubeconfig,
  type CertificateFiles,
  type ControlPlaneAuthorities,
  type Identity,
} from "#test/framework/certificates.ts";
import { createOwnedDirectory, logTail, type OwnedDirectory, type OwnedProcess } from "#test/framework/owned-directory.ts";
import { resolveTool, type ToolName } from "#tools/toolchain.ts";

export interface ControlPlaneOptions {
  /** Appears in kubeconfigs and log lines. */
  readonly name?: string;
  /** Without it there are no ServiceAccounts, no EndpointSlices and no garbage collection. Default: true. */
  readonly controllerManager?: boolean;
  /** Default: false; the process node binds pods itself. */
  readonly scheduler?: boolean;
  /** Added to kube-apiserver's command line; a flag given here wins. */
  readonly apiserverFlags?: readonly string[];
}

/** What a test needs to talk to a control plane. Everything is plain data except the one function. */
export interface ControlPlaneAccess {
  readonly name: string;
  /** `https://127.x.255.1:6443`. */
  readonly server: string;
  readonly host: string;
  readonly port: number;
  readonly caPem: string;
  /** The path of a kubeconfig of a member of system:masters. */
  readonly adminKubeconfig: string;
  /** Holds data, certificates and `logs/`; removed at the end. */
  readonly directory: string;
  readonly authorities: ControlPlaneAuthorities;
  readonly serviceRange: string;
  readonly slot: number;
  /** Makes a client certificate for the identity and returns the path of a kubeconfig with it. */
  kubeconfigFor(identity: Identity): Promise<string>;
}

export interface ControlPlane extends ControlPlaneAccess, AsyncDisposable {
  /** Starts further processes that live and die with the control plane (kwok, pods). */
  readonly processes: OwnedDirectory;
  readonly addresses: AddressSlot;
  /** Milliseconds from the first process to the first ServiceAccount. */
  readonly startedInMs: number;
  /** Ends kube-apiserver at once, as a crash does. Its data stay. */
  stopApiserver(): Promise<void>;
  /** Starts it again at the same address with the same data. */
  startApiserver(): Promise<void>;
  restartApiserver(): Promise<void>;
  /** What kube-apiserver, etcd and the others of this control plane run as, by tool. */
  process(tool: ToolName): OwnedProcess | undefined;
  /** Talks to it as a member of system:masters. */
  readonly admin: ApiClient;
}

const START_LIMIT_MS = 60_000;
const POLL_MS = 25;
const ETCD_PORT = 2379;
const ETCD_PEER_PORT = 2380;
const APISERVER_PORT = 6443;
const CONTROLLER_MANAGER_PORT = 10257;
const SCHEDULER_PORT = 10259;

export async function startControlPlane(options: ControlPlaneOptions = {}, signal?: AbortSignal): Promise<ControlPlane> {
  const tools = await toolsFor(options);
  await using stack = new AsyncDisposableStack();
  const addresses = stack.use(await leaseAddressSlot());
  const name = options.name ?? `cluster-${String(addresses.slot)}`;
  const processes = stack.use(await createOwnedDirectory(name));
  const bed = await prepare({ name, addresses, processes, tools, options });
  stack.use(bed.admin);
  signal?.throwIfAborted();
  const startedAt = performance.now();
  await startAll(bed, signal);
  const startedInMs = Math.round(performance.now() - startedAt);
  // From here on the caller owns everything.
  const owned = stack.move();
  return {
    ...accessOf(bed),
    processes,
    addresses,
    startedInMs,
    admin: bed.admin,
    stopApiserver: () => stopApiserver(bed),
    startApiserver: () => startApiserver(bed),
    restartApiserver: async () => {
      await stopApiserver(bed);
      await startApiserver(bed);
    },
    process: (tool) => bed.running.get(tool),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A handle on a control plane that another process owns, made from its data. */
export function controlPlaneAccess(data: Omit<ControlPlaneAccess, "kubeconfigFor">): ControlPlaneAccess {
  let kubeconfigs = 0;
  return {
    ...data,
    kubeconfigFor: (identity) => {
      kubeconfigs += 1;
      const file = `${identity.user.replaceAll(/[^a-zA-Z0-9.-]/g, "_")}-${String(process.pid)}-${String(kubeconfigs)}.kubeconfig`;
      return writeKubeconfig({
        path: join(data.directory, file),
        name: data.name,
        server: data.server,
        authority: data.authorities.cluster,
        ...identity,
      });
    },
  };
}

interface Bed {
  readonly name: string;
  readonly options: ControlPlaneOptions;
  readonly tools: ReadonlyMap<ToolName, string>;
  readonly addresses: AddressSlot;
  readonly processes: OwnedDirectory;
  readonly certificates: CertificateFiles;
  readonly ports: Readonly<Record<"etcd" | "etcdPeer" | "apiserver" | "controllerManager" | "scheduler", number>>;
  readonly adminKubeconfig: string;
  readonly admin: ApiClient;
  readonly running: Map<ToolName, OwnedProcess>;
}

async function toolsFor({ controllerManager = true, scheduler = false }: ControlPlaneOptions): Promise<Map<ToolName, string>> {
  const names: ToolName[] = ["etcd", "kube-apiserver"];
  if (controllerManager) names.push("kube-controller-manager");
  if (scheduler) names.push("kube-scheduler");
  return new Map(await Promise.all(names.map(async (tool) => [tool, await resolveTool(tool)] as const)));
}

async function prepare(given: Pick<Bed, "name" | "addresses" | "processes" | "tools" | "options">): Promise<Bed> {
  const { name, addresses, processes } = given;
  const { host } = addresses;
  const ports = {
    etcd: await freePort(host, ETCD_PORT),
    etcdPeer: await freePort(host, ETCD_PEER_PORT),
    apiserver: await freePort(host, APISERVER_PORT),
    controllerManager: await freePort(host, CONTROLLER_MANAGER_PORT),
    scheduler: await freePort(host, SCHEDULER_PORT),
  };
  const certificates = await writeControlPlaneCertificates({
    directory: processes.path,
    host,
    kubernetesServiceAddress: addresses.kubernetesServiceAddress,
  });
  const authority = certificates.authorities.cluster;
  const kubeconfig = (file: string, identity: Identity): Promise<string> =>
    writeKubeconfig({ path: join(processes.path, file), name, server: serverUrl(host, ports.apiserver), authority, ...identity });
  const adminKubeconfig = await kubeconfig("admin.kubeconfig", { user: "kubernetes-admin", groups: ["system:masters"] });
  await kubeconfig("kube-controller-manager.kubeconfig", { user: "system:kube-controller-manager" });
  await kubeconfig("kube-scheduler.kubeconfig", { user: "system:kube-scheduler" });
  return {
    ...given,
    certificates,
    ports,
    adminKubeconfig,
    admin: await connectApiClient(adminKubeconfig),
    running: new Map(),
  };
}

function accessOf({ name, addresses, certificates, ports, adminKubeconfig, processes }: Bed): ControlPlaneAccess {
  return controlPlaneAccess({
    name,
    server: serverUrl(addresses.host, ports.apiserver),
    host: addresses.host,
    port: ports.apiserver,
    caPem: certificates.authorities.cluster.certificatePem,
    adminKubeconfig,
    directory: processes.path,
    authorities: certificates.authorities,
    serviceRange: addresses.serviceRange,
    slot: addresses.slot,
  });
}

function serverUrl(host: string, port: number): string {
  return `https://${host}:${String(port)}`;
}

async function startAll(bed: Bed, signal: AbortSignal | undefined): Promise<void> {
  const { options, running } = bed;
  running.set("etcd", await start(bed, "etcd", etcdFlags(bed)));
  await startApiserver(bed, signal);
  if (options.scheduler === true) running.set("kube-scheduler", await start(bed, "kube-scheduler", schedulerFlags(bed)));
  if (options.controllerManager === false) return;
  running.set("kube-controller-manager", await start(bed, "kube-controller-manager", controllerManagerFlags(bed)));
  // The last thing that pods need, and it takes several of its controllers to make it.
  await waitFor(
    bed,
    { tool: "kube-controller-manager", isReady: () => isServed(bed, "/api/v1/namespaces/default/serviceaccounts/default") },
    signal,
  );
}

async function startApiserver(bed: Bed, signal?: AbortSignal): Promise<void> {
  const current = bed.running.get("kube-apiserver");
  if (current !== undefined && !current.hasExited) return;
  bed.running.set("kube-apiserver", await start(bed, "kube-apiserver", apiserverFlags(bed)));
  await waitFor(bed, { tool: "kube-apiserver", isReady: () => isServed(bed, "/readyz") }, signal);
}

async function stopApiserver(bed: Bed): Promise<void> {
  // SIGTERM would take up to 70 s while watches are open, and hold the port all the time.
  await bed.running.get("kube-apiserver")?.stop(0);
}

function start({ processes, tools }: Bed, tool: ToolName, flags: readonly string[]): Promise<OwnedProcess> {
  // These servers need nothing from the caller's environment, and proxy variables in it would only confuse them.
  const { GOGC } = process.env;
  const env = { HOME: processes.path, ...(GOGC === undefined ? {} : { GOGC }) };
  return processes.start(tools.get(tool) ?? tool, flags, { log: `${tool}.log`, env });
}

async function isServed({ admin }: Bed, path: string): Promise<boolean> {
  try {
    return (await admin.request({ method: "GET", path })).status === 200;
  } catch {
    return false;
  }
}

async function waitFor(
  bed: Bed,
  { tool, isReady }: { readonly tool: ToolName; readonly isReady: () => Promise<boolean> },
  signal?: AbortSignal,
): Promise<void> {
  const owned = bed.running.get(tool);
  const deadline = performance.now() + START_LIMIT_MS;
  while (!(await isReady())) {
    if (signal?.aborted === true) throw abortReason(signal);
    const logFile = owned?.logFile ?? "";
    if (owned?.hasExited === true) throw new Error(`${tool} ended during its start; the end of ${logFile}:\n${logTail(logFile)}`);
    if (performance.now() > deadline) {
      throw new Error(`${tool} is not ready after ${String(START_LIMIT_MS)} ms; the end of ${logFile}:\n${logTail(logFile)}`);
    }
    await sleep(POLL_MS);
  }
}

function etcdFlags({ processes, addresses: { host }, ports }: Bed): string[] {
  const client = `http://${host}:${String(ports.etcd)}`;
  const peer = `http://${host}:${String(ports.etcdPeer)}`;
  return [
    `--data-dir=${join(processes.path, "etcd")}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    "--log-level=warn",
    // Losing a test's data when the machine crashes is fine.
    "--unsafe-no-fsync",
  ];
}

function apiserverFlags({ addresses, ports, certificates: { file }, processes, options }: Bed): string[] {
  return [
    `--advertise-address=${addresses.host}`,
    `--bind-address=${addresses.host}`,
    `--secure-port=${String(ports.apiserver)}`,
    `--cert-dir=${processes.path}`,
    `--tls-cert-file=${file("apiserver.crt")}`,
    `--tls-private-key-file=${file("apiserver.key")}`,
    `--client-ca-file=${file("ca.crt")}`,
    `--etcd-servers=http://${addresses.host}:${String(ports.etcd)}`,
    `--service-cluster-ip-range=${addresses.serviceRange}`,
    "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
    `--service-account-key-file=${file("service-account.pub")}`,
    `--service-account-signing-key-file=${file("service-account.key")}`,
    "--authorization-mode=Node,RBAC",
    "--enable-admission-plugins=NodeRestriction",
    "--allow-privileged=true",
    "--enable-bootstrap-token-auth=true",
    // It would write the loopback address into an EndpointSlice, which is not allowed.
    "--endpoint-reconciler-type=none",
    `--requestheader-client-ca-file=${file("front-proxy-ca.crt")}`,
    "--requestheader-allowed-names=front-proxy-client",
    "--requestheader-username-headers=X-Remote-User",
    "--requestheader-group-headers=X-Remote-Group",
    "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    `--proxy-client-cert-file=${file("front-proxy-client.crt")}`,
    `--proxy-client-key-file=${file("front-proxy-client.key")}`,
    ...(options.apiserverFlags ?? []),
  ];
}

function controllerManagerFlags({ addresses, ports, certificates: { file }, processes }: Bed): string[] {
  const kubeconfig = join(processes.path, "kube-controller-manager.kubeconfig");
  return [
    `--bind-address=${addresses.host}`,
    `--secure-port=${String(ports.controllerManager)}`,
    `--cert-dir=${processes.path}`,
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    `--service-account-private-key-file=${file("service-account.key")}`,
    `--root-ca-file=${file("ca.crt")}`,
    // The two that kubeadm adds to the default ones.
    "--controllers=*,bootstrapsigner,tokencleaner",
    "--use-service-account-credentials=true",
    "--leader-elect=false",
    // With the default of 20 requests a second it would spend five seconds on its own tokens before it starts.
    "--kube-api-qps=200",
    "--kube-api-burst=400",
  ];
}

function schedulerFlags({ addresses, ports, processes }: Bed): string[] {
  const kubeconfig = join(processes.path, "kube-scheduler.kubeconfig");
  return [
    `--bind-address=${addresses.host}`,
    `--secure-port=${String(ports.scheduler)}`,
    `--cert-dir=${processes.path}`,
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    "--leader-elect=false",
  ];
}
