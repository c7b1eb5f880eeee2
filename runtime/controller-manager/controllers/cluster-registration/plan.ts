// Decides on a request to join: approve (and what as), refuse, or wait for someone. Pure; rules REG-n: docs/contracts/registration.md.
//
// Two questions, in this order: may this agent be this cluster (identity), and may this cluster have this name, namespace and labels
// (claims). Claims are checked once: after that the join grant alone decides, because a request cannot be changed.

import { dedicatedNamespaceName, managedClusterName, registrationRequestName } from "#api/clusters/v1beta1/cluster-name.ts";
import { annotations, createdByValues, labels, nodeLabelPrefix } from "#api/names.ts";
import type { ClusterRegistrationRequest } from "#api/clusters/v1beta1/cluster-registration-request.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { Namespace } from "#kube/builtin-kinds.ts";
import { findCondition } from "#kube/conditions.ts";
import type { SyncMode } from "#api/fields.ts";
import { parseGrantedLabels, type JoinGrant, type ParsedGrant } from "./join-grant.ts";

export type RefusalReason =
  | "ClusterDeregistered"
  | "ClusterIdMismatch"
  | "ClusterIdTaken"
  | "ClusterNameTaken"
  | "DeniedByAdministrator"
  | "LabelsOutsideGrant"
  | "NameOutsideGrant"
  | "NamespaceNotReserved"
  | "NamespaceOutsideGrant"
  | "PublicKeyInvalid"
  | "ReservedLabel"
  | "Superseded"
  | "SyncModeOutsideGrant"
  | "UpstreamAgentsNotServed";

export type WaitReason =
  | "ApprovalRequired"
  | "ClusterBeingRemoved"
  | "CreatorUnknown"
  | "GrantAmbiguous"
  | "GrantBeingRemoved"
  | "GrantExpired"
  | "GrantInvalid"
  | "NamespaceMissing"
  | "NewKeyForKnownCluster"
  | "NoJoinGrant";

/** What an approved child is; objects.ts says which objects that means. */
export interface ApprovedChild {
  readonly clusterId: string;
  readonly clusterName: string;
  /** The name that was asked for, when it was too long. */
  readonly originalName?: string;
  readonly clusterType: string;
  readonly syncMode: SyncMode;
  readonly namespace: string;
  /** The approver makes the namespace, and removes it with the cluster. */
  readonly ownsNamespace: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly grantName?: string;
  /** Absent: an upstream agent. */
  readonly keyFingerprint?: string;
  /** Another key than the one known so far: every token of the account so far must die. */
  readonly replacesKey: boolean;
}

export type RegistrationDecision =
  | { readonly type: "approve"; readonly child: ApprovedChild; readonly message: string }
  | { readonly type: "refuse"; readonly reason: RefusalReason; readonly message: string }
  | { readonly type: "wait"; readonly reason: WaitReason; readonly message: string };

export interface RegistrationFacts {
  readonly request: ClusterRegistrationRequest;
  /** Of spec.publicKey; absent when the request carries none. */
  readonly key?: { readonly fingerprint: string } | { readonly problem: string };
  /** Grants whose username made the request. */
  readonly grants: readonly ParsedGrant[];
  /** Other requests for the same cluster id. */
  readonly rivals: readonly ClusterRegistrationRequest[];
  readonly clusters: readonly ManagedCluster[];
  namespace(name: string): Namespace | undefined;
  readonly nowMs: number;
}

export interface RegistrationRules {
  readonly autoApprove: boolean;
  readonly upstreamAgents: boolean;
}

export function decideRegistration(facts: RegistrationFacts, rules: RegistrationRules): RegistrationDecision {
  return (
    checkRequest(facts, rules) ??
    checkIdentity(facts) ??
    checkPermission(facts, rules) ??
    checkClaims(facts) ??
    checkPlace(facts) ?? { type: "approve", child: approvedChild(facts), message: approvalMessage(facts) }
  );
}

/** Who approved: shown on the request. */
function approvalMessage(facts: RegistrationFacts): string {
  const grant = grantOf(facts);
  if (isApprovedByHand(facts.request)) return "Approved by an administrator";
  return grant === undefined ? "Registered earlier" : `Join grant ${grant.name}`;
}

function checkRequest({ request, key }: RegistrationFacts, rules: RegistrationRules): RegistrationDecision | undefined {
  const { clusterId } = request.spec;
  const fingerprint = key !== undefined && "fingerprint" in key ? key.fingerprint : undefined;
  const deregistered = findCondition(request.status?.conditions, DEREGISTERED);
  if (deregistered?.status === "True") return refuse("ClusterDeregistered", deregistered.message);
  if (key !== undefined && "problem" in key) return refuse("PublicKeyInvalid", key.problem);
  const names = [
    registrationRequestName(clusterId),
    ...(fingerprint === undefined ? [] : [registrationRequestName(clusterId, fingerprint)]),
  ];
  if (!names.includes(request.metadata.name)) {
    return refuse("ClusterIdMismatch", `A request for cluster id ${clusterId} must be named ${names.join(" or ")}`);
  }
  if (key === undefined && !rules.upstreamAgents) {
    return refuse("UpstreamAgentsNotServed", "The request has no publicKey: its agent is served only with --upstream-agents");
  }
  if (annotationOf(request, annotations.approved) === "false") {
    return refuse("DeniedByAdministrator", `An administrator set ${annotations.approved} to "false"`);
  }
  return undefined;
}

/** May this agent be this cluster? (REG-5) A known cluster changes its key only by an administrator. */
function checkIdentity(facts: RegistrationFacts): RegistrationDecision | undefined {
  const { request, rivals } = facts;
  const known = knownCluster(facts);
  if (known === undefined) return undefined;
  if (known.metadata.deletionTimestamp !== undefined) return wait("ClusterBeingRemoved", `${placeOf(known)} is being removed`);
  if (!bringsAnotherKey(facts, known)) return undefined;
  const newer = rivals.find((rival) => isApprovedByHand(rival) && isNewer(rival, request));
  if (newer !== undefined || wasApproved(request)) {
    const by = newer === undefined ? "a request with another key" : `request ${newer.metadata.name}`;
    return refuse(
      "Superseded",
      `Cluster id ${request.spec.clusterId} has been given to ${by}; its earlier tokens no longer work`,
    );
  }
  if (isApprovedByHand(request)) return undefined;
  return wait(
    "NewKeyForKnownCluster",
    `Cluster id ${request.spec.clusterId} is ${placeOf(known)} with another key${lastSeen(known)}. If its agent was installed anew, ` +
      `approve this: ${approveCommand(request)}. If not, two clusters have one id`,
  );
}

/** May this agent join at all? (REG-6) A join grant for its user that has not expired, or an administrator. */
function checkPermission(facts: RegistrationFacts, rules: RegistrationRules): RegistrationDecision | undefined {
  const { request, grants } = facts;
  if (isSettled(facts)) return undefined;
  const [first, ...others] = grants;
  if (first === undefined) return isApprovedByHand(request) ? undefined : withoutGrant(request);
  if (others.length > 0) {
    const names = grants.map((parsed) => (parsed.type === "grant" ? parsed.grant.name : parsed.name)).sort();
    return wait("GrantAmbiguous", `${String(names.length)} join grants name this user: ${names.join(", ")}`);
  }
  if (first.type === "invalid") return wait("GrantInvalid", `Join grant ${first.name} cannot be used: ${first.message}`);
  if (first.grant.isDeleting) return wait("GrantBeingRemoved", `Join grant ${first.grant.name} is being removed`);
  if (isApprovedByHand(request)) return undefined;
  // Not "before": a grant whose creation is unknown has expired, too.
  if (first.grant.expiresAtMs !== undefined && !(facts.nowMs < first.grant.expiresAtMs)) {
    return wait(
      "GrantExpired",
      `Join grant ${first.grant.name} has expired; make it anew, or approve this: ${approveCommand(request)}`,
    );
  }
  if (rules.autoApprove) return undefined;
  return wait("ApprovalRequired", `Join grant ${first.grant.name} fits; approve this: ${approveCommand(request)}`);
}

function withoutGrant(request: ClusterRegistrationRequest): RegistrationDecision {
  const creator = annotationOf(request, annotations.requestedBy);
  if (creator === "") {
    return wait("CreatorUnknown", `The request does not say who made it; approve it by hand: ${approveCommand(request)}`);
  }
  return wait("NoJoinGrant", `No join grant names ${creator}; add one, or approve this: ${approveCommand(request)}`);
}

/** (REG-7) What the request asks for must be within the grant. Once the cluster is registered, only the grant counts. */
function checkClaims(facts: RegistrationFacts): RegistrationDecision | undefined {
  const { spec } = facts.request;
  const claimed = Object.entries(spec.clusterLabels ?? {});
  if (isSettled(facts)) return undefined;
  const reserved = claimed.find(([key]) => isReservedLabel(key));
  if (reserved !== undefined) return refuse("ReservedLabel", `Label ${reserved[0]} is set by the system and cannot be claimed`);
  const grant = grantOf(facts);
  if (grant === undefined) return undefined;
  const { clusterName, clusterNamespace, clusterLabels, syncModes } = grant;
  if (spec.clusterName !== undefined && spec.clusterName !== managedClusterName(clusterName)) {
    return refuse(
      "NameOutsideGrant",
      `Join grant ${grant.name} is for cluster ${managedClusterName(clusterName)}, not ${spec.clusterName}`,
    );
  }
  if (spec.clusterNamespace !== undefined && clusterNamespace !== undefined && spec.clusterNamespace !== clusterNamespace) {
    return refuse(
      "NamespaceOutsideGrant",
      `Join grant ${grant.name} is for namespace ${clusterNamespace}, not ${spec.clusterNamespace}`,
    );
  }
  const outside = claimed.filter(([key, value]) => clusterLabels[key] !== value).map(([key, value]) => `${key}=${value}`);
  if (outside.length > 0)
    return refuse("LabelsOutsideGrant", `Join grant ${grant.name} does not allow the labels ${outside.join(", ")}`);
  if (syncModes.length > 0 && !syncModes.includes(spec.syncMode)) {
    return refuse("SyncModeOutsideGrant", `Join grant ${grant.name} allows ${syncModes.join(" and ")}, not ${spec.syncMode}`);
  }
  return undefined;
}

/** (REG-8) A name and a namespace belong to one cluster. */
function checkPlace(facts: RegistrationFacts): RegistrationDecision | undefined {
  if (isSettled(facts)) return undefined;
  const child = approvedChild(facts);
  const known = knownCluster(facts);
  if (known !== undefined && (known.metadata.namespace !== child.namespace || known.metadata.name !== child.clusterName)) {
    return refuse(
      "ClusterIdTaken",
      `Cluster id ${child.clusterId} is registered as ${placeOf(known)}, not ${child.namespace}/${child.clusterName}`,
    );
  }
  const namesake = facts.clusters.find(
    ({ metadata, spec }) => metadata.name === child.clusterName && spec.clusterId !== child.clusterId,
  );
  if (namesake !== undefined) {
    return refuse(
      "ClusterNameTaken",
      `Name ${child.clusterName} belongs to cluster id ${namesake.spec.clusterId} (${placeOf(namesake)})`,
    );
  }
  return checkNamespace(child, facts);
}

function checkNamespace(child: ApprovedChild, facts: RegistrationFacts): RegistrationDecision | undefined {
  const namespace = facts.namespace(child.namespace);
  if (namespace === undefined) {
    if (child.ownsNamespace) return undefined;
    return wait("NamespaceMissing", `Namespace ${child.namespace} does not exist; the join grant says that it will`);
  }
  if (namespace.metadata.deletionTimestamp !== undefined)
    return wait("ClusterBeingRemoved", `Namespace ${child.namespace} is being deleted`);
  const marker = namespace.metadata.annotations?.[annotations.reservedFor];
  if (marker === undefined || (marker !== child.clusterName && marker !== child.originalName)) {
    const says = marker === undefined ? "has no annotation" : `has ${JSON.stringify(marker)} in annotation`;
    return refuse(
      "NamespaceNotReserved",
      `Namespace ${child.namespace} ${says} ${annotations.reservedFor}: it is not for ${child.originalName ?? child.clusterName}`,
    );
  }
  return undefined;
}

function approvedChild(facts: RegistrationFacts): ApprovedChild {
  const { request, key } = facts;
  const { spec } = request;
  const known = knownCluster(facts);
  const grant = grantOf(facts);
  return {
    clusterId: spec.clusterId,
    ...placeFor(facts),
    clusterType: spec.clusterType ?? "StandardCluster",
    syncMode: grantedMode(spec.syncMode, grant),
    labels: withoutReserved(grant?.clusterLabels ?? (isSettled(facts) ? grantedLabelsOf(known) : spec.clusterLabels) ?? {}),
    ...(grant === undefined ? {} : { grantName: grant.name }),
    ...(key !== undefined && "fingerprint" in key ? { keyFingerprint: key.fingerprint } : {}),
    replacesKey: known !== undefined && bringsAnotherKey(facts, known),
  };
}

/** Name and namespace: for a registered cluster those it has, else those of the grant, else those of the request. */
function placeFor(facts: RegistrationFacts): Pick<ApprovedChild, "clusterName" | "originalName" | "namespace" | "ownsNamespace"> {
  const { spec } = facts.request;
  const grant = grantOf(facts);
  const known = isSettled(facts) ? knownCluster(facts) : undefined;
  const wanted = grant?.clusterName ?? spec.clusterName ?? `${DEFAULT_NAME_PREFIX}-${spec.clusterId.slice(0, 8)}`;
  const clusterName = known?.metadata.name ?? managedClusterName(wanted);
  const original = wanted === clusterName ? annotationOf(facts.request, annotations.originalName) : wanted;
  const agreed = known?.metadata.namespace ?? (grant === undefined ? spec.clusterNamespace : grant.clusterNamespace);
  const namespace = agreed ?? dedicatedNamespaceName(clusterName);
  const made = facts.namespace(namespace);
  return {
    clusterName,
    ...(original !== clusterName && managedClusterName(original) === clusterName ? { originalName: original } : {}),
    namespace,
    ownsNamespace: made === undefined ? grant?.clusterNamespace === undefined : isMadeByUs(made),
  };
}

/** (REG-9) A namespace that a program made stays the program's: nothing of ours is written to it, and it is not deleted. */
function isMadeByUs({ metadata }: Namespace): boolean {
  return metadata.labels?.[labels.createdBy] === createdByValues.agent;
}

function grantedLabelsOf(known: ManagedCluster | undefined): Readonly<Record<string, string>> {
  return parseGrantedLabels(known?.metadata.annotations?.[annotations.grantedLabels]);
}

const DEFAULT_NAME_PREFIX = "clusternet-cluster";

/** Condition type of a request whose cluster was removed by deleting its ManagedCluster: it does not come back by itself. */
export const DEREGISTERED = "Deregistered";

function grantedMode(asked: SyncMode, grant: JoinGrant | undefined): SyncMode {
  const [first] = grant?.syncModes ?? [];
  return first === undefined || grant?.syncModes.includes(asked) === true ? asked : first;
}

/** Registered, with this request's key: nothing is asked again. */
function isSettled(facts: RegistrationFacts): boolean {
  const known = knownCluster(facts);
  return known !== undefined && wasApproved(facts.request) && !bringsAnotherKey(facts, known);
}

function knownCluster({ request, clusters }: RegistrationFacts): ManagedCluster | undefined {
  return clusters.find(({ spec }) => spec.clusterId === request.spec.clusterId);
}

function bringsAnotherKey({ key }: RegistrationFacts, known: ManagedCluster): boolean {
  const fingerprint = key !== undefined && "fingerprint" in key ? key.fingerprint : "";
  return (known.metadata.annotations?.[annotations.agentKey] ?? "") !== fingerprint;
}

function grantOf({ grants }: RegistrationFacts): JoinGrant | undefined {
  const [first] = grants;
  return grants.length === 1 && first?.type === "grant" && !first.grant.isDeleting ? first.grant : undefined;
}

function wasApproved({ status }: ClusterRegistrationRequest): boolean {
  return status?.result === "Approved";
}

function isApprovedByHand(request: ClusterRegistrationRequest): boolean {
  return annotationOf(request, annotations.approved) === "true";
}

function annotationOf({ metadata }: ClusterRegistrationRequest, key: string): string {
  return metadata.annotations?.[key] ?? "";
}

/** By creation, then by name: two requests are never newer than each other. */
function isNewer(a: ClusterRegistrationRequest, b: ClusterRegistrationRequest): boolean {
  const [timeA, timeB] = [a.metadata.creationTimestamp ?? "", b.metadata.creationTimestamp ?? ""];
  return timeA === timeB ? a.metadata.name > b.metadata.name : timeA > timeB;
}

/** Keys of our own groups, except the prefix that exists for users' node labels. */
function isReservedLabel(key: string): boolean {
  if (key.startsWith(nodeLabelPrefix)) return false;
  const [prefix = ""] = key.split("/");
  return key.includes("/") && (prefix === "clusternet.io" || prefix.endsWith(".clusternet.io"));
}

function withoutReserved(claimed: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(claimed).filter(([key]) => !isReservedLabel(key)));
}

function lastSeen({ status }: ManagedCluster): string {
  return status?.lastObservedTime === undefined ? "" : ` (last report ${status.lastObservedTime})`;
}

function placeOf({ metadata }: ManagedCluster): string {
  return `ManagedCluster ${metadata.namespace ?? ""}/${metadata.name}`;
}

function approveCommand({ metadata }: ClusterRegistrationRequest): string {
  return `kubectl annotate clsrr ${metadata.name} ${annotations.approved}=true`;
}

function refuse(reason: RefusalReason, message: string): RegistrationDecision {
  return { type: "refuse", reason, message };
}

function wait(reason: WaitReason, message: string): RegistrationDecision {
  return { type: "wait", reason, message };
}
