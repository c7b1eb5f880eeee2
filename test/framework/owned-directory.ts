// A temporary directory and the processes that belong to it. Both go away with their owner, even when the owner is killed.
//
// A watchdog (a shell that waits for the end of its standard input) notices the owner's death, because the kernel closes the pipe. It
// kills every process group that is recorded in `processes/` and removes the directory. Disposing does the same from this side first.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp } from "node:fs/promises";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface ProcessOptions {
  /** The file under `logs/` that receives standard output and standard error; appended to on a restart. */
  readonly log: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface OwnedProcess extends AsyncDisposable {
  readonly pid: number;
  readonly logFile: string;
  /** Resolves when the process has ended; never rejects. */
  readonly exited: Promise<ProcessExit>;
  readonly hasExited: boolean;
  /** Signals the process and everything it started. */
  kill(signal: NodeJS.Signals): void;
  /** Asks with SIGTERM, then kills after the grace time. 0 kills at once. */
  stop(graceMs: number): Promise<ProcessExit>;
}

export interface OwnedDirectory extends AsyncDisposable {
  readonly path: string;
  /** Rejects when the command cannot be started at all. */
  start(command: string, args: readonly string[], options: ProcessOptions): Promise<OwnedProcess>;
}

const LOG_TAIL_BYTES = 4_000;

/** `$1` is the directory. It may take a moment until killed processes stop writing into it. */
const WATCHDOG = `
while read -r line; do :; done
for file in "$1"/processes/*; do
  if [ -e "$file" ]; then kill -s KILL -- "-\${file##*/}" 2>/dev/null; fi
done
for attempt in 1 2 3 4 5 6 7 8; do
  rm -rf "$1" 2>/dev/null && exit 0
  sleep 0.2
done
`;

export async function createOwnedDirectory(purpose: string): Promise<OwnedDirectory> {
  const path = await mkdtemp(join(tmpdir(), `clusternet-${purpose}-`));
  await Promise.all(["processes", "logs"].map((name) => mkdir(join(path, name))));
  const watchdog = spawn("/bin/sh", ["-c", WATCHDOG, "clusternet-watchdog", path], {
    stdio: ["pipe", "ignore", "ignore"],
    // Its own session: Ctrl-C in the terminal must not end the watchdog before its owner.
    detached: true,
    cwd: "/",
  });
  const gone = once(watchdog, "exit");
  letOwnerExit(watchdog);
  const processes = new Set<OwnedProcess>();
  return {
    path,
    start: async (command, args, options) => {
      const owned = await startProcess(path, [command, ...args], options);
      processes.add(owned);
      void owned.exited.then(() => processes.delete(owned));
      return owned;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...processes].map((owned) => owned.stop(0)));
      watchdog.stdin.end();
      watchdog.ref();
      await gone;
    },
  };
}

/** The end of a log file, for an error message that shows why a process failed. */
export function logTail(logFile: string): string {
  try {
    return readFileSync(logFile, "utf8").slice(-LOG_TAIL_BYTES).trimEnd();
  } catch {
    return "(no log)";
  }
}

async function startProcess(
  directory: string,
  [command = "", ...args]: readonly string[],
  { log, env, cwd }: ProcessOptions,
): Promise<OwnedProcess> {
  const logFile = join(directory, "logs", log);
  const output = openSync(logFile, "a", 0o600);
  const child = spawn(command, args, {
    stdio: ["ignore", output, output],
    // A process group of its own: killing it reaches everything that it started.
    detached: true,
    cwd: cwd ?? directory,
    ...(env === undefined ? {} : { env: { ...env } }),
  });
  closeSync(output);
  const { pid } = child;
  if (pid === undefined) throw await startError(child, command);
  const record = join(directory, "processes", String(pid));
  writeFileSync(record, `${command} ${args.join(" ")}\n`);
  const exited = new Promise<ProcessExit>((resolve) => {
    child.once("exit", (code, signal) => {
      // What the process started and left behind.
      killGroup(pid, "SIGKILL");
      rmSync(record, { force: true });
      resolve({ code, signal });
    });
  });
  child.unref();
  return ownedProcess(child, { pid, logFile, exited });
}

function ownedProcess(
  child: ChildProcess,
  { pid, logFile, exited }: Pick<OwnedProcess, "pid" | "logFile" | "exited">,
): OwnedProcess {
  const hasExited = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const kill = (signal: NodeJS.Signals): void => {
    if (!hasExited()) killGroup(pid, signal);
  };
  const stop = async (graceMs: number): Promise<ProcessExit> => {
    if (graceMs > 0) kill("SIGTERM");
    else kill("SIGKILL");
    const timer = setTimeout(() => {
      kill("SIGKILL");
    }, graceMs);
    // While somebody waits for its end, the process keeps us alive.
    child.ref();
    const exit = await exited;
    clearTimeout(timer);
    return exit;
  };
  return {
    pid,
    logFile,
    exited,
    get hasExited() {
      return hasExited();
    },
    kill,
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop(0);
    },
  };
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Nobody is left in the group.
  }
}

async function startError(child: ChildProcess, command: string): Promise<Error> {
  const [cause] = (await once(child, "error")) as [Error];
  return new Error(`Cannot start ${command}`, { cause });
}

function letOwnerExit(child: ChildProcess): void {
  child.unref();
  const { stdin } = child;
  // A pipe to a child is a socket, though its type does not say so.
  if (stdin instanceof Socket) stdin.unref();
  // The watchdog may be killed by somebody; writing its end-of-input then must not crash the owner.
  stdin?.on("error", () => undefined);
}
