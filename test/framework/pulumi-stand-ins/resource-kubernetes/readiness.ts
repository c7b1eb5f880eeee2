// When an object of a built-in kind counts as ready, as the official provider sees it, and what to say while it does not.

import { field, listField, namespaceOf, nameOf, numberField, stringField, type GroupVersionKind } from "./kubernetes-object.ts";
import { podMessages, podReadiness } from "./pod-readiness.ts";
import { ingressReadiness, serviceReadiness } from "./network-readiness.ts";
import type { JsonObject } from "./property-values.ts";
import { READY, notReady, type ListRelated, type Readiness, type ReadinessCheck } from "./readiness-check.ts";

/** undefined: the official provider does not wait for this kind. */
export function readinessCheckFor({ group, version, kind }: GroupVersionKind): ReadinessCheck | undefined {
  return CHECKS[`${group}/${version}/${kind}`];
}

const CHECKS: Readonly<Record<string, ReadinessCheck>> = {
  "apps/v1/Deployment": deploymentReadiness,
  "apps/v1/StatefulSet": statefulSetReadiness,
  "apps/v1/DaemonSet": daemonSetReadiness,
  "batch/v1/Job": jobReadiness,
  "/v1/Pod": podReadiness,
  "/v1/Service": serviceReadiness,
  "networking.k8s.io/v1/Ingress": ingressReadiness,
  "/v1/PersistentVolume": (volume) =>
    ["Available", "Bound"].includes(stringField(volume, "status", "phase"))
      ? READY
      : notReady("PersistentVolume is not available"),
  "/v1/PersistentVolumeClaim": claimReadiness,
  "/v1/ReplicationController": (controller) => {
    const wanted = numberField(controller, "spec", "replicas") ?? 1;
    return (numberField(controller, "status", "availableReplicas") ?? 0) >= wanted
      ? READY
      : notReady("Not all replicas are available");
  },
  "/v1/ResourceQuota": (quota) =>
    JSON.stringify(field(quota, "spec", "hard")) === JSON.stringify(field(quota, "status", "hard"))
      ? READY
      : notReady("The quota was not taken over into the status"),
  "/v1/Secret": (secret) =>
    stringField(secret, "type") !== "kubernetes.io/service-account-token" || field(secret, "data", "token") !== undefined
      ? READY
      : notReady("The ServiceAccount's token was not written"),
};

const REPLICA_SET: GroupVersionKind = { group: "apps", version: "v1", kind: "ReplicaSet" };
const POD: GroupVersionKind = { group: "", version: "v1", kind: "Pod" };
const CLAIM: GroupVersionKind = { group: "", version: "v1", kind: "PersistentVolumeClaim" };
const STORAGE_CLASS: GroupVersionKind = { group: "storage.k8s.io", version: "v1", kind: "StorageClass" };
const REVISION = "deployment.kubernetes.io/revision";

async function deploymentReadiness(deployment: JsonObject, list: ListRelated): Promise<Readiness> {
  const revision = stringField(deployment, "metadata", "annotations", REVISION);
  if (!isObserved(deployment) || revision === "") return notReady("Minimum number of live Pods was not attained");
  const conditions = new Map(
    listField(deployment, "status", "conditions").map((condition) => [stringField(condition, "type"), condition]),
  );
  const progressing = conditions.get("Progressing");
  const isAvailable = stringField(conditions.get("Available"), "status") === "True";
  const isRolledOut =
    stringField(progressing, "status") === "True" && stringField(progressing, "reason") === "NewReplicaSetAvailable";
  const replicaSets = await list(REPLICA_SET, namespaceOf(deployment));
  const current = replicaSets.find(
    (set) => isOwnedBy(set, deployment) && stringField(set, "metadata", "annotations", REVISION) === revision,
  );
  const hasReplicas =
    current !== undefined &&
    (numberField(current, "status", "readyReplicas") ?? 0) >= (numberField(current, "spec", "replicas") ?? 1);
  const unbound = await unboundClaims(deployment, list);
  // The first revision is created, not rolled out: there is no rollout to be finished.
  if (isAvailable && hasReplicas && unbound.length === 0 && (revision === "1" || isRolledOut)) return READY;
  const pods = current === undefined ? [] : (await list(POD, namespaceOf(deployment))).filter((pod) => isOwnedBy(pod, current));
  return notReady(
    ...[...conditions.values()]
      .filter(
        (condition) =>
          ["Available", "Progressing"].includes(stringField(condition, "type")) && stringField(condition, "status") !== "True",
      )
      .map((condition) => `[${stringField(condition, "reason")}] ${stringField(condition, "message")}`),
    ...(unbound.length === 0 ? [] : [`Failed to bind PersistentVolumeClaim(s): "${unbound.join(",")}"`]),
    ...(isAvailable
      ? [
          revision === "1" || !isRolledOut
            ? "Minimum number of Pods to consider the application live was not attained"
            : "Attempted to roll forward to new ReplicaSet, but minimum number of Pods did not become live",
        ]
      : ["Minimum number of live Pods was not attained"]),
    ...pods.flatMap(podMessages),
  );
}

async function unboundClaims(deployment: JsonObject, list: ListRelated): Promise<string[]> {
  const volumes = listField(deployment, "spec", "template", "spec", "volumes");
  const names = volumes.map((volume) => stringField(volume, "persistentVolumeClaim", "claimName")).filter((name) => name !== "");
  if (names.length === 0) return [];
  const claims = await list(CLAIM, namespaceOf(deployment));
  return claims.filter((claim) => names.includes(nameOf(claim)) && stringField(claim, "status", "phase") !== "Bound").map(nameOf);
}

async function statefulSetReadiness(set: JsonObject, list: ListRelated): Promise<Readiness> {
  const wanted = numberField(set, "spec", "replicas") ?? 1;
  const partition = numberField(set, "spec", "updateStrategy", "rollingUpdate", "partition") ?? 0;
  const isOnDelete = stringField(set, "spec", "updateStrategy", "type") === "OnDelete";
  const isUpdated =
    isOnDelete ||
    partition > 0 ||
    stringField(set, "status", "currentRevision") === stringField(set, "status", "updateRevision") ||
    (numberField(set, "status", "updatedReplicas") ?? 0) >= wanted;
  const readyReplicas = numberField(set, "status", "readyReplicas") ?? 0;
  if (isObserved(set) && isUpdated && readyReplicas >= wanted) return READY;
  const pods = (await list(POD, namespaceOf(set))).filter((pod) => isOwnedBy(pod, set));
  return notReady(
    readyReplicas >= wanted
      ? "StatefulSet controller failed to advance from revision to revision"
      : `${String(readyReplicas)} out of ${String(wanted)} replicas succeeded readiness checks`,
    ...pods.flatMap(podMessages),
  );
}

function daemonSetReadiness(set: JsonObject): Readiness {
  const wanted = numberField(set, "status", "desiredNumberScheduled") ?? 0;
  const updated = numberField(set, "status", "updatedNumberScheduled") ?? 0;
  const available = numberField(set, "status", "numberAvailable") ?? 0;
  if (!isObserved(set)) return notReady("Waiting for the DaemonSet's spec to be observed");
  if (stringField(set, "spec", "updateStrategy", "type") === "OnDelete") return READY;
  if (updated < wanted) return notReady(`${String(updated)} out of ${String(wanted)} new pods have been updated`);
  return available < wanted ? notReady(`${String(available)} of ${String(wanted)} updated pods are available`) : READY;
}

async function jobReadiness(job: JsonObject, list: ListRelated): Promise<Readiness> {
  const conditions = listField(job, "status", "conditions").filter((condition) => stringField(condition, "status") === "True");
  if (conditions.some((condition) => stringField(condition, "type") === "Complete")) return READY;
  const pods = (await list(POD, namespaceOf(job))).filter((pod) => isOwnedBy(pod, job));
  const failure = conditions.find((condition) => stringField(condition, "type") === "Failed");
  if (failure === undefined) return notReady("Job has not completed", ...pods.flatMap(podMessages));
  const message = `[${stringField(failure, "reason")}] ${stringField(failure, "message")}`;
  return { ready: false, failed: true, messages: [message, ...pods.flatMap(podMessages)] };
}

async function claimReadiness(claim: JsonObject, list: ListRelated): Promise<Readiness> {
  if (stringField(claim, "status", "phase") === "Bound") return READY;
  const classes = await list(STORAGE_CLASS, "");
  const own = classes.find((storageClass) => nameOf(storageClass) === stringField(claim, "spec", "storageClassName"));
  // Nothing binds it before a pod uses it.
  if (own?.["volumeBindingMode"] === "WaitForFirstConsumer") return READY;
  return notReady(`PersistentVolumeClaim "${nameOf(claim)}" is not bound`);
}

function isObserved(object: JsonObject): boolean {
  const generation = numberField(object, "metadata", "generation") ?? 0;
  return (numberField(object, "status", "observedGeneration") ?? -1) >= generation;
}

function isOwnedBy(object: JsonObject, owner: JsonObject): boolean {
  const uid = stringField(owner, "metadata", "uid");
  return listField(object, "metadata", "ownerReferences").some((reference) => stringField(reference, "uid") === uid);
}
