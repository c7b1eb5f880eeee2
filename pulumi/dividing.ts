// How a Subscription shares replicas out, as values of a program: each function returns the part of its spec that says where. What the
// API server would refuse much later is a type error or an exception here.

import type { Subscription as SubscriptionKind } from "#api/apps/v1alpha1/subscription.ts";
import type { LabelSelector } from "#api/meta.ts";
import type { InputOf } from "#api/define-kind.ts";

type Spec = InputOf<typeof SubscriptionKind>["spec"];
type Placement = Required<Pick<Spec, "schedulingStrategy" | "dividingScheduling" | "subscribers">>;

export interface DivideByWeightArgs {
  /** Clusters by labels of their ManagedCluster, and their part. Who is selected by several has the sum. */
  readonly subscribers: readonly { readonly clusterAffinity: LabelSelector; readonly weight: number }[];
}

export interface SpreadEvenly {
  /** Label of ManagedClusters whose values are the places: a region, a zone, a provider. */
  readonly over: string;
  /** How many replicas a place may have more than the emptiest one. Default: 1. */
  readonly maxSkew?: number;
  /** `place` (default): rather uneven than not at all. `wait`: what would be uneven is not placed. */
  readonly otherwise?: "place" | "wait";
}

export interface PreferredClusters {
  /** Labels of the ManagedCluster. */
  readonly labels: Readonly<Record<string, string>>;
  /** 1 to 100. */
  readonly weight: number;
}

export interface DivideByCapacityArgs {
  readonly subscribers: readonly { readonly clusterAffinity: LabelSelector }[];
  /** `Spread` (default): in proportion to what fits. `Binpack`: the best cluster is filled first. */
  readonly strategy?: "Spread" | "Binpack";
  readonly evenly?: readonly SpreadEvenly[];
  readonly preferred?: readonly PreferredClusters[];
  readonly minClusters?: number;
  readonly maxClusters?: number;
}

/** For `spec` of a Subscription, to spread: `spec: { ...divideByWeight({ subscribers }), feeds }`. */
export function divideByWeight({ subscribers }: DivideByWeightArgs): Placement {
  for (const { weight } of subscribers) {
    if (!Number.isInteger(weight) || weight < 0)
      throw new RangeError(`A weight must be a whole number from 0, not ${String(weight)}`);
  }
  if (!subscribers.some(({ weight }) => weight > 0)) throw new RangeError("At least one weight must be above 0");
  return { schedulingStrategy: "Dividing", dividingScheduling: { type: "Static" }, subscribers: [...subscribers] };
}

/** The same by what fits into each cluster beside what it runs: needs agents whose predictor is on, as it is by default. */
export function divideByCapacity(args: DivideByCapacityArgs): Placement {
  const { subscribers, strategy = "Spread", evenly = [], preferred = [], minClusters, maxClusters } = args;
  if (minClusters !== undefined && maxClusters !== undefined && minClusters > maxClusters) {
    throw new RangeError(`minClusters ${String(minClusters)} is above maxClusters ${String(maxClusters)}`);
  }
  const dynamicDividing = {
    strategy,
    ...(evenly.length === 0 ? {} : { topologySpreadConstraints: evenly.map(constraintOf) }),
    ...(preferred.length === 0 ? {} : { preferredClusters: preferred.map(termOf) }),
    ...(minClusters === undefined ? {} : { minClusters }),
    ...(maxClusters === undefined ? {} : { maxClusters }),
  };
  const dividingScheduling = { type: "Dynamic", dynamicDividing };
  return { schedulingStrategy: "Dividing", dividingScheduling, subscribers: [...subscribers] } as Placement;
}

function constraintOf({ over, maxSkew = 1, otherwise = "place" }: SpreadEvenly): object {
  return { topologyKey: over, maxSkew, whenUnsatisfiable: otherwise === "wait" ? "DoNotSchedule" : "ScheduleAnyway" };
}

function termOf({ labels, weight }: PreferredClusters): object {
  const matchExpressions = Object.entries(labels).map(([key, value]) => ({ key, operator: "In", values: [value] }));
  return { weight, preference: { matchExpressions } };
}
