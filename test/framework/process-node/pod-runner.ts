// One pod on a process node, from binding to the end of its last process.
//
//   preparing ──▶ init containers ──▶ containers ──terminate()──▶ stopping ──▶ done
//       └──────────────── abandon(), from any state: everything is killed ──────▲
//
// (POD-1) A pod's address is its own until the last process has ended.
// (POD-2) The API object goes only after its processes.

import { mkdir, rm } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import type { Container, Pod } from "kubernetes-types/core/v1.js";
import { realClock } from "#std/clock.ts";
import type { PodAddress } from "#test/framework/address-slot.ts";
import { ApiRequestError, type ApiClient } from "#test/framework/api-client.ts";
import type { OwnedDirectory } from "#test/framework/owned-directory.ts";
import { ContainerRunner, type PreparedContainer } from "#test/framework/process-node/container-runner.ts";
import { environmentOf, expand, referencedData, type Environment } from "#test/framework/process-node/environment.ts";
import { commandLineOf, type ImageRule } from "#test/framework/process-node/images.ts";
import { rewriteMountPaths } from "#test/framework/process-node/mount-paths.ts";
import type { PodFiles } from "#test/framework/process-node/pod-files.ts";
import { podStatus, type ContainerView } from "#test/framework/process-node/pod-status.ts";
import { PodVolumes } from "#test/framework/process-node/volumes.ts";

export interface PodRunnerOptions {
  readonly client: ApiClient;
  readonly processes: OwnedDirectory;
  readonly files: PodFiles;
  readonly address: PodAddress;
  readonly hostAddress: string;
  readonly apiserver: { readonly host: string; readonly port: number };
  readonly images: readonly ImageRule[];
  readonly node: string;
  /** Added to every container's environment. */
  readonly environment: Environment;
}

const SERVICE_ACCOUNT_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount";
/** A kubelet needs up to a minute; tests of rotation would rather not. */
const VOLUME_REFRESH_MS = 10_000;
const STATUS_RETRY_MS = 200;
const GRACE_SECONDS_DEFAULT = 30;

export class PodRunner {
  readonly #options: PodRunnerOptions;
  readonly #directory: string;
  readonly #volumes: PodVolumes;
  readonly #initContainers: readonly ContainerRunner[];
  readonly #containers: readonly ContainerRunner[];
  readonly #stop = new AbortController();
  /** Aborts when the API object is gone: nothing is written any more. */
  readonly #gone = new AbortController();
  readonly #startTime = new Date().toISOString();
  #pod: Pod;
  #statusIsDirty = false;
  #statusWriter: Promise<void> | undefined;
  #wantedGraceMs: number | undefined;
  readonly done: Promise<void>;

  constructor(pod: Pod, options: PodRunnerOptions) {
    this.#pod = pod;
    this.#options = options;
    const { metadata, spec } = pod;
    this.#directory = join(options.processes.path, "pods", metadata?.uid ?? "");
    this.#volumes = new PodVolumes({
      pod,
      directory: join(this.#directory, "volumes"),
      listenAddress: options.address.listen,
      hostAddress: options.hostAddress,
      files: options.files,
    });
    this.#initContainers = (spec?.initContainers ?? []).map((container) => this.#runnerOf(container));
    this.#containers = (spec?.containers ?? []).map((container) => this.#runnerOf(container));
    this.done = this.#run();
  }

  get uid(): string {
    return this.#pod.metadata?.uid ?? "";
  }

  /** The pod as it is now in the API. */
  update(pod: Pod): void {
    this.#pod = pod;
    const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata ?? {};
    if (deletionTimestamp !== undefined) this.#terminate((deletionGracePeriodSeconds ?? GRACE_SECONDS_DEFAULT) * 1_000);
  }

  /** The API object is gone, or the node goes: ends everything at once. */
  abandon(): void {
    this.#gone.abort();
    this.#terminate(0);
  }

  /** Signals the processes of the pod, or of one container, as a crash or an operator would. */
  kill(signal: NodeJS.Signals, container?: string): void {
    for (const runner of this.#containers)
      if (container === undefined || runner.view().container.name === container) runner.kill(signal);
  }

  containers(): readonly ContainerView[] {
    return this.#containers.map((runner) => runner.view());
  }

  #terminate(graceMs: number): void {
    const isShorter = this.#wantedGraceMs === undefined || graceMs < this.#wantedGraceMs;
    if (!isShorter) return;
    this.#wantedGraceMs = graceMs;
    this.#stop.abort();
    void Promise.all([...this.#initContainers, ...this.#containers].map((runner) => this.#stopContainer(runner, graceMs)));
  }

  async #stopContainer(runner: ContainerRunner, graceMs: number): Promise<void> {
    const sleepSeconds = sleepBeforeStop(runner.view().container);
    if (sleepSeconds > 0) await realClock.sleep(Math.min(graceMs, sleepSeconds * 1_000), this.#gone.signal);
    await runner.stop(graceMs);
  }

  async #run(): Promise<void> {
    const refreshing = this.#keepVolumesFresh(this.#stop.signal);
    await this.#runContainers(this.#stop.signal);
    const isDeleted = this.#wantedGraceMs !== undefined;
    this.#stop.abort();
    await refreshing;
    await this.#statusWriter;
    await rm(this.#directory, { recursive: true, force: true });
    if (isDeleted && !this.#gone.signal.aborted) await this.#deleteObject(this.#gone.signal);
  }

  async #runContainers(signal: AbortSignal): Promise<void> {
    const policy = this.#pod.spec?.restartPolicy;
    this.#statusChanged();
    for (const runner of this.#initContainers) {
      // An init container that ended well is over, whatever the pod's policy says.
      const exitCode = await runner.run(policy === "Never" ? "Never" : "OnFailure", signal);
      if (exitCode !== 0) return;
    }
    await Promise.all(this.#containers.map((runner) => runner.run(policy, signal)));
    await this.#waitForDeletionAfterCompletion();
  }

  /** A completed pod stays in the API, with its status, until somebody deletes it. */
  async #waitForDeletionAfterCompletion(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#stop.signal.addEventListener(
        "abort",
        () => {
          resolve();
        },
        { once: true },
      );
    });
  }

  #runnerOf(container: Container): ContainerRunner {
    const { namespace, name } = this.#pod.metadata ?? {};
    return new ContainerRunner({
      pod: this.#pod,
      container,
      listenAddress: this.#options.address.listen,
      logFile: podLogFile({ namespace: namespace ?? "", pod: name ?? "", container: container.name }),
      processes: this.#options.processes,
      prepare: (wanted, signal) => this.#prepare(wanted, signal),
      changed: () => {
        this.#statusChanged();
      },
    });
  }

  async #prepare(container: Container, signal: AbortSignal): Promise<PreparedContainer | undefined> {
    const { images, node } = this.#options;
    const command = commandLineOf({ image: container.image ?? "", ...container }, { rules: images, node });
    if (command === undefined) return undefined;
    const home = join(this.#directory, "home", container.name);
    await mkdir(home, { recursive: true });
    await this.#volumes.write(signal);
    const mounts = this.#volumes.mounts(container.volumeMounts ?? []);
    const environment = environmentOf(container, {
      pod: this.#pod,
      listenAddress: this.#options.address.listen,
      hostAddress: this.#options.hostAddress,
      lookup: await this.#lookup(container, signal),
      base: this.#baseEnvironment(home, mounts.find(({ mountPath }) => mountPath === SERVICE_ACCOUNT_DIRECTORY)?.hostPath),
    });
    const rewrite = (text: string): string => rewriteMountPaths(text, mounts);
    return {
      // The executable and the component's entry are paths of this machine; only what the pod says is rewritten.
      command: command.map((word) =>
        container.command?.includes(word) || container.args?.includes(word) ? rewrite(expand(word, environment)) : word,
      ),
      environment: Object.fromEntries(
        Object.entries(environment).map(([name, value]) => [name, isOwn(name) ? value : rewrite(value)]),
      ),
      workingDirectory: container.workingDir === undefined ? home : rewrite(container.workingDir),
    };
  }

  #baseEnvironment(home: string, serviceAccountDirectory: string | undefined): Environment {
    const { apiserver, node, environment } = this.#options;
    return {
      PATH: [dirname(node), "/usr/local/bin", "/usr/bin", "/bin"].join(delimiter),
      HOME: home,
      TMPDIR: home,
      HOSTNAME: this.#pod.metadata?.name ?? "",
      KUBERNETES_SERVICE_HOST: apiserver.host,
      KUBERNETES_SERVICE_PORT: String(apiserver.port),
      // All processes see one file system, so the well-known path cannot be used.
      ...(serviceAccountDirectory === undefined ? {} : { CLUSTERNET_SERVICE_ACCOUNT_DIR: serviceAccountDirectory }),
      ...environment,
    };
  }

  async #lookup(
    container: Container,
    signal: AbortSignal,
  ): Promise<(kind: "Secret" | "ConfigMap", name: string) => Environment | undefined> {
    const namespace = this.#pod.metadata?.namespace ?? "";
    const found = new Map<string, Environment>();
    for (const { kind, name } of referencedData(container)) {
      const data = await this.#options.files.data(kind, { namespace, name }, signal);
      if (data !== undefined)
        found.set(`${kind}/${name}`, Object.fromEntries([...data].map(([key, value]) => [key, value.toString()])));
    }
    return (kind, name) => found.get(`${kind}/${name}`);
  }

  async #keepVolumesFresh(signal: AbortSignal): Promise<void> {
    while (this.#volumes.canChange && !signal.aborted) {
      await realClock.sleep(VOLUME_REFRESH_MS, signal);
      // The apiserver is away, the object is gone, or the pod is: a running container keeps what it has, as with a kubelet.
      await this.#volumes.write(signal).catch(() => undefined);
    }
  }

  #statusChanged(): void {
    this.#statusIsDirty = true;
    // The constructor's first report comes before all fields are set.
    this.#statusWriter ??= Promise.resolve().then(() => this.#writeStatus(this.#gone.signal));
  }

  async #writeStatus(signal: AbortSignal): Promise<void> {
    while (this.#statusIsDirty && !signal.aborted) {
      this.#statusIsDirty = false;
      try {
        await this.#patchStatus(signal);
      } catch (error) {
        if (error instanceof ApiRequestError && error.status === 404) break;
        this.#statusIsDirty = true;
        await realClock.sleep(STATUS_RETRY_MS, signal);
      }
    }
    this.#statusWriter = undefined;
  }

  async #patchStatus(signal: AbortSignal): Promise<void> {
    const view = {
      pod: this.#pod,
      address: this.#options.address,
      hostAddress: this.#options.hostAddress,
      startTime: this.#startTime,
      initContainers: this.#initContainers.map((runner) => runner.view()),
      containers: this.#containers.map((runner) => runner.view()),
    };
    const status = podStatus(view, new Date().toISOString());
    const written = await this.#options.client.patch<Pod>(
      `${this.#path()}/status`,
      { metadata: { uid: this.uid }, status },
      signal,
    );
    if (written.metadata?.uid === this.uid)
      this.#pod = { ...this.#pod, ...(written.status === undefined ? {} : { status: written.status }) };
  }

  async #deleteObject(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#options.client.delete(this.#path(), { gracePeriodSeconds: 0, preconditions: { uid: this.uid } }, signal);
        return;
      } catch (error) {
        // Another pod has the name by now.
        if (error instanceof ApiRequestError && error.status === 409) return;
        await realClock.sleep(STATUS_RETRY_MS, signal);
      }
    }
  }

  #path(): string {
    const { namespace, name } = this.#pod.metadata ?? {};
    return `/api/v1/namespaces/${namespace ?? ""}/pods/${name ?? ""}`;
  }
}

/** The file below the bed's `logs/` that holds a container's output. */
export function podLogFile({
  namespace,
  pod,
  container,
}: {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}): string {
  return `${namespace}_${pod}_${container}.log`;
}

/** Variables that the node itself makes from real paths. */
function isOwn(name: string): boolean {
  return ["PATH", "HOME", "TMPDIR", "CLUSTERNET_SERVICE_ACCOUNT_DIR"].includes(name);
}

function sleepBeforeStop({ lifecycle }: Container): number {
  // Newer than the types we have: `preStop: { sleep: { seconds } }`.
  const hook: { readonly sleep?: { readonly seconds: number } } = lifecycle?.preStop ?? {};
  return hook.sleep?.seconds ?? 0;
}
