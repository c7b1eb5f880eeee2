// Deregisters children: a deleted join grant or ManagedCluster -> nothing of the child is left on the parent (plan.ts: the steps, REM-n).
//
// A cluster whose ManagedCluster was deleted leaves its request behind, denied: that is what keeps its agent, which may still hold a
// bootstrap token, from joining again by itself. A deleted grant takes the requests with it.

import type { Base } from "#api/apps/v1alpha1/base.ts";
import type { Description } from "#api/apps/v1alpha1/description.ts";
import { managedClusterName, dedicatedNamespaceName } from "#api/clusters/v1beta1/cluster-name.ts";
import { ClusterRegistrationRequest } from "#api/clusters/v1beta1/cluster-registration-request.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { annotations, createdByValues, finalizers, joinGrantKeys, labels, roles, serviceAccounts } from "#api/names.ts";
import { parseKey, type KubeObject } from "#api/meta.ts";
import { removeAccount } from "#controller-manager/controllers/cluster-registration/remove-account.ts";
import {
  BY_CLUSTER_ID,
  BY_CREATOR,
  type RegistrationInformers,
} from "#controller-manager/controllers/cluster-registration/informers.ts";
import { clusterRoleName } from "#controller-manager/controllers/cluster-registration/objects.ts";
import { by } from "#controller-manager/informers.ts";
import { writeDeregistered } from "#controller-manager/controllers/cluster-registration/answer.ts";
import { ClusterRole, ClusterRoleBinding, ConfigMap, Namespace, Role, RoleBinding } from "#kube/builtin-kinds.ts";
import type { Client } from "#kube/client.ts";
import { createController, done, source, type Controller } from "#kube/controller.ts";
import type { EventRecorder } from "#kube/events.ts";
import { removeFinalizer } from "#kube/finalizers.ts";
import type { Informer } from "#kube/informer.ts";
import { keyOf, keyTextOf } from "#kube/object.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { Metrics } from "#std/metrics.ts";
import { planRemoval } from "./plan.ts";

export interface ClusterRemovalDeps {
  readonly client: Client;
  readonly informers: RegistrationInformers & {
    /** With the index `by.namespace`. */
    readonly managedClusters: Informer<ManagedCluster>;
    readonly bases: Informer<Base>;
    readonly descriptions: Informer<Description>;
  };
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

const GRANT = "grant:";

export function clusterRemovalController(deps: ClusterRemovalDeps): Controller {
  const { informers, clock, log, metrics } = deps;
  const inNamespaceOf = ({ metadata }: KubeObject): readonly string[] =>
    informers.managedClusters
      .byIndex(by.namespace, metadata.namespace ?? "")
      .filter((cluster) => cluster.metadata.deletionTimestamp !== undefined)
      .map(keyTextOf);
  const grantsOf = (username: string): readonly string[] =>
    informers.grants
      .list()
      .flatMap(({ metadata, data }) => (data?.[joinGrantKeys.username] === username ? [GRANT + metadata.name] : []));
  return createController({
    name: "cluster-removal",
    sources: [
      source(informers.grants, ({ metadata }) => [GRANT + metadata.name]),
      source(informers.managedClusters, (cluster) => {
        const grant = cluster.metadata.annotations?.[annotations.joinGrant];
        return [keyTextOf(cluster), ...(grant === undefined ? [] : [GRANT + grant])];
      }),
      source(informers.requests, ({ metadata }) => grantsOf(metadata.annotations?.[annotations.requestedBy] ?? "")),
      source(informers.bases, inNamespaceOf),
      source(informers.descriptions, inNamespaceOf),
      source(informers.accounts, inNamespaceOf),
    ],
    reconcile: async (key, signal) => {
      await (key.startsWith(GRANT) ? reconcileGrant(deps, key.slice(GRANT.length), signal) : reconcileCluster(deps, key, signal));
      return done;
    },
    clock,
    log,
    metrics,
  });
}

/** A deleted grant: its cluster first (which has a finalizer of its own), then its requests, then itself. */
async function reconcileGrant({ client, informers, log }: ClusterRemovalDeps, name: string, signal: AbortSignal): Promise<void> {
  const grant = informers.grants.list().find(({ metadata }) => metadata.name === name);
  if (grant?.metadata.deletionTimestamp === undefined || grant.metadata.finalizers?.includes(finalizers.apps) !== true) return;
  const clusters = informers.managedClusters
    .list()
    .filter(({ metadata }) => metadata.annotations?.[annotations.joinGrant] === name);
  for (const cluster of clusters.filter(({ metadata }) => metadata.deletionTimestamp === undefined)) {
    log.info("removal.started", { cluster: keyTextOf(cluster), reason: `join grant ${name} was deleted` });
    await client.delete(ManagedCluster, keyOf(cluster), uidOf(cluster), signal);
  }
  if (clusters.length > 0 || (await isThere(client, grant, signal))) return;
  const requests = informers.requests.byIndex(BY_CREATOR, grant.data?.[joinGrantKeys.username] ?? "");
  for (const request of requests) await client.delete(ClusterRegistrationRequest, keyOf(request), uidOf(request), signal);
  await removeFinalizer(client, { type: ConfigMap, object: grant, finalizer: finalizers.apps }, signal);
  log.info("removal.grant-released", { grant: name });
}

/** The cache may lag behind an approval of a moment ago; its event brings us back. */
async function isThere(client: Client, { metadata, data }: ConfigMap, signal: AbortSignal): Promise<boolean> {
  const wanted = data?.[joinGrantKeys.clusterName] ?? "";
  if (wanted === "") return false;
  const name = managedClusterName(wanted);
  const named = data?.[joinGrantKeys.clusterNamespace] ?? "";
  const namespace = named === "" ? dedicatedNamespaceName(name) : named;
  const cluster = await client.get(ManagedCluster, { namespace, name }, signal);
  return cluster?.metadata.annotations?.[annotations.joinGrant] === metadata.name;
}

async function reconcileCluster(deps: ClusterRemovalDeps, key: string, signal: AbortSignal): Promise<void> {
  const { client, informers, events, log } = deps;
  const cluster = informers.managedClusters.get(key);
  if (cluster?.metadata.deletionTimestamp === undefined || cluster.metadata.finalizers?.includes(finalizers.apps) !== true)
    return;
  const { namespace = "" } = parseKey(key);
  const inNamespace = ({ metadata }: KubeObject): boolean => metadata.namespace === namespace;
  const facts = {
    cluster,
    hasAccount: informers.accounts.get(`${namespace}/${serviceAccounts.agent}`) !== undefined,
    bases: informers.bases.list().filter(inNamespace),
    descriptions: informers.descriptions.list().filter(inNamespace),
  };
  const step = planRemoval(facts);
  switch (step.type) {
    case "withdraw":
      for (const base of step.bases) await client.delete(informers.bases.type, keyOf(base), uidOf(base), signal);
      for (const description of step.descriptions) {
        await client.delete(informers.descriptions.type, keyOf(description), uidOf(description), signal);
      }
      return;
    case "wait":
      events.record(cluster, { type: "Normal", reason: "WaitingForChild", message: step.message });
      return;
    case "give-up":
      if (step.message !== undefined) {
        log.warn("removal.objects-left", { cluster: key, message: step.message });
        for (const subject of [cluster, ...grantOf(deps, cluster)]) {
          events.record(subject, { type: "Warning", reason: "ObjectsLeftInChild", message: step.message });
        }
      }
      for (const { object, type } of [
        ...step.descriptions.map((object) => ({ object, type: informers.descriptions.type })),
        ...step.bases.map((object) => ({ object, type: informers.bases.type })),
      ]) {
        await removeFinalizer<KubeObject>(client, { type, object, finalizer: finalizers.apps }, signal);
      }
      return;
    case "erase":
      await erase(deps, cluster, signal);
  }
}

async function erase(deps: ClusterRemovalDeps, cluster: ManagedCluster, signal: AbortSignal): Promise<void> {
  const { client, informers, log } = deps;
  const { namespace = "" } = cluster.metadata;
  const clusterWide = { name: clusterRoleName(cluster.spec.clusterId) };
  const own = { namespace, name: roles.child };
  // The account first: from here on no token of the child works.
  await removeAccount(client, { namespace }, signal);
  await client.delete(RoleBinding, own, {}, signal);
  await client.delete(Role, own, {}, signal);
  await client.delete(ClusterRoleBinding, clusterWide, {}, signal);
  await client.delete(ClusterRole, clusterWide, {}, signal);
  await settleRequests(deps, cluster, signal);
  // Before the finalizer goes: the namespace is found through the cluster.
  const home = informers.namespaces.get(namespace);
  if (home?.metadata.deletionTimestamp === undefined && home?.metadata.labels?.[labels.createdBy] === createdByValues.agent) {
    await client.delete(Namespace, { name: namespace }, uidOf(home), signal);
  }
  await removeFinalizer(client, { type: ManagedCluster, object: cluster, finalizer: finalizers.apps }, signal);
  log.info("removal.finished", { cluster: keyTextOf(cluster) });
}

async function settleRequests(deps: ClusterRemovalDeps, cluster: ManagedCluster, signal: AbortSignal): Promise<void> {
  const { client, informers } = deps;
  const [grant] = grantOf(deps, cluster);
  const hadGrant = cluster.metadata.annotations?.[annotations.joinGrant] !== undefined;
  const isGrantGone = hadGrant && (grant === undefined || grant.metadata.deletionTimestamp !== undefined);
  for (const request of informers.requests.byIndex(BY_CLUSTER_ID, cluster.spec.clusterId)) {
    if (isGrantGone) await client.delete(ClusterRegistrationRequest, keyOf(request), uidOf(request), signal);
    else await writeDeregistered(deps, { request, cluster: keyTextOf(cluster) }, signal);
  }
}

function grantOf({ informers }: ClusterRemovalDeps, { metadata }: ManagedCluster): readonly ConfigMap[] {
  const name = metadata.annotations?.[annotations.joinGrant];
  return name === undefined ? [] : informers.grants.list().filter((grant) => grant.metadata.name === name);
}

/** Only the object we looked at, not one of the same name made since. */
function uidOf({ metadata }: KubeObject): { readonly uid?: string } {
  return metadata.uid === undefined ? {} : { uid: metadata.uid };
}
