// Wanted objects + what was applied before -> what to apply, in phases, and what to delete. Pure.

import { feedKey } from "#api/apps/v1alpha1/feed.ts";
import type { InventoryEntry } from "#api/apps/v1alpha1/description.ts";
import type { KubeObject } from "#api/meta.ts";
import { annotations, createdByValues, labels } from "#api/names.ts";

export type PhaseName = (typeof PHASES)[number]["name"];

export interface Phase<T> {
  readonly name: PhaseName;
  readonly items: readonly T[];
}

export interface DeliveryPlan {
  /** Each phase is applied after the one before it; within a phase the order does not matter. */
  readonly apply: readonly Phase<KubeObject>[];
  /** In phases too, in the opposite order. Only what the inventory says. */
  readonly delete: readonly Phase<InventoryEntry>[];
  /** Wanted and not in the inventory yet: recorded before anything is applied, so that a crash loses no object. */
  readonly added: readonly InventoryEntry[];
}

/** What others stand on comes first. Kinds that are not listed, custom ones among them, are "objects". */
const PHASES = [
  { name: "namespaces", kinds: ["Namespace"] },
  { name: "definitions", kinds: ["CustomResourceDefinition", "PriorityClass", "StorageClass", "RuntimeClass", "IngressClass"] },
  { name: "access", kinds: ["ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"] },
  {
    name: "configuration",
    kinds: ["ConfigMap", "Secret", "PersistentVolume", "PersistentVolumeClaim", "LimitRange", "ResourceQuota", "NetworkPolicy"],
  },
  { name: "objects", kinds: [] },
  { name: "workloads", kinds: ["Pod", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"] },
  {
    name: "consumers",
    kinds: [
      "HorizontalPodAutoscaler",
      "PodDisruptionBudget",
      "Ingress",
      "APIService",
      "MutatingWebhookConfiguration",
      "ValidatingWebhookConfiguration",
      "ValidatingAdmissionPolicyBinding",
    ],
  },
] as const satisfies readonly { readonly name: string; readonly kinds: readonly string[] }[];

export function planDelivery(wanted: readonly KubeObject[], inventory: readonly InventoryEntry[]): DeliveryPlan {
  const wantedKeys = new Set(wanted.map((object) => feedKey(entryOf(object))));
  const known = new Set(inventory.map(feedKey));
  return {
    apply: inPhases(wanted),
    delete: inPhases(inventory.filter((entry) => !wantedKeys.has(feedKey(entry)))).toReversed(),
    added: wanted.map(entryOf).filter((entry) => !known.has(feedKey(entry))),
  };
}

/** Everything goes: what is recorded, and what is described but was perhaps never recorded. */
export function planRemoval(
  described: readonly KubeObject[],
  inventory: readonly InventoryEntry[],
): readonly Phase<InventoryEntry>[] {
  const recorded = new Set(inventory.map(feedKey));
  const unrecorded = described.map(entryOf).filter((entry) => !recorded.has(feedKey(entry)));
  return inPhases([...inventory, ...unrecorded]).toReversed();
}

/** The object as it is applied: with the marks that say whose it is and that we watch it. */
export function markedObject(object: KubeObject, owner: string): KubeObject {
  return {
    ...object,
    metadata: {
      ...object.metadata,
      labels: { [labels.createdBy]: createdByValues.hub, ...object.metadata.labels },
      annotations: { ...withoutApplied(object.metadata.annotations), [annotations.ownedByDescription]: owner },
    },
  };
}

export function entryOf({ apiVersion, kind, metadata: { namespace, name } }: KubeObject): InventoryEntry {
  return { apiVersion, kind, name, ...(namespace === undefined || namespace === "" ? {} : { namespace }) };
}

/** Deleting it deletes what is in it. */
export function isContainer({ kind }: { readonly kind: string }): boolean {
  return kind === "Namespace" || kind === "CustomResourceDefinition";
}

function inPhases<T extends { readonly kind: string }>(items: readonly T[]): readonly Phase<T>[] {
  return PHASES.map(({ name }) => ({ name, items: items.filter(({ kind }) => phaseOf(kind) === name) })).filter(
    ({ items: some }) => some.length > 0,
  );
}

function phaseOf(kind: string): PhaseName {
  return PHASES.find(({ kinds }) => (kinds as readonly string[]).includes(kind))?.name ?? "objects";
}

/** Lower comes first. */
export function phaseRank(kind: string): number {
  return PHASES.findIndex(({ name }) => name === phaseOf(kind));
}

/** kubectl's record of an earlier apply says nothing about ours, and can be as large as the object. */
function withoutApplied(own: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(own).filter(([key]) => !OTHER_RECORDS.has(key)));
}

const OTHER_RECORDS = new Set(["kubectl.kubernetes.io/last-applied-configuration", annotations.lastApplied]);
