// Nodes and pods that only say they run (kwok), with logs, exec, attach and port-forward that really work through the apiserver.
//
// kwok manages only nodes with its annotation, so a process node beside it keeps its own. A pod gets to a fake node by the annotation
// `kwok.x-k8s.io/node`, or by `nodeSelector: { type: kwok }`.

import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { stringify } from "yaml";
import { issueCertificate } from "#std/certificates.ts";
import { freePort, TEST_HOST_MAX } from "#test/framework/address-slot.ts";
import type { ControlPlane } from "#test/framework/control-plane.ts";
import type { OwnedProcess } from "#test/framework/owned-directory.ts";
import { eventually } from "#test/framework/eventually.ts";
import { logTail } from "#test/framework/owned-directory.ts";
import { KWOK_ANNOTATION } from "#test/framework/process-node/binder.ts";
import { resolveTool } from "#tools/toolchain.ts";

export interface FakeNodesOptions {
  /** Names of the nodes. Default: fake-node-1. */
  readonly nodes?: readonly string[];
  /** What every container's log starts with. */
  readonly logLines?: readonly string[];
  /** Where port-forward leads, whatever the port. Default: an HTTP server that answers FAKE_POD_ANSWER. */
  readonly portForwardTo?: { readonly address: string; readonly port: number };
}

export interface FakeNodes extends AsyncDisposable {
  readonly nodes: readonly string[];
  /** Adds a line to the log of every fake container; `kubectl logs -f` shows it. */
  writeLogLine(line: string): Promise<void>;
  /** `kubectl exec` runs commands of this machine in this directory. */
  readonly execDirectory: string;
}

export const FAKE_POD_ANSWER = "hello from a fake pod\n";
const KWOK_PORT = 10_350;
const DEFAULT_LOG = ["a fake pod has started", "it does nothing"];

export async function startFakeNodes(controlPlane: ControlPlane, options: FakeNodesOptions = {}): Promise<FakeNodes> {
  const { nodes = ["fake-node-1"], logLines = DEFAULT_LOG } = options;
  await using stack = new AsyncDisposableStack();
  const directory = join(controlPlane.directory, "kwok");
  const execDirectory = join(directory, "exec");
  await mkdir(execDirectory, { recursive: true });
  const logFile = join(directory, "container.log");
  const writeLogLine = (line: string): Promise<void> => writeFile(logFile, criLine(line), { flag: "a" });
  for (const line of logLines) await writeLogLine(line);
  const target = options.portForwardTo ?? stack.adopt(await startAnswerServer(controlPlane), ({ server }) => stop(server));
  const kwok = stack.use(await startKwok(controlPlane, { directory, config: kwokConfig({ execDirectory, logFile, target }) }));
  for (const name of nodes) await controlPlane.admin.apply(`/api/v1/nodes/${name}`, fakeNode(name));
  await eventually(`fake nodes are Ready; the end of ${kwok.logFile}:\n${logTail(kwok.logFile)}`, async () => {
    const ready = await Promise.all(nodes.map((name) => isReady(controlPlane, name)));
    return ready.every(Boolean);
  });
  const owned = stack.move();
  return { nodes, writeLogLine, execDirectory, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function startKwok(
  controlPlane: ControlPlane,
  { directory, config }: { readonly directory: string; readonly config: string },
): Promise<OwnedProcess> {
  const { host, processes, authorities, adminKubeconfig } = controlPlane;
  const port = await freePort(host, KWOK_PORT);
  const serving = await issueCertificate(authorities.cluster, {
    commonName: "kwok",
    ipAddresses: [host],
    usages: ["server"],
    validDays: 30,
  });
  const files = { config: join(directory, "kwok.yaml"), cert: join(directory, "tls.crt"), key: join(directory, "tls.key") };
  await writeFile(files.config, config);
  await writeFile(files.cert, serving.certificatePem);
  await writeFile(files.key, serving.privateKeyPem, { mode: 0o600 });
  const flags = [
    `--kubeconfig=${adminKubeconfig}`,
    `--config=${files.config}`,
    `--manage-nodes-with-annotation-selector=${KWOK_ANNOTATION}=fake`,
    `--node-ip=${host}`,
    `--node-port=${String(port)}`,
    `--server-address=${host}:${String(port)}`,
    `--tls-cert-file=${files.cert}`,
    `--tls-private-key-file=${files.key}`,
    "--node-lease-duration-seconds=40",
  ];
  // It runs the commands of `kubectl exec`, so it needs a PATH.
  const env = { HOME: directory, PATH: process.env["PATH"] ?? "/usr/bin:/bin" };
  return processes.start(await resolveTool("kwok"), flags, { log: "kwok.log", env });
}

function kwokConfig({
  execDirectory,
  logFile,
  target,
}: {
  readonly execDirectory: string;
  readonly logFile: string;
  readonly target: { readonly address: string; readonly port: number };
}): string {
  const document = (kind: string, spec: object): string =>
    stringify({ apiVersion: "kwok.x-k8s.io/v1alpha1", kind, metadata: { name: kind.toLowerCase() }, spec });
  return [
    document("ClusterExec", { execs: [{ local: { workDir: execDirectory } }] }),
    document("ClusterLogs", { logs: [{ logsFile: logFile, follow: true }] }),
    document("ClusterAttach", { attaches: [{ logsFile: logFile }] }),
    document("ClusterPortForward", { forwards: [{ target: { address: target.address, port: target.port } }] }),
  ].join("---\n");
}

function fakeNode(name: string): object {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      annotations: { [KWOK_ANNOTATION]: "fake" },
      labels: { type: "kwok", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64" },
    },
  };
}

interface NodeStatus {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

async function isReady({ admin }: ControlPlane, name: string): Promise<boolean> {
  const node = await admin.get<NodeStatus>(`/api/v1/nodes/${name}`);
  return node?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}

/** The form that container runtimes write logs in. */
function criLine(line: string): string {
  return `${new Date().toISOString().replace("Z", "000000Z")} stdout F ${line}\n`;
}

async function startAnswerServer(controlPlane: ControlPlane): Promise<{ server: Server; address: string; port: number }> {
  const address = controlPlane.addresses.podAddress(TEST_HOST_MAX + 1).listen;
  const port = await freePort(address, 8080);
  const server = createServer((_request, response) => response.end(FAKE_POD_ANSWER));
  server.listen(port, address);
  await once(server, "listening");
  server.unref();
  return { server, address, port };
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
    server.closeAllConnections();
  });
}
