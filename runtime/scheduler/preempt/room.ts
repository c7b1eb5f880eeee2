// What preemption is about: who gives, who claims, what a decision is told and what it reports. Data.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { PredictRequest } from "#api/proxies/v1alpha1/predictor.ts";

/** Replicas of one feed of a Subscription in one cluster, which it may have to give. */
export interface Giver {
  /** `namespace/name`. */
  readonly subscription: string;
  readonly priority: number;
  readonly cluster: string;
  readonly feed: string;
  /** What one replica needs. */
  readonly request: PredictRequest;
  readonly replicas: number;
}

export interface Giving {
  readonly giver: Giver;
  readonly replicas: number;
}

/** Replicas that get room which others give. */
export interface Claim {
  readonly cluster: string;
  readonly feed: string;
  readonly request: PredictRequest;
  /** Replicas that it has there without this. */
  readonly base: number;
  readonly replicas: number;
}

export interface Plan {
  readonly type: "plan";
  readonly claims: readonly Claim[];
  /** By priority, then by name. */
  readonly givings: readonly Giving[];
  /** More would have been taken, but not in this minute. */
  readonly isLimited: boolean;
}

/** While room is being freed in a cluster for somebody else. */
export interface Limit {
  /** So many replicas of the feed may stay there; no more may come. */
  readonly max: number;
  /** Who gets the room: `shop/web (priority 100)`. */
  readonly by: string;
}

export interface Limits {
  of(cluster: string, feed: string): Limit | undefined;
}

export const noLimits: Limits = { of: () => undefined };

/** One entry of `status.preempted`. */
export type Lost = NonNullable<NonNullable<Subscription["status"]>["preempted"]>[number];

export interface PreemptionReport {
  /** For the status: what it lost to higher priorities. */
  readonly lost: readonly Lost[];
  /** Room is being freed for it. */
  readonly waitsFor?: Plan;
  /** With this decision it was asked for. */
  readonly isNew?: boolean;
}
