// Runs `npm start` in a temporary directory of its own, so that what it leaves can be seen.

import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..");
/** A minute and a half on an idle machine of two cores. */
export const DEMO_MS_MAX = 600_000;

export interface DemoPlace extends AsyncDisposable {
  readonly directory: string;
  start(args?: readonly string[]): { readonly process: ReturnType<typeof spawn>; readonly output: () => string };
  /** What the demo made and did not remove. */
  leftFiles(): Promise<string[]>;
}

export async function demoPlace(): Promise<DemoPlace> {
  const directory = await mkdtemp(join(tmpdir(), "clusternet-demo-test-"));
  return {
    directory,
    start: (args = []) => {
      const demo = spawn(process.execPath, [join(root, "tools", "bootstrap.mjs"), "tools/demo.ts", ...args], {
        cwd: root,
        env: { ...process.env, TMPDIR: directory },
        stdio: ["ignore", "pipe", "pipe"],
      });
      let text = "";
      for (const stream of [demo.stdout, demo.stderr]) stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      return { process: demo, output: () => text };
    },
    leftFiles: async () => (await readdir(directory)).filter((name) => name.startsWith("clusternet-")),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}
