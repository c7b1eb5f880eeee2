// Carries out an approval, step by step and idempotently: namespace, ManagedCluster, account, RBAC, token, answer.

import { ClusterRegistrationRequest } from "#api/clusters/v1beta1/cluster-registration-request.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { annotations, finalizers } from "#api/names.ts";
import type { ServiceAccount } from "#kube/builtin-kinds.ts";
import { findCondition } from "#kube/conditions.ts";
import { isAlreadyExists } from "#kube/errors.ts";
import { keyOf, keyTextOf } from "#kube/object.ts";
import { writeAnswer } from "./answer.ts";
import type { ClusterRegistrationDeps, Outcome } from "./dependencies.ts";
import { ChangedMeanwhileError, ensureObject, missing } from "./ensure.ts";
import { parseGrantedLabels } from "./join-grant.ts";
import {
  childAccount,
  childClusterRole,
  childClusterRoleBinding,
  childManagedCluster,
  childNamespace,
  childRole,
  childRoleBinding,
  clusterAnnotations,
  clusterLabelChanges,
} from "./objects.ts";
import { DEREGISTERED, type ApprovedChild } from "./plan.ts";
import { removeAccount } from "./remove-account.ts";
import { issueSealedToken, tokenNeed, upstreamToken } from "./token.ts";

/** kube-controller-manager fills in a token Secret within a second. */
const UPSTREAM_TOKEN_LOOK_AGAIN_MS = 1_000;
/** Timers end at 24 days. */
const LOOK_AGAIN_MS_MAX = 24 * 3_600_000;

interface Approval {
  readonly request: ClusterRegistrationRequest;
  readonly child: ApprovedChild;
  readonly message: string;
}

export async function approveChild(deps: ClusterRegistrationDeps, approval: Approval, signal: AbortSignal): Promise<Outcome> {
  const { client, informers, options } = deps;
  const { child } = approval;
  if (child.ownsNamespace) await ensureNamespace(deps, child, signal);
  // Before the new key is written down: a crash in between must not leave the old tokens alive.
  if (child.replacesKey) await removeAccount(client, child, signal);
  const cluster = await ensureCluster(deps, approval, signal);
  // The caches still show the old account; the change of the cluster brings us back.
  if (child.replacesKey) return { changed: true };
  const account = await ensureObject(client, { informer: informers.accounts, wanted: childAccount(child) }, signal);
  const rbac = [
    await ensureObject(client, { informer: informers.roles, wanted: childRole(child, options), fields: ["rules"] }, signal),
    await ensureObject(
      client,
      { informer: informers.roleBindings, wanted: childRoleBinding(child), fields: ["roleRef", "subjects"] },
      signal,
    ),
    await ensureObject(client, { informer: informers.clusterRoles, wanted: childClusterRole(child), fields: ["rules"] }, signal),
    await ensureObject(
      client,
      { informer: informers.clusterRoleBindings, wanted: childClusterRoleBinding(child), fields: ["roleRef", "subjects"] },
      signal,
    ),
  ];
  const changed = [cluster, account, ...rbac].some((ensured) => ensured.changed);
  const answered = await answer(deps, { ...approval, account: account.object, cluster: cluster.object }, signal);
  return { ...answered, changed: changed || answered.changed };
}

async function ensureNamespace(
  { client, informers }: ClusterRegistrationDeps,
  child: ApprovedChild,
  signal: AbortSignal,
): Promise<void> {
  if (informers.namespaces.get(child.namespace) !== undefined) return;
  try {
    await client.create(informers.namespaces.type, childNamespace(child), signal);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    throw new ChangedMeanwhileError(`Namespace ${child.namespace} was made by someone else just now`, { cause: error });
  }
}

async function ensureCluster(
  deps: ClusterRegistrationDeps,
  { request, child }: Approval,
  signal: AbortSignal,
): Promise<{ readonly object: ManagedCluster; readonly changed: boolean }> {
  const { client, informers } = deps;
  const wanted = childManagedCluster(child);
  const cached = informers.managedClusters.get(keyTextOf(wanted));
  if (cached !== undefined) return alignCluster(deps, { child, existing: cached }, signal);
  const live = await client.get(ManagedCluster, keyOf(wanted), signal);
  if (live !== undefined) throw new ChangedMeanwhileError(`ManagedCluster ${keyTextOf(wanted)} appeared just now`);
  await assertNotDeregistered(deps, request, signal);
  return { object: await client.create(ManagedCluster, wanted, signal), changed: true };
}

/** The cache may not know yet that the cluster was deregistered; making it again would undo that. */
async function assertNotDeregistered(
  { client }: ClusterRegistrationDeps,
  { metadata: { name, uid } }: ClusterRegistrationRequest,
  signal: AbortSignal,
): Promise<void> {
  const live = await client.get(ClusterRegistrationRequest, { name }, signal);
  if (live === undefined || live.metadata.uid !== uid) throw new ChangedMeanwhileError(`Request ${name} is gone`);
  if (findCondition(live.status?.conditions, DEREGISTERED)?.status === "True") {
    throw new ChangedMeanwhileError(`Request ${name} was deregistered just now`);
  }
}

/** Changes only what registration owns: its labels and annotations, the finalizer, and the sync mode. */
async function alignCluster(
  { client }: ClusterRegistrationDeps,
  { child, existing }: { readonly child: ApprovedChild; readonly existing: ManagedCluster },
  signal: AbortSignal,
): Promise<{ readonly object: ManagedCluster; readonly changed: boolean }> {
  const { metadata, spec } = existing;
  const grantedBefore = parseGrantedLabels(metadata.annotations?.[annotations.grantedLabels]);
  const labels = missing(metadata.labels, clusterLabelChanges(child, grantedBefore));
  const notes = missing(metadata.annotations, clusterAnnotations(child));
  const needsFinalizer = metadata.finalizers?.includes(finalizers.apps) !== true;
  const needsMode = spec.syncMode !== child.syncMode;
  if (labels === undefined && notes === undefined && !needsFinalizer && !needsMode) return { object: existing, changed: false };
  const body = {
    metadata: {
      uid: metadata.uid,
      resourceVersion: metadata.resourceVersion,
      ...(labels === undefined ? {} : { labels }),
      ...(notes === undefined ? {} : { annotations: notes }),
      ...(needsFinalizer ? { finalizers: [...(metadata.finalizers ?? []), finalizers.apps] } : {}),
    },
    ...(needsMode ? { spec: { syncMode: child.syncMode } } : {}),
  };
  return { object: await client.patch(ManagedCluster, keyOf(existing), { type: "merge", body }, signal), changed: true };
}

async function answer(
  deps: ClusterRegistrationDeps,
  {
    request,
    child,
    message,
    account,
    cluster,
  }: Approval & { readonly account: ServiceAccount; readonly cluster: ManagedCluster },
  signal: AbortSignal,
): Promise<Outcome> {
  const { client, clock, options } = deps;
  const { publicKey } = request.spec;
  if (publicKey === undefined) return answerUpstream(deps, { request, child, message }, signal);
  const now = clock.now();
  const lifetimeMs = options.agentTokenLifetimeMs;
  const sealed = request.status?.sealedToken;
  const need = tokenNeed(
    { sealedToken: sealed, accountUid: account.metadata.uid ?? "", fingerprint: child.keyFingerprint ?? "", cluster },
    { now, lifetimeMs },
  );
  const sealedToken =
    need.type === "kept" && sealed !== undefined
      ? sealed
      : await issueSealedToken(client, { child, account, publicKey, now, lifetimeMs }, signal);
  const decision = { type: "approve", child, message, credentials: { sealedToken } } as const;
  const changed = await writeAnswer(deps, { request, decision }, signal);
  if (need.type === "fresh" || need.lookAgainAtMs === undefined) return { changed };
  return { changed, lookAgainInMs: Math.min(LOOK_AGAIN_MS_MAX, Math.max(0, need.lookAgainAtMs - now)) };
}

async function answerUpstream(
  deps: ClusterRegistrationDeps,
  { request, child, message }: Approval,
  signal: AbortSignal,
): Promise<Outcome> {
  const { status } = request;
  const given =
    status?.token !== undefined && status.caCertificate !== undefined
      ? { token: status.token, caCertificate: status.caCertificate }
      : await upstreamToken(deps.client, child, signal);
  if (given === undefined) return { changed: false, lookAgainInMs: UPSTREAM_TOKEN_LOOK_AGAIN_MS };
  const decision = { type: "approve", child, message, credentials: given } as const;
  return { changed: await writeAnswer(deps, { request, decision }, signal) };
}
