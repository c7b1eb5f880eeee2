// Installs the agent into a workload cluster, and lets it join: finalizer, place on the parent, agent, grant, in this order.

import type { ResourceType } from "#api/meta.ts";
import { annotations, finalizers, joinGrantKeys, labels } from "#api/names.ts";
import { JOINING_NAMESPACE } from "#install/cluster-api-integration.ts";
import { childNamespaceObject } from "#install/child.ts";
import { ConfigMap, Namespace, ServiceAccount } from "#kube/builtin-kinds.ts";
import type { Client } from "#kube/client.ts";
import { after, done, type Result } from "#kube/controller.ts";
import type { Discovery } from "#kube/discovery.ts";
import type { EventRecorder } from "#kube/events.ts";
import { addFinalizer, removeFinalizer } from "#kube/finalizers.ts";
import { withTimeLimit } from "#std/abort.ts";
import { canonicalHash } from "#std/canonical-json.ts";
import { errorChain } from "#std/errors.ts";
import type { Logger } from "#std/log.ts";
import type { CapiCluster } from "./contract.ts";
import { clusterKeyOf, isMadeFor, nameCandidates, type ClusterNames } from "./names.ts";
import { labelsTextOf } from "./plan.ts";
import { readSettings, type IntegrationSettings } from "./settings.ts";
import { applyStages, FIELD_MANAGER, isSameCluster, stagesFor } from "./workload-objects.ts";
import { connectWorkloadCluster, NoKubeconfigError, type WorkloadCluster } from "./workload-kubeconfig.ts";

export interface InstallShell {
  readonly client: Client;
  readonly clusterType: ResourceType<CapiCluster>;
  /** Of our components on the parent. */
  readonly namespace: string;
  readonly joinTokenLifetimeMs: number;
  readonly discoveryOf: (client: Client) => Discovery;
  readonly events: EventRecorder;
  readonly log: Logger;
}

interface Installation {
  readonly cluster: CapiCluster;
  readonly settings: IntegrationSettings;
  readonly reason: string;
}

/** A workload cluster that does not answer delays only itself. */
export const WORKLOAD_MS_MAX = 60_000;
const LOOK_AGAIN_MS = 10_000;

export async function installAgent(installation: Installation, shell: InstallShell, signal: AbortSignal): Promise<Result> {
  const { cluster } = installation;
  const refuse = (reason: string, message: string): Result => {
    shell.events.record(cluster, { type: "Warning", reason, message });
    shell.log.warn("cluster-api.not-installed", { cluster: clusterKeyOf(cluster), reason, message });
    return after(LOOK_AGAIN_MS);
  };
  try {
    return await withTimeLimit(
      { limitMs: WORKLOAD_MS_MAX, what: `Installing the agent into ${clusterKeyOf(cluster)}` },
      (limited) => install(installation, { ...shell, refuse }, limited),
      signal,
    );
  } catch (error) {
    if (signal.aborted) throw error;
    if (error instanceof NoKubeconfigError) return refuse(error.reason, error.message);
    const message = `The agent is not installed, which is tried again: ${errorChain(error)}`;
    shell.events.record(cluster, { type: "Warning", reason: "AgentNotInstalled", message });
    throw error;
  }
}

type Shell = InstallShell & { readonly refuse: (reason: string, message: string) => Result };

async function install(installation: Installation, shell: Shell, signal: AbortSignal): Promise<Result> {
  const { client, clusterType } = shell;
  const { cluster } = installation;
  const { namespace = "", name } = cluster.metadata;
  await using workload = await connectWorkloadCluster(client, { namespace, name }, signal);
  if (await isSameCluster(client, workload.client, signal)) {
    return shell.refuse("IsTheParent", "This Cluster is the parent itself, which cannot be its own child");
  }
  // Before anything of ours exists anywhere: whoever deletes the Cluster now finds everything.
  const held = await addFinalizer(client, { type: clusterType, object: cluster, finalizer: finalizers.clusterApi }, signal);
  if (!(await isStillWanted(shell, signal))) {
    await removeFinalizer(client, { type: clusterType, object: held, finalizer: finalizers.clusterApi }, signal);
    return done;
  }
  const names = await takePlace(cluster, shell, signal);
  if (names === undefined) {
    const taken = nameCandidates(clusterKeyOf(cluster)).map(({ clusterName }) => clusterName);
    return shell.refuse("NameTaken", `Every name that this Cluster could have belongs to another child: ${taken.join(", ")}`);
  }
  await putAgent(installation, { ...shell, names, workload }, signal);
  return done;
}

/**
 * The settings are let go when no Cluster has our finalizer. Ours was added a moment ago: either that check saw it, or the deletion that
 * it belongs to is seen here.
 */
async function isStillWanted({ client, namespace }: InstallShell, signal: AbortSignal): Promise<boolean> {
  const { items } = await client.list(ConfigMap, { namespace, labelSelector: `${labels.clusterApiSettings}=true` }, signal);
  return readSettings(items[0]).state === "ready";
}

/** The first name that nobody else has: whoever makes the namespace has the name. */
async function takePlace(
  cluster: CapiCluster,
  { client, namespace }: InstallShell,
  signal: AbortSignal,
): Promise<ClusterNames | undefined> {
  const clusterKey = clusterKeyOf(cluster);
  for (const names of nameCandidates(clusterKey)) {
    const grant = await client.get(ConfigMap, { namespace, name: names.grant }, signal);
    if (grant !== undefined && !isMadeFor(clusterKey, grant)) continue;
    const existing = await client.get(Namespace, { name: names.namespace }, signal);
    if (existing !== undefined && !isMadeFor(clusterKey, existing)) continue;
    if (existing?.metadata.deletionTimestamp !== undefined) throw new Error(`Namespace ${names.namespace} is still going`);
    if (existing === undefined) {
      const wanted = childNamespaceObject({ clusterName: names.clusterName, clusterNamespace: names.namespace });
      const marks = { ...wanted.metadata.annotations, [annotations.clusterApiCluster]: clusterKey };
      // Fails when another Cluster was faster, and then the next try sees that.
      await client.create(Namespace, { ...wanted, metadata: { ...wanted.metadata, annotations: marks } }, signal);
    }
    return names;
  }
  return undefined;
}

async function putAgent(
  { cluster, settings, reason }: Installation,
  shell: Shell & { readonly names: ClusterNames; readonly workload: WorkloadCluster },
  signal: AbortSignal,
): Promise<void> {
  const { client, events, log, names, workload } = shell;
  const clusterKey = clusterKeyOf(cluster);
  const account = { namespace: JOINING_NAMESPACE, name: names.account };
  if ((await client.get(ServiceAccount, account, signal)) === undefined) {
    const metadata = { ...account, annotations: { [annotations.clusterApiCluster]: clusterKey } };
    await client.create(ServiceAccount, { apiVersion: "v1", kind: "ServiceAccount", metadata }, signal);
  }
  const expirationSeconds = Math.round(shell.joinTokenLifetimeMs / 1000);
  const issued = await client.createToken(account, { expirationSeconds }, signal);
  const target = { client: workload.client, discovery: shell.discoveryOf(workload.client) };
  await applyStages(stagesFor(names, settings, issued.token), target, signal);
  const hash = canonicalHash(stagesFor(names, settings));
  const grant = grantObject(cluster, { names, namespace: shell.namespace, hash, tokenExpires: issued.expirationTimestamp });
  await client.apply(ConfigMap, grant, { fieldManager: FIELD_MANAGER, force: true }, signal);
  log.info("cluster-api.installed", { cluster: clusterKey, clusterName: names.clusterName, reason });
  const message = `Installed the agent as ${names.clusterName}: ${reason}`;
  events.record(cluster, { type: "Normal", reason: "AgentInstalled", message });
}

/** The permission to join, and the record of what was installed. */
function grantObject(
  cluster: CapiCluster,
  {
    names,
    namespace,
    hash,
    tokenExpires,
  }: { readonly names: ClusterNames; readonly namespace: string; readonly hash: string; readonly tokenExpires: string },
): ConfigMap {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: names.grant,
      namespace,
      labels: { [labels.joinGrant]: "true" },
      annotations: {
        [annotations.clusterApiCluster]: clusterKeyOf(cluster),
        [annotations.installedHash]: hash,
        [annotations.joinTokenExpires]: tokenExpires,
      },
    },
    data: {
      [joinGrantKeys.username]: `system:serviceaccount:${JOINING_NAMESPACE}:${names.account}`,
      [joinGrantKeys.clusterName]: names.clusterName,
      [joinGrantKeys.clusterNamespace]: names.namespace,
      [joinGrantKeys.clusterLabels]: labelsTextOf(cluster),
      [joinGrantKeys.syncModes]: "Pull",
    },
  };
}
