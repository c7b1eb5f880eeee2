// Takes out what install.ts made: the place on the parent, by what it says it was made for; the agent, where the cluster still answers.

import { namespaces } from "#api/names.ts";
import { JOINING_NAMESPACE } from "#install/cluster-api-integration.ts";
import { ConfigMap, Namespace, ServiceAccount } from "#kube/builtin-kinds.ts";
import type { Client } from "#kube/client.ts";
import { withTimeLimit } from "#std/abort.ts";
import { errorChain } from "#std/errors.ts";
import { isBeingDeleted, type CapiCluster } from "./contract.ts";
import { WORKLOAD_MS_MAX, type InstallShell } from "./install.ts";
import { clusterKeyOf, isMadeFor, nameCandidates } from "./names.ts";
import type { IntegrationSettings } from "./settings.ts";
import { deleteStages, isSameCluster, stagesFor } from "./workload-objects.ts";
import { connectWorkloadCluster, NoKubeconfigError } from "./workload-kubeconfig.ts";

interface RemovalShell {
  readonly client: Client;
  readonly namespace: string;
  /** Runs when the child is deregistered, and before its account goes. */
  readonly uninstall?: () => Promise<void>;
}

/** False while a grant is still held: the controller-manager deregisters the child first, with its agent there to clean up. */
export async function removePlaces(
  clusterKey: string,
  { client, namespace, uninstall }: RemovalShell,
  signal: AbortSignal,
): Promise<boolean> {
  const candidates = nameCandidates(clusterKey);
  for (const { grant } of candidates) {
    const key = { namespace, name: grant };
    const found = await client.get(ConfigMap, key, signal);
    if (found === undefined || !isMadeFor(clusterKey, found)) continue;
    if (found.metadata.deletionTimestamp === undefined) await client.delete(ConfigMap, key, preconditions(found), signal);
    if ((await client.get(ConfigMap, key, signal)) !== undefined) return false;
  }
  await uninstall?.();
  for (const names of candidates) {
    const account = { namespace: JOINING_NAMESPACE, name: names.account };
    const foundAccount = await client.get(ServiceAccount, account, signal);
    if (foundAccount !== undefined && isMadeFor(clusterKey, foundAccount)) {
      await client.delete(ServiceAccount, account, preconditions(foundAccount), signal);
    }
    const place = { name: names.namespace };
    const foundPlace = await client.get(Namespace, place, signal);
    if (foundPlace !== undefined && isMadeFor(clusterKey, foundPlace)) {
      await client.delete(Namespace, place, preconditions(foundPlace), signal);
    }
  }
  return true;
}

function preconditions({ metadata: { uid } }: { readonly metadata: { readonly uid?: string } }): { uid?: string } {
  return uid === undefined ? {} : { uid };
}

/** Only names matter for a removal: it works with settings that are missing or broken. */
const REMOVAL_SETTINGS: IntegrationSettings = {
  image: "removed",
  imagePullPolicy: undefined,
  parentUrl: "https://removed",
  parentCaPem: undefined,
  namespace: namespaces.system,
};

/** A workload cluster that is being torn down may not answer any more: then its agent goes with it. */
export async function removeAgent(cluster: CapiCluster, shell: InstallShell, signal: AbortSignal): Promise<void> {
  const clusterKey = clusterKeyOf(cluster);
  const [names] = nameCandidates(clusterKey);
  if (names === undefined) return;
  try {
    await withTimeLimit(
      { limitMs: WORKLOAD_MS_MAX, what: `Removing the agent from ${clusterKey}` },
      async (limited) => {
        const { namespace = "", name } = cluster.metadata;
        await using workload = await connectWorkloadCluster(shell.client, { namespace, name }, limited);
        if (await isSameCluster(shell.client, workload.client, limited)) return;
        const target = { client: workload.client, discovery: shell.discoveryOf(workload.client) };
        await deleteStages(stagesFor(names, REMOVAL_SETTINGS), target, limited);
      },
      signal,
    );
  } catch (error) {
    if (signal.aborted) throw error;
    const isLost = isBeingDeleted(cluster) || (error instanceof NoKubeconfigError && error.reason === "KubeconfigMissing");
    const message = isLost
      ? `Left the agent where it is, since its cluster goes or cannot be reached any more: ${errorChain(error)}`
      : `The agent is not removed, which is tried again: ${errorChain(error)}`;
    shell.events.record(cluster, { type: "Warning", reason: "AgentNotRemoved", message });
    if (!isLost) throw error;
  }
}
