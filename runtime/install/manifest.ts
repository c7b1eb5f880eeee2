// Any object -> the Manifest that stores it as a template on the parent, named and labelled as the shadow API would. Pure.

import { createHash } from "node:crypto";
import { annotations, createdByValues, groups, labels, labelValueLengthMax, versions } from "#api/names.ts";
import type { InstallObject } from "./object.ts";

export interface TemplateObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Readonly<Record<string, string>> };
  readonly [field: string]: unknown;
}

export interface ManifestOptions {
  readonly reservedNamespace: string;
  /** Namespaces (or "*") whose Subscriptions may use the template, besides its own. */
  readonly allowSubscriptionsFrom?: readonly string[];
  /** Plural resource name, where Kubernetes' rule for guessing it from the kind is wrong. */
  readonly plural?: string;
}

export function manifestObject(template: TemplateObject, options: ManifestOptions): InstallObject {
  const { name, namespace } = template.metadata;
  const grant = options.allowSubscriptionsFrom ?? [];
  return {
    apiVersion: `${groups.apps}/${versions.apps}`,
    kind: "Manifest",
    metadata: {
      name: manifestName({
        plural: options.plural ?? guessPlural(template.kind),
        name,
        ...(namespace === undefined ? {} : { namespace }),
      }),
      namespace: options.reservedNamespace,
      labels: { ...template.metadata.labels, ...originLabels(template) },
      ...(grant.length === 0 ? {} : { annotations: { [annotations.allowSubscriptionsFrom]: grant.join(",") } }),
    },
    template,
  };
}

/**
 * `deployments.shop.web`, or `clusterroles.reader`. A namespace cannot contain a dot, so two objects of one resource never share a name.
 * What a Manifest's name cannot hold (RBAC objects may be called `system:Reader`) is replaced, and a hash of the whole name keeps it apart
 * from what it then looks like. No resource's name begins with a digit, so `0.` keeps both kinds of name apart.
 */
export function manifestName({
  plural,
  namespace = "",
  name,
}: {
  readonly plural: string;
  readonly namespace?: string;
  readonly name: string;
}): string {
  const place = namespace === "" ? plural : `${plural}.${namespace}`;
  const plain = `${place}.${name}`;
  if (plain.length <= OBJECT_NAME_LENGTH_MAX && DNS_SUBDOMAIN.test(plain)) return plain;
  const readable = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, READABLE_LENGTH_MAX)
    .replaceAll(/^-+|-+$/g, "");
  return `0.${place}${readable === "" ? "" : `.${readable}`}.${sha256Hex(name)}`;
}

const OBJECT_NAME_LENGTH_MAX = 253;
/** Leaves room for the resource, the namespace and the hash. */
const READABLE_LENGTH_MAX = 50;
const HASH_LENGTH = 32;
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

function sha256Hex(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, HASH_LENGTH);
}

/** The rule of Kubernetes itself (apimachinery, UnsafeGuessKindToResource). */
export function guessPlural(kind: string): string {
  const singular = kind.toLowerCase();
  if (singular === "endpoints") return singular;
  if (singular.endsWith("s")) return `${singular}es`;
  if (singular.endsWith("y")) return `${singular.slice(0, -1)}ies`;
  return `${singular}s`;
}

function originLabels({ apiVersion, kind, metadata }: TemplateObject): Record<string, string> {
  const slash = apiVersion.indexOf("/");
  const origin = {
    [labels.createdBy]: createdByValues.hub,
    [labels.configGroup]: slash === -1 ? "" : apiVersion.slice(0, slash),
    [labels.configVersion]: apiVersion.slice(slash + 1),
    [labels.configKind]: kind,
    [labels.configName]: metadata.name,
    [labels.configNamespace]: metadata.namespace ?? "",
  };
  return Object.fromEntries(Object.entries(origin).filter(([, value]) => isLabelValue(value)));
}

/** A name may be longer than a label value, or hold a colon; the template itself always says what it is. */
function isLabelValue(text: string): boolean {
  return text.length <= labelValueLengthMax && /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/.test(text);
}
