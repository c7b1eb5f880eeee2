// The helm executable as a child process: its version, one run with its limits, and what it said.
//
// (HLM-1) helm holds no credential: it reaches the cluster through a proxy of ours (cluster-proxy.ts), and charts are pulled by us.
// (HLM-2) Values are written to its standard input; nothing of a user's is an environment variable, and its own home is a directory of ours.
// (HLM-3) When we end, helm can do nothing more: the proxy ended with us.

import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { abortReason } from "#std/abort.ts";
import type { Metrics } from "#std/metrics.ts";
import { helmMetrics } from "./helm-metrics.ts";

/** A release with its manifest as JSON, and as much again for long notes. */
const OUTPUT_BYTES_MAX = 32 * 1024 * 1024;
/** What helm says when it fails: its end is the reason. */
const ERROR_BYTES_MAX = 64 * 1024;
/** From SIGTERM, on which helm records the failure, to SIGKILL. */
const STOP_MS_MAX = 10_000;

/** Their flags differ in a few places. */
export type HelmMajor = 3 | 4;

export interface HelmRun {
  readonly args: readonly string[];
  /** The kubeconfig of the proxy; absent for commands that ask no cluster. */
  readonly kubeconfig?: string;
  readonly stdin?: string;
  readonly limitMs: number;
}

export interface HelmResult {
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Helm extends AsyncDisposable {
  /** A directory of ours that only this user may read; gone with the Helm. */
  readonly directory: string;
  run(run: HelmRun, signal: AbortSignal): Promise<HelmResult>;
  major(signal: AbortSignal): Promise<HelmMajor>;
}

/** helm could not be run at all: not there, not a helm, too old. */
export class HelmUnavailableError extends Error {
  override readonly name = "HelmUnavailableError";
}

export interface HelmOptions {
  /** Path, or a name that is looked up in PATH. */
  readonly binary: string;
  readonly searchPath: string;
  readonly metrics: Metrics;
}

export async function createHelm({ binary, searchPath, metrics }: HelmOptions): Promise<Helm> {
  // mkdtemp makes it mode 0700.
  const directory = await mkdtemp(join(tmpdir(), "clusternet-helm-"));
  await mkdir(join(directory, "home"));
  const measured = helmMetrics(metrics);
  const running = new Set<ChildProcess>();
  let known: Promise<HelmMajor> | undefined;

  async function run({ args, kubeconfig, stdin = "", limitMs }: HelmRun, signal: AbortSignal): Promise<HelmResult> {
    signal.throwIfAborted();
    const command = args[0] ?? "";
    const startedAt = performance.now();
    const child = spawn(binary, args, { env: environment({ directory, searchPath, kubeconfig }), stdio: "pipe", cwd: directory });
    running.add(child);
    measured.running.set(running.size);
    try {
      const result = await finished(child, { stdin, limitMs, command }, signal);
      measured.total.inc({ command, result: result.ok ? "done" : "failed" });
      return result;
    } catch (error) {
      measured.total.inc({ command, result: "stopped" });
      throw error;
    } finally {
      running.delete(child);
      measured.running.set(running.size);
      measured.seconds.observe({ command }, (performance.now() - startedAt) / 1_000);
    }
  }

  const major = (signal: AbortSignal): Promise<HelmMajor> => {
    known ??= readMajor(binary, (args) => run({ args, limitMs: VERSION_MS_MAX }, signal));
    known.catch(() => {
      // It may be installed later.
      known = undefined;
    });
    return known;
  };

  return {
    directory,
    run,
    major,
    [Symbol.asyncDispose]: async () => {
      for (const child of running) child.kill("SIGKILL");
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const VERSION_MS_MAX = 10_000;
const VERSION = /^v(3|4)\.(\d+)\./;
/** The first in which OCI is not an experiment, and `--wait-for-jobs` is known. */
const HELM_3_MINOR_MIN = 8;

async function readMajor(binary: string, run: (args: readonly string[]) => Promise<HelmResult>): Promise<HelmMajor> {
  const { ok, stdout, stderr } = await run(["version", "--template", "{{.Version}}"]);
  const [, major, minor = "0"] = VERSION.exec(stdout.trim()) ?? [];
  if (ok && major === "4") return 4;
  if (ok && major === "3" && Number(minor) >= HELM_3_MINOR_MIN) return 3;
  const said = (ok ? stdout : stderr).trim().slice(0, 200);
  throw new HelmUnavailableError(`${binary} is not helm 3.${String(HELM_3_MINOR_MIN)} or newer: it says ${JSON.stringify(said)}`);
}

/** Nothing of our own environment: it may hold credentials, and settings that change what helm does. */
function environment({
  directory,
  searchPath,
  kubeconfig,
}: {
  readonly directory: string;
  readonly searchPath: string;
  readonly kubeconfig: string | undefined;
}): Record<string, string> {
  const home = join(directory, "home");
  return {
    PATH: searchPath,
    HOME: home,
    TMPDIR: directory,
    HELM_DRIVER: "secret",
    HELM_CACHE_HOME: join(home, "cache"),
    HELM_CONFIG_HOME: join(home, "config"),
    HELM_DATA_HOME: join(home, "data"),
    HELM_PLUGINS: join(home, "plugins"),
    KUBECONFIG: kubeconfig ?? "/dev/null",
    // What runs is mostly waiting for the API server.
    GOMAXPROCS: "2",
  };
}

interface Finish {
  readonly stdin: string;
  readonly limitMs: number;
  readonly command: string;
}

function finished(child: ChildProcess, { stdin, limitMs, command }: Finish, signal: AbortSignal): Promise<HelmResult> {
  const stdout = collected(child.stdout, { bytesMax: OUTPUT_BYTES_MAX, keep: "start" });
  const stderr = collected(child.stderr, { bytesMax: ERROR_BYTES_MAX, keep: "end" });
  let killer: NodeJS.Timeout | undefined;
  let stoppedBecause: Error | undefined;
  const stop = (reason: Error): void => {
    stoppedBecause ??= reason;
    child.kill("SIGTERM");
    killer ??= setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
  };
  const abort = (): void => {
    stop(abortReason(signal));
  };
  const limit = setTimeout(() => {
    stop(new Error(`helm ${command} took longer than ${String(limitMs)} ms`));
  }, limitMs);
  signal.addEventListener("abort", abort, { once: true });
  return new Promise<HelmResult>((resolve, reject) => {
    child.once("error", (cause) => {
      reject(new HelmUnavailableError("helm cannot be started", { cause }));
    });
    child.once("close", (code, killedBy) => {
      if (stoppedBecause !== undefined) reject(stoppedBecause);
      // By somebody else, who gave it no time to say why.
      else if (killedBy !== null) resolve({ ok: false, stdout: stdout(), stderr: killedMessage(command, killedBy) });
      else resolve({ ok: code === 0, stdout: stdout(), stderr: stderr() });
    });
    // It may end without reading what it was given.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(stdin);
  }).finally(() => {
    clearTimeout(limit);
    clearTimeout(killer);
    signal.removeEventListener("abort", abort);
  });
}

function killedMessage(command: string, killedBy: NodeJS.Signals): string {
  const cause = killedBy === "SIGKILL" ? "; this happens when memory runs out" : "";
  return `Error: helm ${command} was ended by ${killedBy}${cause}. It is tried again`;
}

/** Memory stays level whatever helm prints. */
function collected(
  stream: ChildProcess["stdout"],
  { bytesMax, keep }: { readonly bytesMax: number; readonly keep: "start" | "end" },
): () => string {
  let chunks: Buffer[] = [];
  let bytes = 0;
  stream?.on("data", (chunk: Buffer) => {
    if (keep === "start" && bytes >= bytesMax) return;
    chunks.push(chunk);
    bytes += chunk.length;
    if (keep === "start" || bytes <= 2 * bytesMax) return;
    const tail = Buffer.concat(chunks).subarray(-bytesMax);
    chunks = [Buffer.from(tail)];
    bytes = tail.length;
  });
  return () => {
    const all = Buffer.concat(chunks);
    return (keep === "start" ? all.subarray(0, bytesMax) : all.subarray(-bytesMax)).toString("utf8");
  };
}
