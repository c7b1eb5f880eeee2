// The parts of core/v1 that our kinds contain: taints and tolerations, affinity, resource requirements, topology spread.

import * as z from "zod";

import type { Immutable } from "./define-kind.ts";
import { int32, int64, resourceList, timestamp } from "./fields.ts";
import { LabelSelector } from "./meta.ts";

const taintEffect = z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]);

export const Taint = z.object({
  key: z.string().describe("Name of the taint."),
  value: z.string().optional().describe("Value of the taint."),
  effect: taintEffect.describe("What happens to Subscriptions that do not tolerate the taint."),
  timeAdded: timestamp.optional().describe("When the taint was added."),
});
export type Taint = Immutable<z.output<typeof Taint>>;

export const Toleration = z.object({
  key: z.string().optional().describe("Taint that is tolerated; absent with operator Exists: every taint."),
  operator: z.enum(["Equal", "Exists"]).optional().describe("Equal (as if absent) compares the values, Exists does not."),
  value: z.string().optional().describe("Value of the tolerated taint, for Equal."),
  effect: taintEffect.optional().describe("Effect that is tolerated; absent: every effect."),
  tolerationSeconds: int64.optional().describe("For NoExecute: how long the taint is tolerated; absent: for ever."),
});
export type Toleration = Immutable<z.output<typeof Toleration>>;

const nodeSelectorRequirement = z.object({
  key: z.string().describe("Label that the requirement is about."),
  operator: z
    .enum(["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"])
    .describe("How the label's value relates to the values."),
  values: z.array(z.string()).optional().describe("For Gt and Lt exactly one integer; for Exists and DoesNotExist none."),
});

const nodeSelectorTerm = z
  .object({
    matchExpressions: z.array(nodeSelectorRequirement).optional().describe("Requirements on labels."),
    matchFields: z.array(nodeSelectorRequirement).optional().describe("Requirements on fields."),
  })
  .meta({ "x-kubernetes-map-type": "atomic" });

export const PreferredSchedulingTerm = z.object({
  weight: int32.describe("How much the preference counts, 1 to 100."),
  preference: nodeSelectorTerm.describe("What is preferred."),
});
export type PreferredSchedulingTerm = Immutable<z.output<typeof PreferredSchedulingTerm>>;

const nodeAffinity = z.object({
  requiredDuringSchedulingIgnoredDuringExecution: z
    .object({ nodeSelectorTerms: z.array(nodeSelectorTerm).describe("Terms of which one must hold.") })
    .meta({ "x-kubernetes-map-type": "atomic" })
    .optional()
    .describe("What must hold."),
  preferredDuringSchedulingIgnoredDuringExecution: z.array(PreferredSchedulingTerm).optional().describe("What is preferred."),
});

const podAffinityTerm = z.object({
  labelSelector: LabelSelector.optional().describe("Pods that are meant."),
  namespaceSelector: LabelSelector.optional().describe("Namespaces of these pods."),
  namespaces: z.array(z.string()).optional().describe("Namespaces of these pods, by name."),
  topologyKey: z.string().describe("Node label that says what is the same place."),
  matchLabelKeys: z.array(z.string()).optional().describe("Labels whose values are taken from the new pod and must match."),
  mismatchLabelKeys: z
    .array(z.string())
    .optional()
    .describe("Labels whose values are taken from the new pod and must not match."),
});

const podAffinity = z.object({
  requiredDuringSchedulingIgnoredDuringExecution: z.array(podAffinityTerm).optional().describe("What must hold."),
  preferredDuringSchedulingIgnoredDuringExecution: z
    .array(
      z.object({
        weight: int32.describe("How much it counts, 1 to 100."),
        podAffinityTerm: podAffinityTerm.describe("The term."),
      }),
    )
    .optional()
    .describe("What is preferred."),
});

export const Affinity = z.object({
  nodeAffinity: nodeAffinity.optional().describe("To nodes."),
  podAffinity: podAffinity.optional().describe("To pods."),
  podAntiAffinity: podAffinity.optional().describe("Away from pods."),
});
export type Affinity = Immutable<z.output<typeof Affinity>>;

export const ResourceRequirements = z.object({
  requests: resourceList.optional().describe("What is needed at least."),
  limits: resourceList.optional().describe("What is allowed at most."),
  claims: z
    .array(
      z.object({
        name: z.string().describe("Name of an entry in the pod's resourceClaims."),
        request: z.string().optional().describe("One request of that claim."),
      }),
    )
    .optional()
    .describe("Claims of the pod that are used.")
    .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] }),
});
export type ResourceRequirements = Immutable<z.output<typeof ResourceRequirements>>;

export const TopologySpreadConstraint = z.object({
  maxSkew: int32.describe("How uneven the spread may be."),
  topologyKey: z.string().describe("Label that says what is the same place."),
  whenUnsatisfiable: z.string().describe("DoNotSchedule or ScheduleAnyway."),
  labelSelector: LabelSelector.optional().describe("What is counted."),
  minDomains: int32.optional().describe("Least number of places."),
  nodeAffinityPolicy: z.string().optional().describe("Honor or Ignore."),
  nodeTaintsPolicy: z.string().optional().describe("Honor or Ignore."),
  matchLabelKeys: z.array(z.string()).optional().describe("Labels whose values are taken from the new object."),
});
