// Names and labels of what is made from a Subscription: Base, Description, and the owner mark on a child's objects. Pure.

import type { Base } from "#api/apps/v1alpha1/base.ts";
import type { Description } from "#api/apps/v1alpha1/description.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { KubeObject, ObjectKey } from "#api/meta.ts";
import { annotations, createdByValues, labels, labelValueLengthMax } from "#api/names.ts";
import { canonicalHash } from "#std/canonical-json.ts";

/** Kubernetes' limit. */
const NAME_LENGTH_MAX = 253;

/** Less the longest suffix that we add (`-generic`). */
const BASE_NAME_LENGTH_MAX = NAME_LENGTH_MAX - 8;

/** Kubernetes' limit for a field manager. */
const FIELD_MANAGER_LENGTH_MAX = 128;

/** A namespace cannot contain a dot, so two Subscriptions never share this name. */
export function baseName({ name, namespace }: ObjectKey): string {
  return shortened(`${name}.${namespace ?? ""}`, BASE_NAME_LENGTH_MAX);
}

export function descriptionName(base: string): string {
  return `${base}-generic`;
}

/** `-9999`: more parts than any Base needs. */
const PART_SUFFIX_LENGTH_MAX = 5;

/** Part 0 is the first Description, which most Bases have alone. */
export function partName(first: string, part: number): string {
  return part === 0 ? first : `${shortened(first, NAME_LENGTH_MAX - PART_SUFFIX_LENGTH_MAX)}-${String(part)}`;
}

export function partNumberOf({ metadata }: Description): number {
  return metadata.annotations?.[annotations.partOf] === undefined ? 0 : Number(/\d+$/.exec(metadata.name)?.[0] ?? 1);
}

/** Of the Description itself, while it is not split. */
export function firstPartName({ metadata }: Description): string {
  return metadata.annotations?.[annotations.partOf] ?? metadata.name;
}

/** The Base's Description of its charts. */
export function helmDescriptionName(base: string): string {
  return `${base}-helm`;
}

/** `<description>-<chart's namespace>-<chart's name>`, as upstream looks it up. */
export function helmReleaseName(description: string, { namespace, name }: ObjectKey): string {
  return shortened(`${description}-${namespace ?? ""}-${name}`, NAME_LENGTH_MAX);
}

/** The labels of upstream, all of them: also on Descriptions, where upstream lost config.name and subs.name. */
export function baseLabels(subscription: KubeObject, cluster: ManagedCluster): Readonly<Record<string, string>> {
  const { name, namespace = "", uid = "" } = subscription.metadata;
  return {
    [labels.createdBy]: createdByValues.controllerManager,
    [labels.configKind]: "Subscription",
    ...nameLabel(labels.configName, name),
    [labels.configNamespace]: namespace,
    [labels.configUid]: uid,
    ...nameLabel(labels.subscriptionName, name),
    [labels.subscriptionNamespace]: namespace,
    [labels.subscriptionUid]: uid,
    [labels.clusterId]: cluster.spec.clusterId,
    [labels.clusterName]: cluster.metadata.name,
  };
}

const COPIED = [
  labels.subscriptionName,
  labels.subscriptionNamespace,
  labels.subscriptionUid,
  labels.clusterId,
  labels.clusterName,
];

/** Of a HelmRelease: those of its chart, and ours over them. */
export function helmReleaseLabels(description: Description, ofChart: Labels): Labels {
  return { ...ofChart, ...madeFrom(description) };
}

export function descriptionLabels(base: Base): Labels {
  return madeFrom(base);
}

type Labels = Readonly<Record<string, string>>;

function madeFrom({ kind, metadata: { name, namespace = "", uid = "", labels: own = {} } }: KubeObject): Labels {
  return {
    [labels.createdBy]: createdByValues.controllerManager,
    [labels.configKind]: kind,
    ...nameLabel(labels.configName, name),
    [labels.configNamespace]: namespace,
    [labels.configUid]: uid,
    ...Object.fromEntries(COPIED.flatMap((key) => (own[key] === undefined ? [] : [[key, own[key]]]))),
  };
}

/**
 * `<namespace>.<name>`: the value of annotation owned-by-description. A namespace has no dot, so it can be taken apart again. All parts of
 * a Base have the name of the first one: an object that moves between them changes nothing in the child.
 */
export function ownerText(description: Description): string {
  return `${description.metadata.namespace ?? ""}.${firstPartName(description)}`;
}

export function parseOwner(owner: string): ObjectKey | undefined {
  const dot = owner.indexOf(".");
  return dot <= 0 ? undefined : { namespace: owner.slice(0, dot), name: owner.slice(dot + 1) };
}

/** One field manager per Base, whoever delivers it: pushing and pulling can take turns, and an object can move between parts. */
export function fieldManagerOf(description: Description): string {
  return shortened(`clusternet/${ownerText(description)}`, FIELD_MANAGER_LENGTH_MAX);
}

function shortened(full: string, lengthMax: number): string {
  return full.length <= lengthMax ? full : `${full.slice(0, lengthMax - 17)}-${canonicalHash(full)}`;
}

/** A longer name is no label value; the object's own fields say it. */
export function nameLabel(key: string, name: string): Readonly<Record<string, string>> {
  return name.length <= labelValueLengthMax ? { [key]: name } : {};
}
