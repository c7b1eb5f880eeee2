// What the agent reads in its request -> what it does next. Pure.

import { managedClusterName, registrationRequestName } from "#api/clusters/v1beta1/cluster-name.ts";
import { annotations, createdByValues, labels } from "#api/names.ts";
import { ClusterRegistrationRequest } from "#api/clusters/v1beta1/cluster-registration-request.ts";
import { apiVersionOf } from "#api/meta.ts";
import type { AgentOptions } from "./options.ts";

export type RegistrationStep =
  | { readonly type: "create"; readonly name: string }
  /** Look at another request: this one belongs to another key. */
  | { readonly type: "look"; readonly name: string; readonly message: string }
  | { readonly type: "open"; readonly sealedToken: string; readonly namespace: string; readonly clusterName: string }
  | { readonly type: "wait"; readonly message: string }
  | { readonly type: "denied"; readonly message: string };

export function planRegistrationStep({
  clusterId,
  fingerprint,
  name,
  request,
  fingerprintOfRequest,
}: {
  readonly clusterId: string;
  /** Of our own key. */
  readonly fingerprint: string;
  /** The request that was looked for. */
  readonly name: string;
  readonly request: ClusterRegistrationRequest | undefined;
  /** Of the key in it; undefined when it has none that we understand. */
  readonly fingerprintOfRequest: string | undefined;
}): RegistrationStep {
  if (request === undefined) return { type: "create", name };
  if (fingerprintOfRequest !== fingerprint) {
    const own = registrationRequestName(clusterId, fingerprint);
    if (name === own) return { type: "denied", message: `Request ${name} holds another key; an administrator must delete it` };
    return {
      type: "look",
      name: own,
      message: `Request ${name} holds another key: this cluster joined before, or another cluster has its id. Asking with ${own}`,
    };
  }
  const { result, errorMessage, sealedToken, dedicatedNamespace, managedClusterName: clusterName } = request.status ?? {};
  if (result === "Denied") return { type: "denied", message: errorMessage ?? "Denied without a reason" };
  if (result !== "Approved") return { type: "wait", message: errorMessage ?? "Not looked at yet" };
  if (sealedToken === undefined || dedicatedNamespace === undefined || clusterName === undefined) {
    return { type: "wait", message: "Approved, but without a sealed token: is the parent's controller-manager ours?" };
  }
  return { type: "open", sealedToken, namespace: dedicatedNamespace, clusterName };
}

/** The request as it is created; `username` is what the parent calls us, if it tells. */
export function newRequest(
  {
    name,
    clusterId,
    publicKey,
    username,
  }: {
    readonly name: string;
    readonly clusterId: string;
    readonly publicKey: string;
    readonly username: string | undefined;
  },
  options: Pick<
    AgentOptions,
    "clusterRegName" | "clusterRegNamePrefix" | "clusterRegNamespace" | "clusterRegType" | "clusterLabels" | "clusterSyncMode"
  >,
): ClusterRegistrationRequest {
  const prefix = options.clusterRegNamePrefix;
  const asked = options.clusterRegName === "" && prefix !== "" ? `${prefix}-${clusterId.slice(0, 8)}` : options.clusterRegName;
  // Without a name the join grant gives one.
  const clusterName = asked === "" ? undefined : managedClusterName(asked);
  return {
    apiVersion: apiVersionOf(ClusterRegistrationRequest),
    kind: ClusterRegistrationRequest.kind,
    metadata: {
      name,
      labels: {
        [labels.registeredBy]: createdByValues.agent,
        [labels.clusterId]: clusterId,
        ...(clusterName === undefined ? {} : { [labels.clusterName]: clusterName }),
      },
      annotations: {
        ...(username === undefined ? {} : { [annotations.requestedBy]: username }),
        ...(clusterName === undefined || clusterName === asked ? {} : { [annotations.originalName]: asked }),
      },
    },
    spec: {
      clusterId,
      clusterType: options.clusterRegType,
      ...(clusterName === undefined ? {} : { clusterName }),
      ...(options.clusterRegNamespace === "" ? {} : { clusterNamespace: options.clusterRegNamespace }),
      ...(Object.keys(options.clusterLabels).length === 0 ? {} : { clusterLabels: options.clusterLabels }),
      syncMode: options.clusterSyncMode,
      publicKey,
    },
  };
}
