// What the parts of the scheduler's bench have in common: clusters with as many labels as people have, and the scheduler as a process.

import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { labels } from "#api/names.ts";
import { createClient, type Client } from "#kube/client.ts";
import { connectKubeconfig } from "#kube/connection.ts";
import { freePort } from "#test/framework/address-slot.ts";
import { startControlPlane, type ControlPlane } from "#test/framework/control-plane.ts";
import { eventually } from "#test/framework/eventually.ts";
import { logTail, type OwnedProcess } from "#test/framework/owned-directory.ts";
import { installKinds, startComponent } from "./parent-components.ts";

export type Add = (name: string, value: number, unit: string) => void;

export interface Telling {
  readonly print: (line: string) => void;
  readonly add: Add;
}

export const FLEET_NAMESPACE = "fleet";
export const SHOP = "shop";
export const FLEET_LABEL = { fleet: "yes" };
export const WRITES_AT_A_TIME = 32;
/** Clusters with the same label `group`. */
export const GROUP_SIZE = 10;
const LABELS = 20;
const DRAINED_MS_MAX = 900_000;
const LOOPBACK = "127.0.0.1";

export function clusterOf(index: number, size: number): ManagedCluster {
  const name = `cluster-${String(index)}`;
  const clusterId = `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`;
  const named = {
    ...FLEET_LABEL,
    zone: `zone-${String(index % 3)}`,
    group: `group-${String(Math.floor(index / GROUP_SIZE))}`,
    [labels.clusterId]: clusterId,
  };
  const more = Array.from({ length: LABELS - Object.keys(named).length }, (_, label) => [
    `example.com/label-${String(label)}`,
    `value-${String(index % (label + 2))}`,
  ]);
  return {
    apiVersion: ManagedCluster.apiVersion,
    kind: ManagedCluster.kind,
    metadata: {
      namespace: FLEET_NAMESPACE,
      name,
      labels: { ...(Object.fromEntries(more) as Record<string, string>), ...named },
      uid: `${name}-of-${String(size)}`,
    },
    spec: { clusterId, syncMode: "Pull" },
    status: { conditions: [ready] } as unknown as NonNullable<ManagedCluster["status"]>,
  };
}

const ready = {
  type: "Ready",
  status: "True",
  reason: "ManagedClusterReady",
  message: "",
  lastTransitionTime: "2026-01-01T00:00:00Z",
};

export interface SchedulerBed {
  readonly parent: Client;
  readonly signal: AbortSignal;
  /** Goes away with the bed. */
  readonly directory: string;
  makeCluster(cluster: ManagedCluster): Promise<void>;
  start(flags?: readonly string[]): Promise<RunningScheduler>;
}

export interface RunningScheduler {
  readonly process: OwnedProcess;
  /** So many Subscriptions were decided at least. */
  decides(count: number): Promise<void>;
  /** And none waits for it. */
  hasDecided(count: number): Promise<void>;
  figures(): Promise<Figures>;
}

interface Figures {
  /** That ended. */
  readonly attempts: number;
  /** Subscriptions that wait for one. */
  readonly waiting: number;
}

export async function startSchedulerBed(stack: AsyncDisposableStack): Promise<SchedulerBed> {
  const { signal } = new AbortController();
  const controlPlane = stack.use(await startControlPlane({ name: "parent", controllerManager: false }));
  const connection = stack.use(await connectKubeconfig({ path: controlPlane.adminKubeconfig }));
  const parent = createClient(connection, { component: "bench" });
  await installKinds(parent, [FLEET_NAMESPACE, SHOP], signal);
  return {
    parent,
    signal,
    directory: controlPlane.directory,
    makeCluster: async ({ status, metadata: { uid: _uid, ...metadata }, ...rest }) => {
      const { name } = await parent.create(ManagedCluster, { ...rest, metadata }, signal).then((made) => made.metadata);
      const patch = { type: "merge", body: { status }, subresource: "status" } as const;
      await parent.patch(ManagedCluster, { namespace: FLEET_NAMESPACE, name }, patch, signal);
    },
    start: (flags) => startScheduler(controlPlane, flags),
  };
}

async function startScheduler(controlPlane: ControlPlane, flags: readonly string[] = []): Promise<RunningScheduler> {
  const healthPort = await freePort(LOOPBACK, 0);
  const process = await startComponent(controlPlane, { name: "scheduler", healthPort, flags });
  const reach = async (count: number, waitingMax: number): Promise<void> => {
    await eventually(
      `${String(count)} Subscriptions are decided`,
      async () => {
        if (process.hasExited) throw new Error(`The scheduler has ended: ${logTail(process.logFile)}`);
        const { attempts, waiting } = await figuresOf(healthPort);
        if (attempts >= count && waiting <= waitingMax) return true;
        throw new Error(`${String(attempts)} decided, ${String(waiting)} wait`);
      },
      { timeoutMs: DRAINED_MS_MAX, intervalMs: 250 },
    );
  };
  return {
    process,
    decides: (count) => reach(count, Infinity),
    hasDecided: (count) => reach(count, 0),
    figures: () => figuresOf(healthPort),
  };
}

async function figuresOf(healthPort: number): Promise<Figures> {
  const metrics = await (await fetch(`http://${LOOPBACK}:${String(healthPort)}/metrics`)).text();
  const sumOf = (name: string): number =>
    [...metrics.matchAll(new RegExp(`^${name}(?:{[^}]*})? (\\S+)$`, "gm"))].reduce((sum, [, value]) => sum + Number(value), 0);
  return {
    attempts: sumOf("clusternet_scheduler_schedule_attempts_total"),
    waiting: sumOf("clusternet_scheduler_queue_active") + sumOf("clusternet_scheduler_queue_backoff"),
  };
}
