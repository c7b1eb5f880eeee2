// Delete: foreground propagation, then wait until the object is gone. Patch resources only let go of their fields.

import { AwaitError, awaitDeleted } from "./await-ready.ts";
import { checkpointState, parseState } from "./checkpoint.ts";
import { ClusterError, type Cluster, type ObjectAddress } from "./cluster.ts";
import { InitFailedError } from "./init-failed.ts";
import { annotation, idOf, kindOf, namespaceOf, parseId, stringField } from "./kubernetes-object.ts";
import { isPatchResource, type ProviderContext } from "./provider-context.ts";
import { addressOf } from "./write-resource.ts";
import type { JsonObject } from "./property-values.ts";

export interface DeleteInput {
  readonly urn: string;
  readonly type: string;
  readonly id: string;
  readonly properties: JsonObject;
  readonly timeoutSeconds: number;
}

export async function deleteResource(context: ProviderContext, input: DeleteInput): Promise<void> {
  const { cluster, signal } = context;
  const state = parseState(input.properties);
  if (context.unreachable !== undefined) {
    deleteUnreachable(context, input.urn);
    return;
  }
  const address: ObjectAddress = { kind: kindOf(state.live), namespace: namespaceOf(state.live), name: parseId(input.id).name };
  try {
    if (isPatchResource(input.type, stringField(state.live, "kind"))) {
      await relinquish(cluster, { address, manager: state.fieldManager }, signal);
      return;
    }
    await cluster.delete(address, propagationPolicy(state.inputs), signal);
    await awaitDeleted(context, state.live, {
      urn: input.urn,
      inputs: state.inputs,
      address: addressOf(state.live),
      timeoutSeconds: input.timeoutSeconds,
    });
  } catch (error) {
    if (error instanceof ClusterError && (error.reason === "NotFound" || error.reason === "NoSuchKind")) return;
    if (!(error instanceof AwaitError)) throw error;
    const properties = checkpointState({ ...state, live: error.live }, input.properties);
    const reasons = [error.message, ...error.messages];
    throw new InitFailedError(error.message, { id: idOf(error.live), properties, inputs: undefined, reasons, cause: error });
  }
}

/** Applying nothing gives up every field that the manager owns; fields without another owner disappear. */
async function relinquish(
  cluster: Cluster,
  { address, manager }: { address: ObjectAddress; manager: string },
  signal: AbortSignal,
): Promise<void> {
  const live = await cluster.get(address, signal);
  const object = {
    apiVersion: live["apiVersion"] ?? "",
    kind: live["kind"] ?? "",
    metadata: {
      name: address.name,
      uid: stringField(live, "metadata", "uid"),
      ...(namespaceOf(live) === "" ? {} : { namespace: namespaceOf(live) }),
    },
  };
  await cluster.apply(address, { object, options: { fieldManager: manager, force: false, dryRun: false } }, signal);
}

function propagationPolicy(inputs: JsonObject): string {
  switch (annotation(inputs, "pulumi.com/deletionPropagationPolicy").toLowerCase()) {
    case "orphan":
      return "Orphan";
    case "background":
      return "Background";
    default:
      return "Foreground";
  }
}

function deleteUnreachable({ configuration, unreachable, log }: ProviderContext, urn: string): void {
  log.warn(urn, `configured Kubernetes cluster is unreachable: ${unreachable ?? ""}`);
  if (configuration.deleteUnreachable) return;
  throw new Error(
    "configured Kubernetes cluster is unreachable. If the cluster was deleted, you can remove this resource from Pulumi state by " +
      'rerunning the operation with the PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"',
  );
}
