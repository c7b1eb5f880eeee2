// Real kubectl, with one kubeconfig: run it, parse its JSON, start it and read its lines.

import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { execa } from "execa";
import { resolveTool } from "#tools/toolchain.ts";

export interface KubectlResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Kubectl {
  /** Throws what kubectl said when it fails. */
  run(args: readonly string[], options?: { readonly input?: string }): Promise<string>;
  /** Never throws. */
  attempt(args: readonly string[], options?: { readonly input?: string }): Promise<KubectlResult>;
  json<T>(args: readonly string[]): Promise<T>;
  /** A kubectl that goes on until it is disposed: a watch, a log, a port-forward. */
  start(args: readonly string[]): RunningKubectl;
}

export interface RunningKubectl extends AsyncDisposable {
  /** Resolves with the first text that matches, in what it has printed so far or prints later. */
  output(pattern: RegExp, limitMs?: number): Promise<string>;
}

const COMMAND_MS_MAX = 60_000;
const OUTPUT_MS_MAX = 20_000;
const POLL_MS = 20;

/**
 * What kubectl knows of an API server it keeps under the server's address for six hours, in the user's home. Our servers take each
 * other's addresses, and each would be asked for the kinds of the one before: so each kubeconfig has a cache of its own beside it.
 */
export function kubectlEnvironment(kubeconfig: string): { readonly KUBECONFIG: string; readonly KUBECACHEDIR: string } {
  return { KUBECONFIG: kubeconfig, KUBECACHEDIR: `${kubeconfig}.cache` };
}

export async function kubectlWith(kubeconfig: string, signal: AbortSignal): Promise<Kubectl> {
  const binary = await resolveTool("kubectl");
  const env = kubectlEnvironment(kubeconfig);
  const options = { env, cancelSignal: signal, forceKillAfterDelay: 1_000 } as const;
  const attempt: Kubectl["attempt"] = async (args, { input } = {}) => {
    const given = input === undefined ? { stdin: "ignore" as const } : { input };
    const result = await execa(binary, args, { ...options, ...given, timeout: COMMAND_MS_MAX, reject: false });
    signal.throwIfAborted();
    return { exitCode: result.exitCode ?? 1, stdout: result.stdout, stderr: result.stderr };
  };
  const run: Kubectl["run"] = async (args, input) => {
    const { exitCode, stdout, stderr } = await attempt(args, input);
    if (exitCode !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr.trim() || stdout.trim()}`);
    return stdout;
  };
  return {
    run,
    attempt,
    json: async (args) => JSON.parse(await run([...args, "--output=json"])) as never,
    start: (args) =>
      running(spawn(binary, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"], signal }), args),
  };
}

function running(kubectl: ChildProcessByStdio<null, Readable, Readable>, args: readonly string[]): RunningKubectl {
  let text = "";
  let hasEnded = false;
  for (const stream of [kubectl.stdout, kubectl.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
  }
  const ended = once(kubectl, "close").then(
    () => (hasEnded = true),
    () => (hasEnded = true),
  );
  return {
    output: async (pattern, limitMs = OUTPUT_MS_MAX) => {
      const deadline = performance.now() + limitMs;
      for (;;) {
        const match = pattern.exec(text);
        if (match !== null) return match[0];
        if (hasEnded || performance.now() > deadline) {
          throw new Error(
            `kubectl ${args.join(" ")} did not print ${String(pattern)}; it printed: ${text.trim() || "(nothing)"}`,
          );
        }
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    },
    [Symbol.asyncDispose]: async () => {
      kubectl.kill("SIGTERM");
      await ended;
    },
  };
}
