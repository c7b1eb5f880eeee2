// Check: inputs of a program → inputs in normal form, with a name and a namespace.

import {
  annotation,
  kindOf,
  nameOf,
  namespaceOf,
  normalize,
  withMetadata,
  apiVersionOf,
  kindOfType,
} from "./kubernetes-object.ts";
import { isPatchResource, type ProviderContext } from "./provider-context.ts";
import { hasUnknown, isObject, toKubernetes, uniqueSuffix, withSecretsOf, type JsonObject } from "./property-values.ts";

export interface CheckInput {
  readonly type: string;
  /** The name in the program. */
  readonly name: string;
  readonly olds: JsonObject;
  readonly news: JsonObject;
  readonly randomSeed: Uint8Array;
  /** A name that the project's autonaming configuration proposes. */
  readonly proposedName: string | undefined;
}

export interface Checked {
  readonly inputs: JsonObject;
  readonly failures: readonly { readonly property: string; readonly reason: string }[];
}

const AUTONAMED = "pulumi.com/autonamed";

export async function checkResource(context: ProviderContext, check: CheckInput): Promise<Checked> {
  const plain = toKubernetes(check.news);
  const normal = hasUnknown(plain) ? plain : normalize(plain);
  const kind = kindOf(normal);
  if (isPatchResource(check.type, kind.kind) && nameOf(normal) === "") {
    return {
      inputs: check.news,
      failures: [{ property: "metadata.name", reason: "Patch resources require the `.metadata.name` field to be set" }],
    };
  }
  const named = withName(normal, check);
  const inputs = await withNamespace(context, named);
  return { inputs: withSecretsOf(inputs, secretsOf(check.news)), failures: [] };
}

/** Normalising moves stringData of a Secret into data; it stays as secret as it was. */
function secretsOf(news: JsonObject): JsonObject {
  return news["stringData"] === undefined ? news : { ...news, data: news["stringData"] };
}

function withName(inputs: JsonObject, { olds, name, randomSeed, proposedName }: CheckInput): JsonObject {
  if (nameOf(inputs) !== "" || !isNameable(inputs)) return inputs;
  const old = toKubernetes(olds);
  const isKept = annotation(old, AUTONAMED) === "true" && nameOf(old) !== "";
  const chosen = isKept ? nameOf(old) : (proposedName ?? `${name}-${uniqueSuffix(randomSeed, name)}`);
  const metadata = inputs["metadata"];
  const annotations = isObject(metadata) && isObject(metadata["annotations"]) ? metadata["annotations"] : {};
  return withMetadata(inputs, { name: chosen, annotations: { ...annotations, [AUTONAMED]: "true" } });
}

function isNameable(inputs: JsonObject): boolean {
  const metadata = inputs["metadata"];
  return metadata === undefined || (isObject(metadata) && metadata["generateName"] === undefined);
}

async function withNamespace({ cluster, defaultNamespace, signal }: ProviderContext, inputs: JsonObject): Promise<JsonObject> {
  if (defaultNamespace === undefined || namespaceOf(inputs) !== "") return inputs;
  // A kind that is not served yet is most likely a custom resource in a namespace.
  const found = await cluster.findKind(kindOf(inputs), signal);
  return found?.namespaced === false ? inputs : withMetadata(inputs, { namespace: defaultNamespace });
}

/** `Read` of something that is in no state yet: the type says what it is. */
export function emptyInputsOfType(type: string, { name, namespace }: { name: string; namespace: string }): JsonObject {
  const kind = kindOfType(type);
  const metadata = { name, ...(namespace === "" ? {} : { namespace }) };
  return { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata };
}
