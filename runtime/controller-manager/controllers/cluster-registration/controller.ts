// Approves children: requests -> namespace, ManagedCluster, account, RBAC, sealed token; and keeps these as they must be.
//
// One key is one cluster id: everything that concerns a cluster is decided in one place at a time, so two requests for one id cannot
// interleave. What was approved is healed on every change of any of its objects; a settled cluster costs no request.

import type { ClusterRegistrationRequest } from "#api/clusters/v1beta1/cluster-registration-request.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { annotations, conditionTypes, finalizers, labels } from "#api/names.ts";
import type { KubeObject } from "#api/meta.ts";
import { ConfigMap } from "#kube/builtin-kinds.ts";
import { findCondition } from "#kube/conditions.ts";
import { after, createController, done, source, type Controller, type Result } from "#kube/controller.ts";
import { addFinalizer } from "#kube/finalizers.ts";
import type { Change } from "#kube/informer.ts";
import { deepEqual } from "#std/canonical-json.ts";
import { compareText } from "#std/compare-text.ts";
import { toError } from "#std/errors.ts";
import { keyFingerprint } from "#std/sealed-text.ts";
import { approveChild } from "./approve.ts";
import type { ClusterRegistrationDeps, Outcome } from "./dependencies.ts";
import { BY_CLUSTER_ID, BY_CREATOR, creatorOf } from "./informers.ts";
import { parseJoinGrant } from "./join-grant.ts";
import { decideRegistration, type RegistrationDecision, type RegistrationFacts } from "./plan.ts";
import { writeAnswer } from "./answer.ts";
import { removeAccount } from "./remove-account.ts";

export function clusterRegistrationController(deps: ClusterRegistrationDeps): Controller {
  const { informers, clock, log, metrics } = deps;
  const decisions = metrics.counter({
    name: "clusternet_registration_decisions_total",
    help: "Decisions on requests to join that changed the answer",
    labels: ["decision"],
  });
  const ofCluster = ({ metadata }: KubeObject): readonly string[] => {
    const clusterId = metadata.labels?.[labels.clusterId];
    return clusterId === undefined ? [] : [clusterId];
  };
  const undecided = (): readonly string[] =>
    informers.requests.list().flatMap(({ spec, status }) => (status?.result === "Approved" ? [] : [spec.clusterId]));
  return createController({
    name: "cluster-registration",
    sources: [
      source(informers.requests, ({ spec }) => [spec.clusterId]),
      source(informers.managedClusters, (cluster, change) => {
        if (change.type === "deleted") return [cluster.spec.clusterId, ...undecided()];
        return isHeartbeat(change) ? [] : [cluster.spec.clusterId];
      }),
      source(informers.grants, ({ data }) =>
        informers.requests.byIndex(BY_CREATOR, data?.["username"] ?? "").map(({ spec }) => spec.clusterId),
      ),
      source(informers.namespaces, (namespace) =>
        namespace.metadata.annotations?.[annotations.reservedFor] === undefined ? [] : [...ofCluster(namespace), ...undecided()],
      ),
      source(informers.accounts, ofCluster),
      source(informers.roles, ofCluster),
      source(informers.roleBindings, ofCluster),
      source(informers.clusterRoles, ofCluster),
      source(informers.clusterRoleBindings, ofCluster),
    ],
    reconcile: (clusterId, signal) =>
      reconcileCluster(
        deps,
        {
          clusterId,
          count: (decision) => {
            decisions.inc({ decision });
          },
        },
        signal,
      ),
    clock,
    log,
    metrics,
  });
}

async function reconcileCluster(
  deps: ClusterRegistrationDeps,
  { clusterId, count }: { readonly clusterId: string; readonly count: (decision: string) => void },
  signal: AbortSignal,
): Promise<Result> {
  const requests = [...deps.informers.requests.byIndex(BY_CLUSTER_ID, clusterId)].sort(oldestFirst);
  let lookAgainInMs: number | undefined;
  for (const request of requests) {
    const decision = decideRegistration(factsFor(deps, request), deps.options);
    const result = await carryOut(deps, { request, decision, count }, signal);
    // What was written is not in the caches yet, and the next decision would not see it: its own change brings us back.
    if (result.changed) return done;
    if (result.lookAgainInMs !== undefined) lookAgainInMs = Math.min(result.lookAgainInMs, lookAgainInMs ?? Infinity);
  }
  return lookAgainInMs === undefined ? done : after(lookAgainInMs);
}

async function carryOut(
  deps: ClusterRegistrationDeps,
  {
    request,
    decision,
    count,
  }: {
    readonly request: ClusterRegistrationRequest;
    readonly decision: RegistrationDecision;
    readonly count: (decision: string) => void;
  },
  signal: AbortSignal,
): Promise<Outcome> {
  await holdGrants(deps, request, signal);
  if (decision.type === "approve") {
    const outcome = await approveChild(deps, { request, child: decision.child, message: decision.message }, signal);
    if (outcome.changed && request.status?.result !== "Approved") count("Approved");
    return outcome;
  }
  // The answer belongs to the removal until it is through.
  if (decision.reason === "ClusterBeingRemoved") return { changed: false };
  if (decision.reason === "DeniedByAdministrator") await lockOut(deps, request, signal);
  const changed = await writeAnswer(deps, { request, decision }, signal);
  if (changed) count(decision.reason);
  return { changed: false };
}

/** A grant that was used goes only when what it let in is gone; see cluster-removal. */
async function holdGrants(
  deps: ClusterRegistrationDeps,
  request: ClusterRegistrationRequest,
  signal: AbortSignal,
): Promise<void> {
  for (const grant of grantsFor(deps, request)) {
    if (grant.metadata.deletionTimestamp !== undefined) continue;
    await addFinalizer(deps.client, { type: ConfigMap, object: grant, finalizer: finalizers.apps }, signal);
  }
}

/** An administrator turned an approved request down: its tokens die, everything else stays. */
async function lockOut(deps: ClusterRegistrationDeps, request: ClusterRegistrationRequest, signal: AbortSignal): Promise<void> {
  const namespace = request.status?.dedicatedNamespace;
  if (request.status?.result !== "Approved" || namespace === undefined) return;
  await removeAccount(deps.client, { namespace }, signal);
}

function factsFor(deps: ClusterRegistrationDeps, request: ClusterRegistrationRequest): RegistrationFacts {
  const { informers } = deps;
  const { publicKey } = request.spec;
  return {
    request,
    ...(publicKey === undefined ? {} : { key: fingerprintOf(publicKey) }),
    grants: grantsFor(deps, request).map(parseJoinGrant),
    nowMs: deps.clock.now(),
    rivals: informers.requests
      .byIndex(BY_CLUSTER_ID, request.spec.clusterId)
      .filter(({ metadata }) => metadata.name !== request.metadata.name),
    clusters: informers.managedClusters.list(),
    namespace: (name) => informers.namespaces.get(name),
  };
}

function grantsFor({ informers }: ClusterRegistrationDeps, request: ClusterRegistrationRequest): readonly ConfigMap[] {
  const creator = creatorOf(request);
  return creator === "" ? [] : informers.grants.list().filter(({ data }) => data?.["username"] === creator);
}

function fingerprintOf(publicKey: string): { readonly fingerprint: string } | { readonly problem: string } {
  try {
    return { fingerprint: keyFingerprint(publicKey) };
  } catch (error) {
    return { problem: toError(error).message };
  }
}

/** Only its status moved, and not its readiness: nothing here depends on it. */
function isHeartbeat(change: Change<ManagedCluster>): boolean {
  if (change.type !== "updated") return false;
  const { object, previous } = change;
  const relevant = ({ metadata, spec, status }: ManagedCluster): unknown => [
    metadata.labels,
    metadata.annotations,
    metadata.finalizers,
    metadata.deletionTimestamp,
    spec,
    findCondition(status?.conditions, conditionTypes.ready)?.status,
  ];
  return deepEqual(relevant(object), relevant(previous));
}

function oldestFirst(a: ClusterRegistrationRequest, b: ClusterRegistrationRequest): number {
  const [aMade = "", bMade = ""] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp];
  return compareText(aMade, bMade) || compareText(a.metadata.name, b.metadata.name);
}
