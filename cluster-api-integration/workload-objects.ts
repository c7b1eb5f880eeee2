// What goes into a workload cluster, and how it gets there and out again.

import { agentStages } from "#install/child.ts";
import type { InstallObject, InstallStages } from "#install/object.ts";
import { Namespace } from "#kube/builtin-kinds.ts";
import type { Client } from "#kube/client.ts";
import type { Discovery } from "#kube/discovery.ts";
import { canonicalHash } from "#std/canonical-json.ts";
import type { ClusterNames } from "./names.ts";
import type { IntegrationSettings } from "./settings.ts";

export const FIELD_MANAGER = "clusternet-cluster-api-integration";

export interface Target {
  readonly client: Client;
  readonly discovery: Discovery;
}

/** Without a token: what is compared with what was installed. */
export function stagesFor({ clusterName, namespace }: ClusterNames, settings: IntegrationSettings, token = ""): InstallStages {
  return agentStages({
    namespace: settings.namespace,
    image: settings.image,
    ...(settings.imagePullPolicy === undefined ? {} : { imagePullPolicy: settings.imagePullPolicy }),
    clusterName,
    clusterNamespace: namespace,
    syncMode: "Pull",
    parentUrl: settings.parentUrl,
    ...(settings.parentCaPem === undefined ? {} : { parentCaPem: settings.parentCaPem }),
    registrationToken: token,
    ...(token === "" ? {} : { registrationChecksum: canonicalHash(token) }),
  });
}

export async function applyStages(stages: InstallStages, { client, discovery }: Target, signal: AbortSignal): Promise<void> {
  for (const object of stages.flat()) {
    const type = await discovery.resolve(object.apiVersion, object.kind, signal);
    if (type === undefined) throw new Error(`The cluster does not serve ${object.apiVersion} ${object.kind}`);
    await client.apply(type, object, { fieldManager: FIELD_MANAGER, force: true }, signal);
  }
}

/** In the opposite order; waits for nothing but the answers. */
export async function deleteStages(stages: InstallStages, { client, discovery }: Target, signal: AbortSignal): Promise<void> {
  for (const object of stages.flat().reverse()) {
    const type = await discovery.resolve(object.apiVersion, object.kind, signal);
    if (type === undefined) continue;
    await client.delete(type, keyOfInstall(object), { propagationPolicy: "Background" }, signal);
  }
}

/**
 * A management cluster may be a Cluster of its own (after `clusterctl move`). It is the parent, not a child: an agent would live beside
 * the hub, and its removal would take the hub's namespace along.
 */
export async function isSameCluster(one: Client, other: Client, signal: AbortSignal): Promise<boolean> {
  const [a, b] = await Promise.all([one, other].map((client) => client.get(Namespace, { name: "kube-system" }, signal)));
  return a?.metadata.uid !== undefined && a.metadata.uid === b?.metadata.uid;
}

function keyOfInstall({ metadata: { name, namespace } }: InstallObject): { name: string; namespace?: string } {
  return namespace === undefined ? { name } : { name, namespace };
}
