// A child's object -> whether it works, and its numbers of replicas. Pure.

import type { ManifestStatus } from "#api/apps/v1alpha1/description.ts";
import type { ReplicaStatus } from "#api/apps/v1alpha1/subscription.ts";
import type { KubeObject } from "#api/meta.ts";
import { isJsonObject, type JsonObject } from "./json.ts";
import { entryOf } from "./plan.ts";

/** One entry of Description.status.manifestStatuses. */
export function manifestStatusOf(object: KubeObject): ManifestStatus {
  const observedStatus = statusOf(object);
  return { ...entryOf(object), available: isAvailable(object), ...(observedStatus === undefined ? {} : { observedStatus }) };
}

/** Agents of upstream report only the status: it has to do. */
export function isReportedAvailable(status: ManifestStatus): boolean {
  if (status.available !== undefined) return status.available;
  const { apiVersion, kind, name, observedStatus } = status;
  return isAvailable({
    apiVersion,
    kind,
    metadata: { name },
    ...(observedStatus === undefined ? {} : { status: observedStatus }),
  });
}

/** Workloads as their controllers report them; anything else works once it is there. */
export function isAvailable(object: KubeObject): boolean {
  const status = statusOf(object) ?? {};
  const { generation } = object.metadata;
  // A controller that has not seen the newest generation speaks about the one before.
  if (isWorkload(object) && generation !== undefined && number(status, "observedGeneration") < generation) return false;
  const replicas = number(status, "replicas");
  switch (workloadKind(object)) {
    case "Deployment":
      return (
        hasCondition(status, "Available") &&
        number(status, "updatedReplicas") === replicas &&
        number(status, "availableReplicas") >= replicas
      );
    case "StatefulSet":
      return (
        number(status, "observedGeneration") > 0 &&
        number(status, "availableReplicas") >= Math.max(replicas, wantedReplicas(object)) &&
        status["updateRevision"] === status["currentRevision"]
      );
    case "ReplicaSet":
      return (
        number(status, "observedGeneration") > 0 &&
        number(status, "availableReplicas") >= Math.max(replicas, wantedReplicas(object))
      );
    case "DaemonSet": {
      const desired = number(status, "desiredNumberScheduled");
      return (
        number(status, "observedGeneration") > 0 &&
        number(status, "numberAvailable") >= desired &&
        number(status, "updatedNumberScheduled") >= desired
      );
    }
    case "Job":
      // Running is what a Job is for; only a failed one does not work.
      return !hasCondition(status, "Failed");
    case "Pod":
      return hasCondition(status, "Ready") || status["phase"] === "Succeeded";
    case undefined:
      return true;
    default:
      return true;
  }
}

/** The numbers that Subscription.status.aggregatedStatuses shows; undefined for kinds that have none. */
export function replicaStatusOf({ kind, apiVersion, observedStatus }: ManifestStatus): ReplicaStatus | undefined {
  const fields = REPLICA_FIELDS[`${apiVersion}/${kind}`];
  if (fields === undefined || observedStatus === undefined) return undefined;
  const numbers = fields.flatMap((field) => {
    const value = observedStatus[field];
    return typeof value === "number" ? [[field, value]] : [];
  });
  return Object.fromEntries(numbers) as ReplicaStatus;
}

const REPLICA_FIELDS: Readonly<Record<string, readonly (keyof ReplicaStatus)[]>> = {
  "apps/v1/Deployment": [
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
  ],
  "apps/v1/StatefulSet": [
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "currentReplicas",
    "readyReplicas",
    "availableReplicas",
  ],
  "batch/v1/Job": ["active", "succeeded", "failed"],
};

const WORKLOADS: Readonly<Record<string, string>> = {
  Deployment: "apps/v1",
  StatefulSet: "apps/v1",
  ReplicaSet: "apps/v1",
  DaemonSet: "apps/v1",
  Job: "batch/v1",
  Pod: "v1",
};

function workloadKind({ apiVersion, kind }: KubeObject): string | undefined {
  return WORKLOADS[kind] === apiVersion ? kind : undefined;
}

/** Those whose status has an observedGeneration. */
function isWorkload(object: KubeObject): boolean {
  const kind = workloadKind(object);
  return kind !== undefined && kind !== "Pod" && kind !== "Job";
}

function statusOf(object: KubeObject): JsonObject | undefined {
  const status = "status" in object ? object.status : undefined;
  return isJsonObject(status) ? status : undefined;
}

function wantedReplicas(object: KubeObject): number {
  const spec = "spec" in object && isJsonObject(object.spec) ? object.spec : {};
  return number(spec, "replicas");
}

function number(object: JsonObject, field: string): number {
  const value = object[field];
  return typeof value === "number" ? value : 0;
}

function hasCondition(status: JsonObject, type: string): boolean {
  const { conditions } = status;
  return (
    Array.isArray(conditions) &&
    conditions.some((condition) => isJsonObject(condition) && condition["type"] === type && condition["status"] === "True")
  );
}
