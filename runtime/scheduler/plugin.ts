// The plugin contract: plain objects, one per idea, every point optional. What decides is pure: the same input, the same answer.
//
// preFilter   can this Subscription be decided at all?
// select      does the Subscription ask for this cluster? A "no" also ends a binding: it can only come from a live edit.
// filter      may a new binding be made here now? A "no" never ends a binding: silence, taints and load must not remove anything.
// postFilter  nothing fits: what would help?
// preScore, score, normalise   how good is this cluster?
// preAssign, assign            what does each chosen cluster get?
//
// Around a decision that binds, in this order, and only when it changes something; these may wait, each for a limited time:
// reserve, permit, preBind, bind, postBind; unreserve undoes reserve when one of them fails.

import type { FeedInventory } from "#api/apps/v1alpha1/feed-inventory.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { Capacities } from "./capacity.ts";
import type { BoundDecision, ClusterVerdict, FeedDivision, Fit, Problem } from "./decision.ts";
import type { Limits } from "./preempt/room.ts";
import type { Cluster, Snapshot } from "./snapshot.ts";

/** Another number: plugins of before could not work any more. A new optional member of an input or a plugin changes nothing. */
export const CONTRACT_VERSION = 1;

/** What a module with plugins exports. */
export interface PluginModule {
  readonly contractVersion: typeof CONTRACT_VERSION;
  /** By the plugin's name, which the plugin itself has too. */
  readonly plugins: Readonly<Record<string, PluginFactory>>;
}

/** Makes a plugin of its `args` in the configuration; throws when they cannot work. */
export type PluginFactory = (args: unknown) => Plugin;

/** One feed of the Subscription's FeedInventory. */
export interface FeedNeed extends Pick<
  FeedInventory["spec"]["feeds"][number],
  "desiredReplicas" | "replicaRequirements" | "replicaJsonPath"
> {
  /** Its key, as in `status.replicas`. */
  readonly feed: string;
}

/** Settings of the profile that plugins may follow. */
export interface SchedulingOptions {
  /** Of more than 100 clusters that a dividing Subscription selects, score and use only this share, at least 100; 0: all. */
  readonly percentageOfClustersToScore: number;
  /** While more clusters than this share do not tell their capacity, more replicas are not placed. */
  readonly percentageOfClustersToTolerate: number;
  /** Static dividing rounds as upstream does, from nothing each time. */
  readonly upstreamDividing?: boolean;
}

/** How full clusters are of Subscriptions. */
export interface Bindings {
  /** Subscriptions that are bound to it, this one among them. */
  of(cluster: string): number;
}

/** Named arguments, so that a plugin of today works with the inputs of tomorrow. */
export interface SubscriptionInput {
  readonly subscription: Subscription;
  readonly snapshot: Snapshot;
  /** Empty: there is no FeedInventory, or it has no feeds. */
  readonly needs: readonly FeedNeed[];
  readonly capacities: Capacities;
  /** Where it has to give room to a higher priority; absent: nowhere. */
  readonly limits?: Limits;
  readonly bindings: Bindings;
  readonly options: SchedulingOptions;
}

export interface ClusterInput extends SubscriptionInput {
  readonly cluster: Cluster;
  /** Indexes of the subscribers whose affinity matches the cluster. */
  readonly subscribers: readonly number[];
}

export interface ScoreInput extends ClusterInput {
  /** What this plugin's preScore returned. */
  readonly prepared: unknown;
}

/** A kept or fitting cluster. */
export interface Candidate {
  readonly cluster: Cluster;
  readonly wasBound: boolean;
  /** What would stop a new binding; undefined: it fits. Only a cluster that was bound can be unfit. */
  readonly unfit?: string;
  /** Total of all plugins; 0 when nobody scores. */
  readonly score: number;
  /** Indexes of the subscribers that select it. */
  readonly subscribers: readonly number[];
}

export interface CandidatesInput extends SubscriptionInput {
  /** Ascending by key. */
  readonly candidates: readonly Candidate[];
}

/** `scores` of the candidates so far are 0. */
export type PreScoreInput = CandidatesInput;
export type AssignInput = CandidatesInput;

export type PreFilterResult = { readonly type: "ok" } | ({ readonly type: "refuse" | "wait" } & Problem);

export interface PostFilterInput extends SubscriptionInput {
  readonly verdicts: readonly ClusterVerdict[];
}

export interface NormaliseInput extends SubscriptionInput {
  /** By cluster key. */
  readonly scores: ReadonlyMap<string, number>;
}

export type Assignment =
  | {
      readonly type: "assigned";
      /** Ascending, of the candidates. */
      readonly clusters: readonly string[];
      /** By feed key, at the index of `clusters`; `[]`: the feed cannot be divided. */
      readonly replicas?: Readonly<Record<string, readonly number[]>>;
      readonly divisions?: readonly FeedDivision[];
      /** Why a candidate is not in `clusters`, by key. Who was bound is kept as it is unless a reason is given here. */
      readonly left?: Readonly<Record<string, string>>;
      /** Why a candidate that was not bound, and is not in `left`, is not in `clusters`. */
      readonly leftOtherwise?: string;
      /** Less than was asked for could be done. */
      readonly shortfall?: Problem;
    }
  /** Another plugin is meant. */
  | { readonly type: "skip" }
  | ({ readonly type: "refuse" | "wait" } & Problem);

export interface EffectInput extends SubscriptionInput {
  readonly decision: BoundDecision;
}

/** `wait`: asked again later; bindings stay as they are until then. */
export type PermitResult = { readonly type: "allow" } | ({ readonly type: "wait" | "refuse" } & Problem);

export interface BindInput extends EffectInput {
  /** Writes the decision into the Subscription's status: what the default binder does. */
  readonly writeStatus: (signal: AbortSignal) => Promise<void>;
}

/** `skip`: another plugin binds. */
export type BindResult = { readonly type: "bound" | "skip" };

export interface Plugin {
  readonly name: string;
  select?(input: ClusterInput): Fit;
  preFilter?(input: SubscriptionInput): PreFilterResult;
  filter?(input: ClusterInput): Fit;
  /** A sentence for people; undefined: no idea. */
  postFilter?(input: PostFilterInput): string | undefined;
  /** What it returns is given to this plugin's score. */
  preScore?(input: PreScoreInput): unknown;
  /** 0..100, or anything that `normalise` or `scale` brings there. Higher is better. */
  score?(input: ScoreInput): number;
  normalise?(input: NormaliseInput): ReadonlyMap<string, number>;
  /** In place of `normalise`: scores are counts of something bad. None is 100, the most of all is 0. */
  readonly scale?: "fewer-is-better";
  preAssign?(input: AssignInput): PreFilterResult;
  assign?(input: AssignInput): Assignment;
  reserve?(input: EffectInput, signal: AbortSignal): Promise<void> | void;
  unreserve?(input: EffectInput, signal: AbortSignal): Promise<void> | void;
  permit?(input: EffectInput, signal: AbortSignal): Promise<PermitResult> | PermitResult;
  preBind?(input: EffectInput, signal: AbortSignal): Promise<void> | void;
  bind?(input: BindInput, signal: AbortSignal): Promise<BindResult> | BindResult;
  postBind?(input: EffectInput, signal: AbortSignal): Promise<void> | void;
}
