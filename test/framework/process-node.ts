// A node that runs pods as local processes: what a kubelet does for containers, as far as our own workloads need it.
//
// It registers a Node and keeps its Lease, binds pending pods (unless a real kube-scheduler does), runs their containers as child
// processes, probes and restarts them, and reports their status. kwok's nodes and pods are left alone. See test/README.md.

import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import type { Node, Pod } from "kubernetes-types/core/v1.js";
import { realClock } from "#std/clock.ts";
import { POD_HOST_MAX, type PodAddress } from "#test/framework/address-slot.ts";
import { connectApiClient, type ApiClient } from "#test/framework/api-client.ts";
import type { ControlPlane } from "#test/framework/control-plane.ts";
import { compileCache } from "#test/framework/compile-cache.ts";
import { chooseNode } from "#test/framework/process-node/binder.ts";
import { defaultImages, type ImageRule } from "#test/framework/process-node/images.ts";
import { createPodFiles, type PodFiles } from "#test/framework/process-node/pod-files.ts";
import { podLogFile, PodRunner } from "#test/framework/process-node/pod-runner.ts";
import { reflect, type Reflector } from "#test/framework/process-node/reflector.ts";
import { startKubeletServer, type KubeletServer } from "#test/framework/process-node/kubelet-server.ts";

export interface ProcessNodeOptions {
  /** Default: process-node. */
  readonly name?: string;
  /** Default: true. false leaves binding to a real kube-scheduler. */
  readonly bindPods?: boolean;
  /** What `…/pulumi-clusternet:*` runs. Default: runtime/main.ts of this repository; benchmarks give the compiled one. */
  readonly componentEntry?: string;
  /** Tried before the default rules. */
  readonly images?: readonly ImageRule[];
  /** Added to every container's environment. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface PodReference {
  readonly namespace: string;
  readonly pod: string;
  readonly container?: string;
}

export interface ProcessNode extends AsyncDisposable {
  readonly name: string;
  /** Signals a pod's processes, as a crash or an operator would. */
  kill(pod: PodReference, signal: NodeJS.Signals): void;
  /** The process ids of a pod's running containers, by container name. */
  pidsOf(pod: PodReference): Readonly<Record<string, number>>;
  /** The file that holds a container's output; also after the pod is gone. */
  logFile(pod: PodReference & { readonly container: string }): string;
}

const LEASE_SECONDS = 40;
const LEASE_RENEW_MS = 10_000;
const BIND_RETRY_MS = 200;
const DEFAULT_ENTRY = join(import.meta.dirname, "..", "..", "runtime", "main.ts");

export async function startProcessNode(controlPlane: ControlPlane, options: ProcessNodeOptions = {}): Promise<ProcessNode> {
  await using stack = new AsyncDisposableStack();
  const client = stack.use(await connectApiClient(controlPlane.adminKubeconfig));
  const kubelet = stack.use(await startKubeletServer(controlPlane));
  const agent = new NodeAgent({ client, controlPlane, options, kubelet, files: createPodFiles(client) });
  stack.defer(() => agent.stop());
  await agent.start();
  const owned = stack.move();
  return {
    name: agent.name,
    kill: (pod, signal) => {
      agent.runner(pod).kill(signal, pod.container);
    },
    pidsOf: (pod) => agent.pidsOf(pod),
    logFile: (pod) => join(controlPlane.directory, "logs", podLogFile(pod)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

interface NodeAgentOptions {
  readonly client: ApiClient;
  readonly controlPlane: ControlPlane;
  readonly options: ProcessNodeOptions;
  readonly kubelet: KubeletServer;
  readonly files: PodFiles;
}

class NodeAgent {
  readonly #given: NodeAgentOptions;
  readonly #runners = new Map<string, PodRunner>();
  readonly #usedHosts = new Set<number>();
  readonly #stopping = new AbortController();
  readonly #node = process.execPath;
  readonly #images: readonly ImageRule[];
  readonly #tasks: Promise<void>[] = [];
  #lastHost = 0;
  #pods: Reflector<Pod> | undefined;
  #nodes: Reflector<Node> | undefined;

  constructor(given: NodeAgentOptions) {
    this.#given = given;
    const { componentEntry = DEFAULT_ENTRY, images = [] } = given.options;
    this.#images = [...images, ...defaultImages({ node: this.#node, componentEntry })];
  }

  get name(): string {
    return this.#given.options.name ?? "process-node";
  }

  async start(): Promise<void> {
    const { client } = this.#given;
    const { signal } = this.#stopping;
    await this.#register();
    this.#tasks.push(this.#keepLease(signal));
    const bindAll = (): void => {
      for (const pod of this.#pods?.list() ?? []) this.#bind(pod);
    };
    this.#nodes = reflect<Node>({ client, path: "/api/v1/nodes", changed: bindAll }, signal);
    await this.#nodes.synced;
    const changed = (key: string, pod: Pod | undefined): void => {
      this.#podChanged(key, pod);
    };
    this.#pods = reflect<Pod>({ client, path: "/api/v1/pods", changed }, signal);
    await this.#pods.synced;
    this.#tasks.push(this.#nodes.ended, this.#pods.ended);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    const runners = [...this.#runners.values()];
    for (const runner of runners) runner.abandon();
    await Promise.all([...runners.map(({ done }) => done), ...this.#tasks]);
  }

  runner({ namespace, pod }: PodReference): PodRunner {
    const runner = this.#runners.get(`${namespace}/${pod}`);
    if (runner === undefined) throw new Error(`No pod ${namespace}/${pod} runs on ${this.name}`);
    return runner;
  }

  pidsOf(pod: PodReference): Record<string, number> {
    const running = this.runner(pod)
      .containers()
      .filter(({ state }) => state.running !== undefined);
    return Object.fromEntries(running.flatMap(({ container, pid }) => (pid === undefined ? [] : [[container.name, pid]])));
  }

  #podChanged(key: string, pod: Pod | undefined): void {
    const runner = this.#runners.get(key);
    if (pod === undefined) {
      runner?.abandon();
      return;
    }
    this.#bind(pod);
    if (pod.spec?.nodeName !== this.name || isOver(pod)) return;
    if (runner === undefined) this.#startPod(key, pod);
    else if (runner.uid === pod.metadata?.uid) runner.update(pod);
  }

  #startPod(key: string, pod: Pod): void {
    const { client, controlPlane, files, options } = this.#given;
    const address = this.#takeAddress();
    const runner = new PodRunner(pod, {
      client,
      processes: controlPlane.processes,
      files,
      address: address.pair,
      hostAddress: this.#given.kubelet.address.api,
      apiserver: { host: controlPlane.host, port: controlPlane.port },
      images: this.#images,
      node: this.#node,
      environment: { ...compileCache(), ...options.environment },
    });
    this.#runners.set(key, runner);
    runner.update(pod);
    void runner.done.then(() => {
      this.#usedHosts.delete(address.host);
      this.#runners.delete(key);
      // A pod of the same name may have been bound while this one was ending.
      const successor = this.#pods?.get(key);
      if (successor?.metadata?.uid !== runner.uid && !this.#stopping.signal.aborted) this.#podChanged(key, successor);
    });
  }

  /** Addresses go round, so that a new pod rarely gets one that somebody still remembers. */
  #takeAddress(): { readonly host: number; readonly pair: PodAddress } {
    for (let step = 1; step <= POD_HOST_MAX; step += 1) {
      const host = ((this.#lastHost + step - 1) % POD_HOST_MAX) + 1;
      if (this.#usedHosts.has(host)) continue;
      this.#usedHosts.add(host);
      this.#lastHost = host;
      return { host, pair: this.#given.controlPlane.addresses.podAddress(host) };
    }
    throw new Error(`All ${String(POD_HOST_MAX)} pod addresses of ${this.name} are in use`);
  }

  #bind(pod: Pod): void {
    if (this.#given.options.bindPods === false) return;
    const target = chooseNode(pod, this.#nodes?.list() ?? []);
    if (target === undefined) return;
    const { namespace, name, uid } = pod.metadata ?? {};
    const path = `/api/v1/namespaces/${namespace ?? ""}/pods/${name ?? ""}/binding`;
    const binding = {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name, uid },
      target: { apiVersion: "v1", kind: "Node", name: target },
    };
    this.#given.client.create(path, binding, this.#stopping.signal).catch(async () => {
      await realClock.sleep(BIND_RETRY_MS, this.#stopping.signal);
      // Still there and still without a node: once more. Else somebody else bound or deleted it.
      const current = this.#pods?.get(`${namespace ?? ""}/${name ?? ""}`);
      if (current !== undefined && !this.#stopping.signal.aborted) this.#bind(current);
    });
  }

  async #register(): Promise<void> {
    const { client, kubelet, options } = this.#given;
    const node = nodeObject({ name: this.name, kubelet, labels: options.labels ?? {} });
    const { status, ...rest } = node;
    await client.apply(`/api/v1/nodes/${this.name}`, rest);
    await client.patch(`/api/v1/nodes/${this.name}/status`, { status });
  }

  async #keepLease(signal: AbortSignal): Promise<void> {
    const path = `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${this.name}`;
    while (!signal.aborted) {
      const lease = {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata: { name: this.name, namespace: "kube-node-lease" },
        spec: { holderIdentity: this.name, leaseDurationSeconds: LEASE_SECONDS, renewTime: microTime() },
      };
      // One lost renewal is normal while the apiserver restarts; the node controller decides when silence means trouble.
      await this.#given.client.apply(path, lease, signal).catch(() => undefined);
      await realClock.sleep(LEASE_RENEW_MS, signal);
    }
  }
}

function isOver({ status, metadata }: Pod): boolean {
  return metadata?.deletionTimestamp === undefined && (status?.phase === "Succeeded" || status?.phase === "Failed");
}

/** MicroTime wants six digits after the point. */
function microTime(): string {
  return new Date().toISOString().replace("Z", "000Z");
}

function nodeObject({
  name,
  kubelet,
  labels,
}: {
  readonly name: string;
  readonly kubelet: KubeletServer;
  readonly labels: Readonly<Record<string, string>>;
}): Node {
  const now = new Date().toISOString();
  const resources = {
    cpu: String(cpus().length),
    memory: `${String(Math.floor(totalmem() / 1024))}Ki`,
    pods: String(POD_HOST_MAX),
  };
  const condition = (
    type: string,
    status: string,
    reason: string,
  ): NonNullable<NonNullable<Node["status"]>["conditions"]>[number] => ({
    type,
    status,
    reason,
    message: "This node runs pods as processes",
    lastHeartbeatTime: now,
    lastTransitionTime: now,
  });
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      labels: {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": process.arch === "x64" ? "amd64" : process.arch,
        ...labels,
      },
    },
    status: {
      // No host name: kube-apiserver would prefer it, and nobody resolves it.
      addresses: [{ type: "InternalIP", address: kubelet.address.listen }],
      daemonEndpoints: { kubeletEndpoint: { Port: kubelet.port } },
      capacity: resources,
      allocatable: resources,
      conditions: [
        condition("Ready", "True", "KubeletReady"),
        condition("MemoryPressure", "False", "KubeletHasSufficientMemory"),
        condition("DiskPressure", "False", "KubeletHasNoDiskPressure"),
        condition("PIDPressure", "False", "KubeletHasSufficientPID"),
      ],
      nodeInfo: {
        architecture: process.arch === "x64" ? "amd64" : process.arch,
        bootID: "",
        containerRuntimeVersion: `process://${process.version}`,
        kernelVersion: "",
        kubeProxyVersion: "",
        kubeletVersion: "v1.36.3",
        machineID: "",
        operatingSystem: "linux",
        osImage: "processes",
        systemUUID: "",
      },
    },
  };
}
