// One container as a child process: started, probed, restarted with back-off, stopped with grace.

import type { Container, ContainerState, Pod } from "kubernetes-types/core/v1.js";
import { childController } from "#std/abort.ts";
import { realClock } from "#std/clock.ts";
import { errorChain } from "#std/errors.ts";
import type { OwnedDirectory, OwnedProcess, ProcessExit } from "#test/framework/owned-directory.ts";
import { MissingReferenceError } from "#test/framework/process-node/environment.ts";
import { runProbes } from "#test/framework/process-node/probes.ts";
import { restarts, type ContainerView } from "#test/framework/process-node/pod-status.ts";

/** Everything that had to be looked up to start the process. */
export interface PreparedContainer {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
}

export interface ContainerRunnerOptions {
  readonly pod: Pod;
  readonly container: Container;
  readonly listenAddress: string;
  readonly logFile: string;
  readonly processes: OwnedDirectory;
  /** undefined: this node has no such image. Throws MissingReferenceError while something it needs does not exist. */
  readonly prepare: (container: Container, signal: AbortSignal) => Promise<PreparedContainer | undefined>;
  readonly changed: () => void;
}

/** The first restart is at once. The kubelet waits 10 s before the second; a test would rather not. */
const RESTART_BACKOFF = { firstMs: 500, maxMs: 10_000 };
/** A container that ran this long has earned an immediate restart. */
const RESTART_RESET_MS = 60_000;
const PREPARE_RETRY_MS = 500;

export class ContainerRunner {
  readonly #options: ContainerRunnerOptions;
  #state: ContainerState = { waiting: { reason: "ContainerCreating" } };
  #lastState: ContainerState | undefined;
  #ready = false;
  #started = false;
  #restartCount = 0;
  #process: OwnedProcess | undefined;

  constructor(options: ContainerRunnerOptions) {
    this.#options = options;
  }

  view(): ContainerView {
    return {
      container: this.#options.container,
      state: this.#state,
      ...(this.#lastState === undefined ? {} : { lastState: this.#lastState }),
      ready: this.#ready,
      started: this.#started,
      restartCount: this.#restartCount,
      ...(this.#process === undefined ? {} : { pid: this.#process.pid }),
    };
  }

  /** Runs until the container ends for good (its exit code), or the signal aborts (undefined; then `stop` ends the process). */
  async run(policy: string | undefined, signal: AbortSignal): Promise<number | undefined> {
    for (let backoff = 0; !signal.aborted; backoff += 1) {
      const startedAt = realClock.monotonic();
      const exitCode = await this.#runOnce(signal);
      if (exitCode === undefined || !restarts(policy, exitCode)) return exitCode;
      if (realClock.monotonic() - startedAt > RESTART_RESET_MS) backoff = 0;
      const delayMs = backoff === 0 ? 0 : Math.min(RESTART_BACKOFF.maxMs, RESTART_BACKOFF.firstMs * 2 ** (backoff - 1));
      if (delayMs > 0) {
        const message = `back-off ${String(delayMs)}ms restarting failed container`;
        this.#set({ state: { waiting: { reason: "CrashLoopBackOff", message } } });
        await realClock.sleep(delayMs, signal);
      }
      if (!isAborted(signal)) this.#restartCount += 1;
    }
    return undefined;
  }

  /** Ends the process: SIGTERM, and SIGKILL after the grace time. Resolves when it has ended. */
  async stop(graceMs: number): Promise<void> {
    const exit = await this.#process?.stop(graceMs);
    if (exit !== undefined && this.#state.running !== undefined) this.#terminated(exit, {});
  }

  kill(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  async #runOnce(signal: AbortSignal): Promise<number | undefined> {
    const prepared = await this.#prepare(signal);
    if (prepared === undefined) return undefined;
    const { processes, logFile, container, pod } = this.#options;
    let owned: OwnedProcess;
    try {
      const [command = "", ...args] = prepared.command;
      owned = await processes.start(command, args, { log: logFile, env: prepared.environment, cwd: prepared.workingDirectory });
    } catch (error) {
      const at = new Date().toISOString();
      const message = errorChain(error);
      this.#set({ state: { terminated: { exitCode: 128, reason: "StartError", message, startedAt: at, finishedAt: at } } });
      return 128;
    }
    this.#process = owned;
    // stop() was called while the process was being started, and did not see it.
    if (signal.aborted) owned.kill("SIGKILL");
    this.#set({ state: { running: { startedAt: new Date().toISOString() } } });
    const probing = new AbortController();
    const reasons: { unhealthy?: string } = {};
    const probes = runProbes(
      {
        container,
        listenAddress: this.#options.listenAddress,
        environment: prepared.environment,
        directory: prepared.workingDirectory,
      },
      {
        started: () => {
          this.#set({ started: true });
        },
        ready: (ready) => {
          this.#set({ ready });
        },
        unhealthy: (reason) => {
          reasons.unhealthy = reason;
          void owned.stop((pod.spec?.terminationGracePeriodSeconds ?? 30) * 1_000);
        },
      },
      probing.signal,
    );
    const exit = await owned.exited;
    probing.abort();
    await probes;
    return this.#terminated(exit, reasons);
  }

  async #prepare(signal: AbortSignal): Promise<PreparedContainer | undefined> {
    const { container, prepare } = this.#options;
    using attempt = childController(signal);
    while (!signal.aborted) {
      let waiting: ContainerState["waiting"];
      try {
        const prepared = await prepare(container, attempt.signal);
        if (prepared !== undefined) return prepared;
        waiting = { reason: "ErrImageNeverPull", message: `A process node cannot run image ${container.image ?? ""}` };
      } catch (error) {
        const isMissing = error instanceof MissingReferenceError;
        waiting = { reason: isMissing ? "CreateContainerConfigError" : "CreateContainerError", message: errorChain(error) };
      }
      if (!isAborted(signal)) this.#set({ state: { waiting } });
      await realClock.sleep(PREPARE_RETRY_MS, signal);
    }
    return undefined;
  }

  #terminated({ code, signal }: ProcessExit, { unhealthy }: { readonly unhealthy?: string }): number {
    const signalNumber = signal === "SIGKILL" ? 9 : signal === "SIGTERM" ? 15 : signal === null ? 0 : 1;
    const exitCode = code ?? 128 + signalNumber;
    if (this.#state.terminated !== undefined) return exitCode;
    const terminated = {
      exitCode,
      reason: exitCode === 0 ? "Completed" : "Error",
      ...(unhealthy === undefined ? {} : { message: unhealthy }),
      ...(this.#state.running?.startedAt === undefined ? {} : { startedAt: this.#state.running.startedAt }),
      finishedAt: new Date().toISOString(),
    };
    this.#set({ state: { terminated }, ready: false, started: false });
    // A container that a probe found unhealthy is restarted even when it ends well.
    return unhealthy !== undefined && exitCode === 0 ? 137 : exitCode;
  }

  #set({
    state,
    ready,
    started,
  }: {
    readonly state?: ContainerState;
    readonly ready?: boolean;
    readonly started?: boolean;
  }): void {
    if (state !== undefined) {
      if (this.#state.terminated !== undefined) this.#lastState = this.#state;
      this.#state = state;
    }
    if (ready !== undefined) this.#ready = ready;
    if (started !== undefined) this.#started = started;
    this.#options.changed();
  }
}

/** A function, because the compiler believes that a property stays what it was before a wait. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
