// Read: what the cluster has now, as inputs and as state. Refresh and `.get()` use it.

import { readinessNow } from "./await-ready.ts";
import { emptyInputsOfType } from "./check-resource.ts";
import { checkpointState, fieldManagerOf, parseState } from "./checkpoint.ts";
import { ClusterError } from "./cluster.ts";
import { InitFailedError } from "./init-failed.ts";
import { normalize, parseId, prune, stringField, withMetadata, kindOf, namespaceOf } from "./kubernetes-object.ts";
import type { ProviderContext } from "./provider-context.ts";
import { toKubernetes, withSecretsOf, type JsonObject } from "./property-values.ts";

export interface ReadInput {
  readonly urn: string;
  readonly type: string;
  readonly id: string;
  readonly inputs: JsonObject;
  readonly properties: JsonObject;
}

export interface ReadResult {
  readonly id: string;
  readonly properties: JsonObject;
  readonly inputs: JsonObject;
}

/** undefined: it is gone. */
export async function readResource(context: ProviderContext, input: ReadInput): Promise<ReadResult | undefined> {
  if (context.unreachable !== undefined) return readUnreachable(context, input);
  const { namespace, name } = parseId(input.id);
  if (name === "")
    throw new Error(`failed to read resource because of a failure to parse resource name from request ID: ${input.id}`);
  const state = parseState(input.properties);
  const given = normalize(toKubernetes(input.inputs));
  const isFirst = stringField(given, "kind") === "" && stringField(state.live, "kind") === "";
  const shape = shapeOf({ input, given, live: state.live });
  const address = { kind: kindOf(shape), namespace: namespaceOf(shape) === "" ? namespace : namespaceOf(shape), name };
  const live = await context.cluster.get(address, context.signal).catch((error: unknown) => {
    if (error instanceof ClusterError && (error.reason === "NotFound" || error.reason === "NoSuchKind")) return undefined;
    throw error;
  });
  if (live === undefined) return undefined;
  const inputs = prune(live, shape);
  const checkpoint = {
    inputs,
    live,
    initialApiVersion: state.initialApiVersion === "" ? stringField(shape, "apiVersion") : state.initialApiVersion,
    fieldManager: fieldManagerOf(shape, state.fieldManager),
  };
  const properties = checkpointState(checkpoint, input.inputs);
  const readInputs = withSecretsOf(inputs, input.inputs);
  const unready = isFirst ? undefined : await readinessNow(context, live, shape);
  if (unready !== undefined) {
    const reasons = [unready.message, ...unready.messages];
    throw new InitFailedError(unready.message, { id: input.id, properties, inputs: readInputs, reasons, cause: unready });
  }
  return { id: input.id, properties, inputs: readInputs };
}

/** The fields to look at: those the program gave, else only what names the object. */
function shapeOf({ input, given, live }: { input: ReadInput; given: JsonObject; live: JsonObject }): JsonObject {
  if (stringField(given, "kind") !== "") return given;
  const identity = emptyInputsOfType(input.type, parseId(input.id));
  const known =
    stringField(live, "kind") === "" ? identity : { ...identity, apiVersion: live["apiVersion"] ?? "", kind: live["kind"] ?? "" };
  return { ...known, ...given, ...(given["metadata"] === undefined ? {} : withMetadata(given, {})) };
}

function readUnreachable({ configuration, log }: ProviderContext, input: ReadInput): ReadResult | undefined {
  if (configuration.deleteUnreachable) {
    log.info(input.urn, "configured Kubernetes cluster is unreachable and the `deleteUnreachable` option is enabled");
    return undefined;
  }
  if (configuration.skipUpdateUnreachable) return { id: input.id, properties: input.properties, inputs: input.inputs };
  throw new Error(
    "failed to read resource state due to unreachable cluster. If the cluster was deleted, you can remove this resource from Pulumi " +
      'state by rerunning the operation with the PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"',
  );
}
