// `npm start` itself: every step is shown, and Ctrl-C at any point leaves no process and no file.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { eventually } from "#test/framework/eventually.ts";

const root = join(import.meta.dirname, "..", "..");
const DEMO_MS_MAX = 600_000;
const STOP_MS_MAX = 60_000;

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "clusternet-demo-test-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** The demo in a temporary directory of its own, so that what it leaves can be seen. */
function startDemo(args: readonly string[]): { readonly process: ReturnType<typeof spawn>; readonly output: () => string } {
  const demo = spawn(process.execPath, [join(root, "tools", "bootstrap.mjs"), "tools/demo.ts", ...args], {
    cwd: root,
    env: { ...process.env, TMPDIR: directory },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [demo.stdout, demo.stderr]) stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  return { process: demo, output: () => text };
}

async function leftFiles(): Promise<string[]> {
  return (await readdir(directory)).filter((name) => name.startsWith("clusternet-"));
}

test(
  "shows every step, writes the report and leaves nothing",
  async () => {
    const report = join(directory, "report.json");
    const demo = startDemo(["--json", report]);
    const [code] = (await once(demo.process, "exit")) as [number];
    const { ok, seconds, steps } = JSON.parse(await readFile(report, "utf8")) as {
      ok: boolean;
      seconds: number;
      steps: { name: string; ok: boolean; seconds: number; detail: string }[];
    };
    if (!ok) throw new Error(demo.output());
    expect(code).toBe(0);
    expect(seconds).toBeGreaterThan(0);
    expect(steps.map((step) => step.ok)).toEqual(Array(9).fill(true));
    expect(await leftFiles()).toEqual([]);
  },
  DEMO_MS_MAX,
);

test.each(["Starting one parent", "pulumi:"])(
  "Ctrl-C after %j stops everything and removes everything",
  async (moment) => {
    const demo = startDemo([]);
    await eventually(`the demo prints ${JSON.stringify(moment)}`, () => demo.output().includes(moment), {
      timeoutMs: DEMO_MS_MAX,
    });
    demo.process.kill("SIGINT");
    const startedAt = performance.now();
    const [code] = (await once(demo.process, "exit")) as [number];
    expect(performance.now() - startedAt).toBeLessThan(STOP_MS_MAX);
    expect(code).toBe(1);
    await eventually("no file is left", async () => (await leftFiles()).length === 0);
  },
  DEMO_MS_MAX,
);
