// The plugin contract: plain objects, one per idea. Pure.
//
// select   does the Subscription ask for this cluster? A "no" also ends a binding: it can only come from a live edit.
// filter   may a new binding be made here now? A "no" never ends a binding: silence, taints and load must not remove anything.
// assign   what does each chosen cluster get?

import type { Fit } from "./decision.ts";
import type { Cluster, Snapshot } from "./snapshot.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";

/** Named arguments, so that a plugin of today works with the inputs of tomorrow. */
export interface PluginInput {
  readonly subscription: Subscription;
  readonly cluster: Cluster;
  readonly snapshot: Snapshot;
}

export interface SelectPlugin {
  readonly name: string;
  select(input: PluginInput): Fit;
}

export interface FilterPlugin {
  readonly name: string;
  filter(input: PluginInput): Fit;
}

export type Assignment =
  | { readonly type: "assigned"; readonly clusters: readonly string[] }
  /** Another assign plugin is meant. */
  | { readonly type: "skip" };

export interface AssignPlugin {
  readonly name: string;
  /** `clusters`: those that are kept and those that fit, ascending. */
  assign(input: {
    readonly subscription: Subscription;
    readonly clusters: readonly string[];
    readonly snapshot: Snapshot;
  }): Assignment;
}

export interface Plugins {
  readonly select: readonly SelectPlugin[];
  readonly filter: readonly FilterPlugin[];
  readonly assign: readonly AssignPlugin[];
}
