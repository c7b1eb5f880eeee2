// A child's object -> whether it works, and its numbers of replicas. Pure.

import type { ManifestStatus } from "#api/apps/v1alpha1/description.ts";
import type { ReplicaStatus } from "#api/apps/v1alpha1/subscription.ts";
import type { KubeObject } from "#api/meta.ts";
import { healthOf, statusOf, type Health } from "./health.ts";
import { interpretedHealth, interpreterOf, type Interpreters } from "./interpreters.ts";
import { entryOf } from "./plan.ts";

/** A status is read by people; what a controller wrote into a condition can be pages. */
const MESSAGE_CHARS_MAX = 500;

/** One entry of Description.status.manifestStatuses. */
export function manifestStatusOf(object: KubeObject): ManifestStatus {
  const observedStatus = statusOf(object);
  const { state, message } = healthOf(object);
  return {
    ...entryOf(object),
    available: state === "Available",
    state,
    ...(message === "" ? {} : { message: message.slice(0, MESSAGE_CHARS_MAX) }),
    ...(observedStatus === undefined ? {} : { observedStatus }),
  };
}

/** What the agent said; what an interpreter says counts more. Agents of upstream report only the status: it has to do. */
export function reportedHealth(status: ManifestStatus, interpreters: Interpreters): Health {
  const { apiVersion, kind, name, observedStatus } = status;
  const object = { apiVersion, kind, metadata: { name }, ...(observedStatus === undefined ? {} : { status: observedStatus }) };
  const interpreter = interpreterOf(interpreters, status);
  const interpreted = interpreter === undefined ? undefined : interpretedHealth(interpreter, object);
  if (interpreted !== undefined) return interpreted;
  if (status.state !== undefined) return { state: status.state, message: status.message ?? "" };
  if (status.available === undefined) return healthOf(object);
  return { state: status.available ? "Available" : "Progressing", message: "" };
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
  "apps/v1/ReplicaSet": ["observedGeneration", "replicas", "readyReplicas", "availableReplicas"],
  "batch/v1/Job": ["active", "succeeded", "failed"],
};
