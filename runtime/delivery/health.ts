// A child's object -> whether it works, is on its way, or has failed, and why. Pure.
//
// Workloads as their controllers report them; a custom resource by the conditions that API conventions and kstatus name; anything else
// works once it is there. Kinds that follow no convention get a rule of their own (interpreters.ts).

import type { KubeObject } from "#api/meta.ts";
import { isJsonObject, type JsonObject } from "./json.ts";

export const healthStates = ["Available", "Progressing", "Failed"] as const;
export type HealthState = (typeof healthStates)[number];

export interface Health {
  readonly state: HealthState;
  /** For people; empty when it works. */
  readonly message: string;
}

type Rule = (object: KubeObject, status: JsonObject) => Health;

export function healthOf(object: KubeObject): Health {
  const status = statusOf(object) ?? {};
  const rule = RULES[`${object.apiVersion}/${object.kind}`];
  return rule === undefined ? byConditions(object, status) : rule(object, status);
}

const AVAILABLE: Health = { state: "Available", message: "" };

const RULES: Readonly<Record<string, Rule>> = {
  "apps/v1/Deployment": deployment,
  "apps/v1/StatefulSet": statefulSet,
  "apps/v1/ReplicaSet": replicaSet,
  "apps/v1/DaemonSet": daemonSet,
  "batch/v1/Job": job,
  "v1/Pod": pod,
  "v1/PersistentVolumeClaim": claim,
  "v1/Service": service,
  // They have conditions that are False in good health.
  "v1/Node": () => AVAILABLE,
  "v1/Namespace": () => AVAILABLE,
  "autoscaling/v2/HorizontalPodAutoscaler": () => AVAILABLE,
  "policy/v1/PodDisruptionBudget": () => AVAILABLE,
};

function deployment(object: KubeObject, status: JsonObject): Health {
  const failure = failedCondition(status, "Progressing", "ProgressDeadlineExceeded") ?? trueCondition(status, "ReplicaFailure");
  if (failure !== undefined) return failed(failure);
  if (isUnseen(object, status)) return unseen;
  const total = number(status, "replicas");
  const wanted = Math.max(total, wantedReplicas(object));
  const updated = number(status, "updatedReplicas");
  if (updated < wanted) return progressing(`${String(updated)} of ${String(wanted)} replicas are of the newest version`);
  const available = number(status, "availableReplicas");
  if (available < wanted) return progressing(`${String(available)} of ${String(wanted)} replicas are available`);
  return hasCondition(status, "Available", "True") ? AVAILABLE : progressing("not available yet");
}

function statefulSet(object: KubeObject, status: JsonObject): Health {
  if (isUnseen(object, status)) return unseen;
  const wanted = Math.max(number(status, "replicas"), wantedReplicas(object));
  const available = number(status, "availableReplicas");
  if (available < wanted) return progressing(`${String(available)} of ${String(wanted)} replicas are available`);
  const isUpdated = status["updateRevision"] === status["currentRevision"];
  return isUpdated || updatesByHand(object) ? AVAILABLE : progressing("the newest version is being rolled out");
}

function replicaSet(object: KubeObject, status: JsonObject): Health {
  const failure = trueCondition(status, "ReplicaFailure");
  if (failure !== undefined) return failed(failure);
  if (isUnseen(object, status)) return unseen;
  const wanted = Math.max(number(status, "replicas"), wantedReplicas(object));
  const available = number(status, "availableReplicas");
  return available < wanted ? progressing(`${String(available)} of ${String(wanted)} replicas are available`) : AVAILABLE;
}

function daemonSet(object: KubeObject, status: JsonObject): Health {
  if (isUnseen(object, status)) return unseen;
  const desired = number(status, "desiredNumberScheduled");
  const updated = number(status, "updatedNumberScheduled");
  if (updated < desired && !updatesByHand(object))
    return progressing(`${String(updated)} of ${String(desired)} nodes run the newest version`);
  const available = number(status, "numberAvailable");
  return available < desired ? progressing(`available on ${String(available)} of ${String(desired)} nodes`) : AVAILABLE;
}

/** Running is what a Job is for; only a failed one does not work. */
function job(_object: KubeObject, status: JsonObject): Health {
  const failure = trueCondition(status, "Failed") ?? trueCondition(status, "FailureTarget");
  return failure === undefined ? AVAILABLE : failed(failure);
}

/** Waiting for one of these ends only when somebody changes something. */
const HOPELESS_WAITS = new Set([
  "CrashLoopBackOff",
  "ImagePullBackOff",
  "ErrImagePull",
  "ErrImageNeverPull",
  "InvalidImageName",
  "CreateContainerConfigError",
  "CreateContainerError",
  "RunContainerError",
]);

function pod(_object: KubeObject, status: JsonObject): Health {
  if (status["phase"] === "Succeeded" || hasCondition(status, "Ready", "True")) return AVAILABLE;
  if (status["phase"] === "Failed") return failed(text(status, "message") ?? text(status, "reason") ?? "the pod failed");
  for (const container of [...list(status, "initContainerStatuses"), ...list(status, "containerStatuses")]) {
    const waiting = member(member(container, "state"), "waiting");
    const reason = text(waiting, "reason");
    if (reason === undefined || !HOPELESS_WAITS.has(reason)) continue;
    return failed(`container ${text(container, "name") ?? ""}: ${[reason, text(waiting, "message") ?? ""].join(" ").trim()}`);
  }
  const unscheduled = condition(status, "PodScheduled");
  const isWaiting = unscheduled?.["status"] === "False";
  return progressing(isWaiting ? conditionText(unscheduled) : "not ready yet");
}

function claim(_object: KubeObject, status: JsonObject): Health {
  switch (status["phase"]) {
    case "Lost":
      return failed("its volume is gone");
    case "Pending":
      return progressing("not bound to a volume yet");
    default:
      return AVAILABLE;
  }
}

/** Who asked for a load balancer waits for its address. Reported by status alone, it cannot be told. */
function service(object: KubeObject, status: JsonObject): Health {
  const type = text(specOf(object), "type");
  return type === "LoadBalancer" && list(member(status, "loadBalancer"), "ingress").length === 0
    ? progressing("its load balancer has no address yet")
    : AVAILABLE;
}

const FAILURE_CONDITIONS = ["Stalled", "Failed"] as const;
const WORKING_CONDITIONS = ["Ready", "Available", "Healthy", "Established"] as const;

function byConditions(object: KubeObject, status: JsonObject): Health {
  for (const type of FAILURE_CONDITIONS) {
    const failure = trueCondition(status, type);
    if (failure !== undefined) return failed(failure);
  }
  if (status["observedGeneration"] !== undefined && isUnseen(object, status)) return unseen;
  const reconciling = trueCondition(status, "Reconciling");
  if (reconciling !== undefined) return progressing(reconciling);
  for (const type of WORKING_CONDITIONS) {
    const found = condition(status, type);
    if (found === undefined) continue;
    const seen = found["observedGeneration"];
    const { generation } = object.metadata;
    if (typeof seen === "number" && generation !== undefined && seen < generation) return unseen;
    if (found["status"] !== "True") return progressing(conditionText(found));
  }
  return AVAILABLE;
}

const unseen: Health = { state: "Progressing", message: "its controller has not seen the newest version yet" };

function progressing(message: string): Health {
  return { state: "Progressing", message };
}

function failed(message: string): Health {
  return { state: "Failed", message };
}

/** A controller that has not seen the newest generation speaks about the one before. */
function isUnseen({ metadata: { generation } }: KubeObject, status: JsonObject): boolean {
  const seen = number(status, "observedGeneration");
  return generation === undefined ? seen === 0 : seen < generation;
}

function updatesByHand(object: KubeObject): boolean {
  return text(member(specOf(object), "updateStrategy"), "type") === "OnDelete";
}

function wantedReplicas(object: KubeObject): number {
  return number(specOf(object), "replicas");
}

function specOf(object: KubeObject): JsonObject {
  return "spec" in object && isJsonObject(object.spec) ? object.spec : {};
}

export function statusOf(object: KubeObject): JsonObject | undefined {
  const status = "status" in object ? object.status : undefined;
  return isJsonObject(status) ? status : undefined;
}

function hasCondition(status: JsonObject, type: string, value: string): boolean {
  return condition(status, type)?.["status"] === value;
}

function trueCondition(status: JsonObject, type: string): string | undefined {
  const found = condition(status, type);
  return found?.["status"] === "True" ? conditionText(found) : undefined;
}

function failedCondition(status: JsonObject, type: string, reason: string): string | undefined {
  const found = condition(status, type);
  return found?.["status"] === "False" && found["reason"] === reason ? conditionText(found) : undefined;
}

function condition(status: JsonObject, type: string): JsonObject | undefined {
  return list(status, "conditions").find((item) => item["type"] === type);
}

/** `Ready is False: NoDisk: the disk is full`. */
function conditionText(found: JsonObject): string {
  const head = `${text(found, "type") ?? ""} is ${text(found, "status") ?? "unknown"}`;
  return [head, text(found, "reason"), text(found, "message")].filter((part) => part !== undefined && part !== "").join(": ");
}

function member(object: JsonObject, field: string): JsonObject {
  const value = object[field];
  return isJsonObject(value) ? value : {};
}

function list(object: JsonObject, field: string): readonly JsonObject[] {
  const value = object[field];
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

function text(object: JsonObject, field: string): string | undefined {
  const value = object[field];
  return typeof value === "string" ? value : undefined;
}

function number(object: JsonObject, field: string): number {
  const value = object[field];
  return typeof value === "number" ? value : 0;
}
