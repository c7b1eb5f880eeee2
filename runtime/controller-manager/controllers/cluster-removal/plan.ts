// What is left of a cluster that is being deregistered -> the next step. Pure.
//
//   delivered objects gone, or given up ─▶ identity gone ─▶ request answered or deleted ─▶ namespace of ours deleted ─▶ finalizer off
//
// (REM-1) Only a deleted join grant or ManagedCluster removes a cluster; silence never does.
// (REM-2) A reachable child is waited for until it has removed what was delivered to it. An unreachable one (Ready is not True, or its
//         account is gone) is let go with everything in it left alone, and an Event says what was left.

import type { Base } from "#api/apps/v1alpha1/base.ts";
import type { Description } from "#api/apps/v1alpha1/description.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { conditionTypes } from "#api/names.ts";
import { feedText } from "#delivery/feeds.ts";
import { isConditionTrue } from "#kube/conditions.ts";
import { shortList } from "#std/short-list.ts";

export interface RemovalFacts {
  readonly cluster: ManagedCluster;
  readonly hasAccount: boolean;
  readonly bases: readonly Base[];
  readonly descriptions: readonly Description[];
}

export type RemovalStep =
  /** Ask for the deletion of these; their own controllers and the agent do the rest. */
  | { readonly type: "withdraw"; readonly bases: readonly Base[]; readonly descriptions: readonly Description[] }
  | { readonly type: "wait"; readonly message: string }
  /** Take our finalizer off these: nobody will answer for them. */
  | {
      readonly type: "give-up";
      readonly bases: readonly Base[];
      readonly descriptions: readonly Description[];
      /** What stays in the child. Absent when only Bases are left: those never leave the parent. */
      readonly message: string | undefined;
    }
  | { readonly type: "erase" };

export function planRemoval({ cluster, hasAccount, bases, descriptions }: RemovalFacts): RemovalStep {
  if (bases.length === 0 && descriptions.length === 0) return { type: "erase" };
  const isLive = ({ metadata }: Base | Description): boolean => metadata.deletionTimestamp === undefined;
  const live = { bases: bases.filter(isLive), descriptions: descriptions.filter(isLive) };
  if (live.bases.length > 0 || live.descriptions.length > 0) return { type: "withdraw", ...live };
  const isReachable = hasAccount && isConditionTrue(cluster.status?.conditions, conditionTypes.ready);
  if (isReachable) {
    const what = names(descriptions.length > 0 ? descriptions : bases);
    return { type: "wait", message: `Waiting for the child to remove what was delivered: ${what}` };
  }
  return {
    type: "give-up",
    bases,
    descriptions,
    // A second pass often sees the Bases of a first one still there; what the first one said holds.
    message:
      descriptions.length > 0
        ? `The child could not be reached; what was delivered to it stays there: ${shortList(descriptions.map(contentOf), NAMES_SHOWN_MAX).join(", ")}`
        : undefined,
  };
}

/** Enough to find them, short enough for an Event. */
const NAMES_SHOWN_MAX = 5;
const OBJECTS_SHOWN_MAX = 5;

function names(objects: readonly (Base | Description)[]): string {
  return shortList(
    objects.map(({ metadata }) => metadata.name),
    NAMES_SHOWN_MAX,
  ).join(", ");
}

/** `web.shop-generic (ConfigMap shop/settings, and 2 more)`: what somebody has to look for in the child. */
function contentOf({ metadata, status }: Description): string {
  const left = (status?.inventory ?? []).filter(({ origin }) => origin !== "Skipped");
  if (left.length === 0) return metadata.name;
  return `${metadata.name} (${shortList(left.map(feedText), OBJECTS_SHOWN_MAX).join(", ")})`;
}
