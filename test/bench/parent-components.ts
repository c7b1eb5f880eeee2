// A real parent with our kinds, and our components on it as processes. They end with the bench, however it ends: with its control plane.

import { join } from "node:path";
import { kinds } from "#api/kinds.ts";
import { crdObjects } from "#install/crds.ts";
import { MALLOC_ARENAS_MAX, nodeOptionsOf } from "#install/deployment.ts";
import { CustomResourceDefinition, Namespace } from "#kube/builtin-kinds.ts";
import type { Client } from "#kube/client.ts";
import type { ControlPlane } from "#test/framework/control-plane.ts";
import { eventually } from "#test/framework/eventually.ts";
import { logTail, type OwnedProcess } from "#test/framework/owned-directory.ts";

export async function installKinds(parent: Client, namespaces: readonly string[], signal: AbortSignal): Promise<void> {
  const manager = { fieldManager: "bench", force: true };
  for (const crd of crdObjects())
    await parent.apply(CustomResourceDefinition, crd as unknown as CustomResourceDefinition, manager, signal);
  for (const name of namespaces)
    await parent.apply(Namespace, { apiVersion: "v1", kind: "Namespace", metadata: { name } }, manager, signal);
  await eventually("our kinds are served", async () => {
    await Promise.all(kinds.map((kind) => parent.list(kind, {}, signal)));
    return true;
  });
}

interface ComponentOptions {
  readonly name: "scheduler" | "controller-manager";
  readonly healthPort?: number;
  readonly flags?: readonly string[];
}

/** As it is deployed, alone. What it logs is shown when it fails. */
export async function startComponent(
  { adminKubeconfig, processes }: ControlPlane,
  { name, healthPort = 0, flags = [] }: ComponentOptions,
): Promise<OwnedProcess> {
  const main = join(import.meta.dirname, "../../runtime/main.ts");
  const own = [`--kubeconfig=${adminKubeconfig}`, "--leader-elect=false", `--health-port=${String(healthPort)}`];
  const args = [nodeOptionsOf(name), main, name, ...own, "--log-level=warn", ...flags];
  const { PATH = "", HOME = "" } = process.env;
  const env = { PATH, HOME, MALLOC_ARENA_MAX: MALLOC_ARENAS_MAX };
  const component = await processes.start(process.execPath, args, { log: `${name}.log`, env });
  void component.exited.then(({ code }) => {
    if (code !== null && code !== 0) process.stderr.write(`${name} ended with ${String(code)}: ${logTail(component.logFile)}\n`);
  });
  return component;
}

/** It may end what it has begun. */
export const STOP_MS_MAX = 10_000;
