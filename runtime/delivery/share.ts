// A cluster's share of a divided feed -> the object with that number of replicas: the last step of rendering, after all overrides. Pure.

import type { Share } from "#api/apps/v1alpha1/base.ts";
import { feedKey, type Feed } from "#api/apps/v1alpha1/feed.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { deepEqual } from "#std/canonical-json.ts";
import { identityOf } from "./feeds.ts";
import { isJsonObject, type JsonObject } from "./json.ts";
import { applyJsonPatch, PatchError } from "./json-patch.ts";

export type SharedOut =
  { readonly ok: true; readonly object: JsonObject } | { readonly ok: false; readonly path: string; readonly reason: string };

/** What the cluster at this index of the bindings gets of each divided feed. */
export function sharesAt({ spec, status }: Subscription, index: number): readonly Omit<Share, "path">[] {
  if (spec.schedulingStrategy !== "Dividing") return [];
  return spec.feeds.map(feedKey).flatMap((feed) => {
    const replicas = status?.replicas?.[feed]?.[index];
    return replicas === undefined ? [] : [{ feed, replicas }];
  });
}

/** `feed` as the Subscription names it. */
export function shareOf(feed: Feed, shares: readonly Share[]): Share | undefined {
  const key = feedKey(feed);
  return shares.find((share) => share.feed === key);
}

/** Never an object with all replicas in place of one with the share: who cannot be given a share is not delivered. */
export function applyShare(object: JsonObject, { replicas, path }: Share): SharedOut {
  if (path === undefined) return { ok: false, path: "", reason: "nobody knows which field holds its replicas" };
  try {
    const result = applyJsonPatch(object, [{ op: "add", path, value: replicas }]);
    if (isJsonObject(result) && deepEqual(identityOf(result), identityOf(object))) return { ok: true, object: result };
    return { ok: false, path, reason: "is no field for a number of replicas" };
  } catch (error) {
    if (error instanceof PatchError) return { ok: false, path: error.path, reason: error.message };
    throw error;
  }
}
