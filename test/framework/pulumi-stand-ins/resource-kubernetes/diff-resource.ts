// Diff: the state and new inputs → what changes, what of it replaces the object, and whether the old one must go first.

import { liveInputs, parseState } from "./checkpoint.ts";
import { detailedDiff, replacedFields, withoutIgnored, type DetailedDiff } from "./diff.ts";
import { PATCH_REPLACING_FIELDS, replacingFields } from "./immutable-fields.ts";
import { annotation, field, kindOf, nameOf, namespaceOf, normalize, withMetadata } from "./kubernetes-object.ts";
import { isPatchResource, type ProviderContext } from "./provider-context.ts";
import { hasUnknown, toKubernetes, type JsonObject } from "./property-values.ts";

export interface ResourceDiff {
  readonly differences: DetailedDiff;
  readonly replaces: readonly string[];
  readonly deleteBeforeReplace: boolean;
}

export interface DiffInput {
  readonly type: string;
  readonly olds: JsonObject;
  readonly news: JsonObject;
  readonly ignoreChanges: readonly string[];
}

export async function diffResource(
  context: ProviderContext,
  { type, olds, news, ignoreChanges }: DiffInput,
): Promise<ResourceDiff> {
  const plain = toKubernetes(news);
  const inputs = hasUnknown(plain) ? plain : normalize(plain);
  const kind = kindOf(inputs);
  const isNamespaced =
    context.unreachable !== undefined || (await context.cluster.findKind(kind, context.signal))?.namespaced !== false;
  const old = withCanonicalNamespace(liveInputs(parseState(olds)), isNamespaced);
  const wanted = withCanonicalNamespace(inputs, isNamespaced);
  const { enableConfigMapMutable: configMaps, enableSecretMutable: secrets } = context.configuration;
  const isMutable = field(wanted, "immutable") !== true;
  const replacing = isPatchResource(type, kind.kind)
    ? PATCH_REPLACING_FIELDS
    : replacingFields(kind, { configMaps: configMaps && isMutable, secrets: secrets && isMutable });
  const differences = withoutIgnored(detailedDiff(old, wanted, replacing), ignoreChanges);
  const replaces = replacedFields(differences);
  const keepsName = nameOf(wanted) === nameOf(old) && namespaceOf(wanted) === namespaceOf(old);
  const isAutonamed = annotation(wanted, "pulumi.com/autonamed") === "true";
  return { differences, replaces, deleteBeforeReplace: replaces.length > 0 && keepsName && !isAutonamed };
}

/** An object without a namespace is in "default", so that is no difference. */
function withCanonicalNamespace(object: JsonObject, isNamespaced: boolean): JsonObject {
  const namespace = namespaceOf(object);
  return withMetadata(object, { namespace: isNamespaced ? (namespace === "" ? "default" : namespace) : undefined });
}
