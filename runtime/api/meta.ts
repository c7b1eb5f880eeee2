// The parts every Kubernetes object shares, as types: ObjectMeta, OwnerReference, LabelSelector, Condition; and ResourceType, the
// address of a kind in the REST API. LabelSelector and Condition are also zod schemas, for the kinds that contain them.

import * as z from "zod";

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly generateName?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  /** RFC 3339. */
  readonly creationTimestamp?: string;
  /** RFC 3339; set while finalizers hold a deleted object. */
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
}

/** Any Kubernetes object. Objects from a cache are shared: never change one, make a new one. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

export interface LabelSelectorRequirement {
  readonly key: string;
  readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
  readonly values?: readonly string[];
}

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly LabelSelectorRequirement[];
}

export const LabelSelector = z
  .object({
    matchLabels: z.record(z.string(), z.string()).optional().describe("Labels and the values they must have."),
    matchExpressions: z
      .array(
        z.object({
          key: z.string().describe("Label that the requirement is about."),
          operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]).describe("How the label's value relates to the values."),
          values: z.array(z.string()).optional().describe("For In and NotIn at least one, otherwise none."),
        }),
      )
      .optional()
      .describe("Requirements that must all hold, with those of matchLabels."),
  })
  .meta({ "x-kubernetes-map-type": "atomic" });

export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
  /** RFC 3339. */
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number;
}

/** kube-apiserver refuses a longer one, and with it the whole status. */
export const CONDITION_MESSAGE_LENGTH_MAX = 32_768;

/** metav1.Condition, with its limits. */
export const Condition = z.object({
  type: z
    .string()
    .max(316)
    .regex(/^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$/)
    .describe("What the condition is about, in CamelCase."),
  status: z.enum(["True", "False", "Unknown"]).describe("Whether it holds."),
  reason: z
    .string()
    .min(1)
    .max(1024)
    .regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/)
    .describe("Why, as one CamelCase word for programs."),
  message: z.string().max(CONDITION_MESSAGE_LENGTH_MAX).describe("Why, as text for people. May be empty."),
  lastTransitionTime: z.iso.datetime({ offset: true }).describe("When the status last changed."),
  observedGeneration: z.int().min(0).optional().describe("Generation of the object that the condition speaks about."),
});

/** Where a kind lives in the REST API, and (as a type only) what its objects look like. */
export interface ResourceType<T extends KubeObject = KubeObject> {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly scope: "Namespaced" | "Cluster";
  /** Never set: it ties T to the value, so that `client.get(Secret, …)` knows its result. */
  readonly object?: T;
}

/** Identifies an object of a known kind. `namespace` is absent for cluster-scoped kinds. */
export interface ObjectKey {
  readonly namespace?: string;
  readonly name: string;
}

export function apiVersionOf({ group, version }: Pick<ResourceType, "group" | "version">): string {
  return group === "" ? version : `${group}/${version}`;
}

/** `namespace/name`, or `name` for cluster-scoped kinds: the form used in queues, indexes and logs. */
export function keyText({ namespace, name }: ObjectKey): string {
  return namespace === undefined || namespace === "" ? name : `${namespace}/${name}`;
}

export function parseKey(text: string): ObjectKey {
  const slash = text.indexOf("/");
  return slash === -1 ? { name: text } : { namespace: text.slice(0, slash), name: text.slice(slash + 1) };
}
