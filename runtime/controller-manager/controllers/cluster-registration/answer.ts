// Writes the answer to a request: result, message, condition Approved, and with an approval the place and the token.

import { ClusterRegistrationRequest } from "#api/clusters/v1beta1/cluster-registration-request.ts";
import { conditionTypes } from "#api/names.ts";
import type { Client } from "#kube/client.ts";
import { setCondition, type NewCondition } from "#kube/conditions.ts";
import type { EventRecorder } from "#kube/events.ts";
import { deepEqual } from "#std/canonical-json.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import { DEREGISTERED, type ApprovedChild, type RegistrationDecision } from "./plan.ts";

type Status = NonNullable<ClusterRegistrationRequest["status"]>;

/** Null removes a member. */
type StatusChange = { readonly [Key in keyof Status]?: Status[Key] | null };

export type Answer =
  | Exclude<RegistrationDecision, { readonly type: "approve" }>
  | {
      readonly type: "approve";
      readonly child: ApprovedChild;
      readonly message: string;
      readonly credentials: Pick<Status, "sealedToken" | "token" | "caCertificate">;
    };

interface Shell {
  readonly client: Client;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
}

/** True when something was written. */
export async function writeAnswer(
  { client, events, clock, log }: Shell,
  { request, decision }: { readonly request: ClusterRegistrationRequest; readonly decision: Answer },
  signal: AbortSignal,
): Promise<boolean> {
  const wanted = statusFor(decision);
  const condition: NewCondition = conditionFor(decision);
  const conditions = setCondition(request.status?.conditions, condition, clock.now());
  const status = request.status ?? {};
  const changes = Object.entries({ ...wanted, conditions }).filter(
    ([key, value]) => !deepEqual(status[key as keyof Status] ?? null, value ?? null),
  );
  if (changes.length === 0) return false;
  const { name, uid, resourceVersion } = request.metadata;
  const body = { metadata: { uid, resourceVersion }, status: Object.fromEntries(changes) };
  await client.patch(ClusterRegistrationRequest, { name }, { type: "merge", subresource: "status", body }, signal);
  const { reason, message } = condition;
  log.info("registration.answered", { request: name, answer: decision.type, reason, message });
  events.record(request, { type: decision.type === "refuse" ? "Warning" : "Normal", reason, message });
  return true;
}

function statusFor(decision: Answer): StatusChange {
  switch (decision.type) {
    case "approve":
      return {
        result: "Approved",
        errorMessage: null,
        dedicatedNamespace: decision.child.namespace,
        managedClusterName: decision.child.clusterName,
        sealedToken: null,
        token: null,
        caCertificate: null,
        ...decision.credentials,
      };
    case "refuse":
      return { ...NOTHING_GIVEN, result: "Denied", errorMessage: decision.message };
    case "wait":
      return { ...NOTHING_GIVEN, result: null, errorMessage: decision.message };
  }
}

const NOTHING_GIVEN: StatusChange = {
  dedicatedNamespace: null,
  managedClusterName: null,
  sealedToken: null,
  token: null,
  caCertificate: null,
};

function conditionFor(decision: Answer): NewCondition {
  const { type, message } = decision;
  const shared = { type: conditionTypes.approved, message };
  switch (type) {
    case "approve":
      return { ...shared, status: "True", reason: "Approved" };
    case "refuse":
      return { ...shared, status: "False", reason: decision.reason };
    case "wait":
      return { ...shared, status: "Unknown", reason: decision.reason };
  }
}

/** The cluster was removed by deleting its ManagedCluster: its request says so, and stays denied until someone deletes it. */
export async function writeDeregistered(
  { client, clock, log }: Pick<Shell, "client" | "clock" | "log">,
  { request, cluster }: { readonly request: ClusterRegistrationRequest; readonly cluster: string },
  signal: AbortSignal,
): Promise<void> {
  const { name, uid, resourceVersion } = request.metadata;
  const message = `ManagedCluster ${cluster} was deleted: the cluster is deregistered. To let it join again: kubectl delete clsrr ${name}`;
  const noted = setCondition(
    request.status?.conditions,
    { type: DEREGISTERED, status: "True", reason: "ManagedClusterDeleted", message },
    clock.now(),
  );
  const conditions = setCondition(
    noted,
    { type: conditionTypes.approved, status: "False", reason: "ClusterDeregistered", message },
    clock.now(),
  );
  const status = { ...NOTHING_GIVEN, result: "Denied", errorMessage: message, conditions };
  const body = { metadata: { uid, resourceVersion }, status };
  await client.patch(ClusterRegistrationRequest, { name }, { type: "merge", subresource: "status", body }, signal);
  log.info("registration.answered", { request: name, answer: "deregistered", message });
}
