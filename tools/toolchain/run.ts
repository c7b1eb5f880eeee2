// Runs a command to its end and says how it went.

import { spawn } from "node:child_process";

export interface RunOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly limitMs?: number;
}

export interface RunResult {
  /** undefined when it could not be started, or was ended by a signal. */
  readonly code: number | undefined;
  /** The end of what it printed. */
  readonly output: string;
}

const OUTPUT_CHARS_MAX = 20_000;

export function runCommand(
  [command = "", ...args]: readonly string[],
  options: RunOptions,
  signal: AbortSignal,
): Promise<RunResult> {
  const limit = options.limitMs === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(options.limitMs)]);
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...options.env },
      signal: limit,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    let output = "";
    const add = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-OUTPUT_CHARS_MAX);
    };
    child.stdout.on("data", add);
    child.stderr.on("data", add);
    child.on("error", (error) => {
      resolve({ code: undefined, output: output === "" ? error.message : output });
    });
    child.on("close", (code) => {
      resolve({ code: code ?? undefined, output });
    });
  });
}
