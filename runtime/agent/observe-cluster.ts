// Reads what cluster-status.ts needs from this cluster's API server. One missing answer makes a part unknown, never the whole.

import { Pod, type Node, type ResourceList } from "#kube/builtin-kinds.ts";
import type { Client } from "#kube/client.ts";
import { isForbidden, isNotFound } from "#kube/errors.ts";
import type { Informer } from "#kube/informer.ts";
import type { Clock } from "#std/clock.ts";
import * as z from "zod";
import type { ClusterObservation, ClusterUsage } from "./cluster-status.ts";

export interface ObserveDeps {
  readonly child: Client;
  readonly nodes: Informer<Node>;
  readonly clock: Clock;
  readonly useMetricsServer: boolean;
}

/** Flags of control plane pods change with an upgrade at most. */
const SYSTEM_PODS_MAX_AGE_MS = 10 * 60_000;
const SYSTEM_POD_SELECTOR = "component in (kube-apiserver,kube-controller-manager)";
const MORE_SYSTEM_POD_SELECTORS = [
  "app.kubernetes.io/component in (kube-apiserver,kube-controller-manager)",
  "k8s-app=kube-proxy",
];

export type ObserveCluster = (signal: AbortSignal) => Promise<ClusterObservation>;

export function createClusterObserver({ child, nodes, clock, useMetricsServer }: ObserveDeps): ObserveCluster {
  let pods: { readonly items: readonly Pod[]; readonly readAtMs: number } | undefined;
  const systemPods = async (signal: AbortSignal): Promise<readonly Pod[]> => {
    if (pods === undefined || clock.monotonic() - pods.readAtMs > SYSTEM_PODS_MAX_AGE_MS) {
      pods = { items: await listSystemPods(child, signal), readAtMs: clock.monotonic() };
    }
    return pods.items;
  };
  return async (signal) => {
    await nodes.whenSynced(signal);
    const [version, healthz, livez, readyz, system, usage] = await Promise.all([
      readVersion(child, signal),
      isHealthy(child, "/healthz", signal),
      isHealthy(child, "/livez", signal),
      isHealthy(child, "/readyz", signal),
      systemPods(signal),
      useMetricsServer ? readUsage(child, signal) : undefined,
    ]);
    return {
      observedAtMs: clock.now(),
      version,
      health: { healthz, livez, readyz },
      nodes: nodes.list(),
      systemPods: system,
      ...(usage === undefined ? {} : { usage }),
    };
  };
}

const Version = z.object({ gitVersion: z.string(), platform: z.string() });

async function readVersion(child: Client, signal: AbortSignal): Promise<ClusterObservation["version"]> {
  try {
    return Version.parse((await child.request({ method: "GET", path: "/version" }, signal)).json);
  } catch (error) {
    signal.throwIfAborted();
    // The health checks say what is wrong.
    if (error instanceof Error) return { gitVersion: "", platform: "" };
    throw error;
  }
}

async function isHealthy(child: Client, path: string, signal: AbortSignal): Promise<boolean> {
  try {
    return (await child.request({ method: "GET", path }, signal)).status === 200;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

async function listSystemPods(child: Client, signal: AbortSignal): Promise<readonly Pod[]> {
  const found: Pod[] = [];
  for (const labelSelector of [SYSTEM_POD_SELECTOR, ...MORE_SYSTEM_POD_SELECTORS]) {
    try {
      found.push(...(await child.list(Pod, { namespace: "kube-system", labelSelector }, signal)).items);
    } catch {
      // Managed clusters hide these pods; the flags of the agent tell instead.
      signal.throwIfAborted();
    }
  }
  return found;
}

const NodeMetrics = z.object({ items: z.array(z.object({ usage: z.record(z.string(), z.string()) })) });
const PodMetrics = z.object({ items: z.array(z.object({ containers: z.array(z.unknown()).nullish() })) });

async function readUsage(child: Client, signal: AbortSignal): Promise<ClusterUsage | undefined> {
  const read = async (plural: string): Promise<unknown> =>
    (await child.request({ method: "GET", path: `/apis/metrics.k8s.io/v1beta1/${plural}` }, signal)).json;
  try {
    const [nodes, pods] = await Promise.all([read("nodes"), read("pods")]);
    return {
      nodes: NodeMetrics.parse(nodes).items.map(({ usage }): ResourceList => usage),
      pods: PodMetrics.parse(pods).items.map(({ containers }) => ({ containers: containers?.length ?? 0 })),
    };
  } catch (error) {
    signal.throwIfAborted();
    if (isNotFound(error) || isForbidden(error) || error instanceof Error) return undefined;
    throw error;
  }
}
