// `npm run testbed -- --children N --dir DIR [--bare]`: starts a parent and N children and keeps them until SIGTERM or Ctrl-C.
//
// Writes DIR/parent.kubeconfig, DIR/child-1.kubeconfig …, and DIR/ready.json when everything is Ready. `--bare` installs nothing of
// ours. Everything written and every process goes away at the end, also when this process is killed.

import { existsSync } from "node:fs";
import { mkdir, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { abortReason } from "#std/abort.ts";
import { errorChain } from "#std/errors.ts";
import { startClusters, type Clusters } from "#test/framework/fleet.ts";
import { resolveTools, toolNames, type ToolName } from "#tools/toolchain.ts";

export interface TestbedOptions {
  readonly children: number;
  readonly directory: string;
  readonly bare: boolean;
}

const CHILDREN_MAX = 50;
/** One kill often arrives twice, directly and through the process that started this one. A person who insists is slower. */
const SAME_SIGNAL_MS = 1_000;
const USAGE = "Usage: npm run testbed -- --children N --dir DIR [--bare]";
/** Pods run on these, so nothing but the control planes needs a tool. */
const BARE_TOOLS: readonly ToolName[] = ["etcd", "kube-apiserver", "kube-controller-manager", "kwok"];

export function parseTestbedOptions(argv: readonly string[]): TestbedOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      children: { type: "string", default: "2" },
      dir: { type: "string", default: ".testbed" },
      bare: { type: "boolean", default: false },
    },
  });
  const children = Number(values.children);
  if (!Number.isInteger(children) || children < 0 || children > CHILDREN_MAX) {
    throw new Error(
      `--children: Expected a whole number from 0 to ${String(CHILDREN_MAX)}, got ${JSON.stringify(values.children)}\n${USAGE}`,
    );
  }
  return { children, directory: resolve(values.dir), bare: values.bare };
}

async function run({ children, directory, bare }: TestbedOptions, signal: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  await resolveTools(bare ? BARE_TOOLS : toolNames, say, signal);
  await using stack = new AsyncDisposableStack();
  const isOurs = !existsSync(directory);
  await mkdir(directory, { recursive: true });
  stack.defer(() => removeFiles({ directory, children, isOurs }));
  say(`Starting a parent and ${String(children)} children`);
  const clusters = stack.use(await startClusters({ children, directory, cluster: { fakeNodes: {} } }, signal));
  if (!bare) await installFleet(stack, { clusters }, signal);
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  await writeReady(directory, { ok: true, bare, seconds, ...kubeconfigsOf(clusters) });
  say(`Ready in ${String(seconds)} s: ${join(directory, "parent.kubeconfig")}; Ctrl-C or SIGTERM removes everything`);
  await aborted(signal);
  say("Removing everything");
}

async function installFleet(
  stack: AsyncDisposableStack,
  { clusters }: { readonly clusters: Clusters },
  signal: AbortSignal,
): Promise<void> {
  // Loaded only when it is needed: a bare bed must not depend on anything of ours.
  const { openFirstFleet } = await import("#test/framework/fleet.ts");
  const pulumi = stack.use(await openFirstFleet(clusters, { report: say }, signal));
  await pulumi.up({}, signal);
}

function kubeconfigsOf({ parent, children, directory }: Clusters): object {
  const entry = ({ controlPlane }: Clusters["parent"]): object => ({
    name: controlPlane.name,
    kubeconfig: join(directory, `${controlPlane.name}.kubeconfig`),
    server: controlPlane.server,
    logs: join(controlPlane.directory, "logs"),
  });
  return { parent: entry(parent), children: children.map(entry) };
}

/** Appears as a whole: whoever waits for the file never reads half of it. */
async function writeReady(directory: string, content: object): Promise<void> {
  const path = join(directory, "ready.json");
  await writeFile(`${path}.new`, `${JSON.stringify(content, null, 2)}\n`);
  await rename(`${path}.new`, path);
}

async function removeFiles({
  directory,
  children,
  isOurs,
}: {
  readonly directory: string;
  readonly children: number;
  readonly isOurs: boolean;
}): Promise<void> {
  const names = ["parent", ...Array.from({ length: children }, (_, index) => `child-${String(index + 1)}`)];
  const files = ["ready.json", "ready.json.new", ...names.map((name) => `${name}.kubeconfig`)];
  for (const file of files) await rm(join(directory, file), { force: true });
  // Somebody may have put files of their own there.
  if (isOurs) await rmdir(directory).catch(() => undefined);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolveWait) => {
    // An abort listener alone does not keep the process alive.
    const keepAlive = setInterval(() => undefined, 60_000);
    const end = (): void => {
      clearInterval(keepAlive);
      resolveWait();
    };
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });
}

function say(line: string): void {
  console.error(line);
}

if (import.meta.main) {
  const controller = new AbortController();
  let stoppedAt = 0;
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      const now = performance.now();
      if (!controller.signal.aborted) {
        stoppedAt = now;
        controller.abort(new Error(`Received ${name}`));
      } else if (now - stoppedAt > SAME_SIGNAL_MS) process.exit(130);
    });
  }
  try {
    await run(parseTestbedOptions(process.argv.slice(2)), controller.signal);
  } catch (error) {
    if (!(controller.signal.aborted && error === abortReason(controller.signal))) {
      say(errorChain(error));
      process.exitCode = 1;
    }
  }
  process.exit();
}
