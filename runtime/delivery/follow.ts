// The feeds of a Subscription -> what their pods need besides: what is taken along, and what nobody delivers. Pure.
//
// (FOL-1) A dependency that is missing never blocks the delivery of anything.
// (FOL-2) Nothing is let go because something was not found: what is needed and was taken along stays, and so does everything while a
//         feed that may need it has no template.

import { feedKey, type Feed } from "#api/apps/v1alpha1/feed.ts";
import type { DeliveryPolicy } from "#api/apps/v1alpha1/delivery-policy.ts";
import { shortList } from "#std/short-list.ts";
import { DEPENDENCY_KINDS } from "./dependencies.ts";
import { feedText, isChartFeed, type FoundFeed, type ResolvedFeed } from "./feeds.ts";

/** A condition is read by people. */
const MISSING_SHOWN_MAX = 10;
const CLUSTERS_SHOWN_MAX = 5;

/** What one cluster gets, or all that get the same. */
export interface DependencyView {
  readonly mode: NonNullable<DeliveryPolicy["dependencies"]>;
  resolve(feed: Feed): ResolvedFeed;
  /** What it needs, with the overrides of the cluster; undefined: they do not apply, so nobody can say. */
  needsOf(found: FoundFeed): readonly Feed[] | undefined;
}

export interface Missing {
  readonly neededBy: Feed;
  readonly dependency: Feed;
  /** What to do. */
  readonly advice: string;
}

export interface Dependencies {
  /** All that is needed and not among the feeds. */
  readonly needed: readonly Feed[];
  /** Of these: what is to be taken along. */
  readonly followed: readonly Feed[];
  /** The others: missing, unless another Subscription delivers them. */
  readonly unfollowed: readonly Missing[];
  /** Every feed could be looked at, and all that is taken along. */
  readonly isComplete: boolean;
}

export function findDependencies(feeds: readonly Feed[], view: DependencyView): Dependencies {
  const { mode } = view;
  if (mode === "Ignore") return { needed: [], followed: [], unfollowed: [], isComplete: true };
  const resolved = feeds.filter((feed) => !isChartFeed(feed)).map((feed) => view.resolve(feed));
  const known = new Set(resolved.map((each) => feedKey(each.found ? each.identity : each.feed)));
  const needed: Feed[] = [];
  const followed: Feed[] = [];
  const unfollowed: Missing[] = [];
  let isComplete = true;
  const queue = [...resolved];
  for (let each = queue.shift(); each !== undefined; each = queue.shift()) {
    const needs = each.found ? view.needsOf(each) : undefined;
    if (!each.found || needs === undefined) {
      isComplete = false;
      continue;
    }
    for (const dependency of needs) {
      if (known.has(feedKey(dependency))) continue;
      known.add(feedKey(dependency));
      needed.push(dependency);
      const found = view.resolve(dependency);
      if (found.found && mode === "Follow") {
        followed.push(dependency);
        queue.push(found);
      } else unfollowed.push({ neededBy: each.identity, dependency, advice: adviceOf(found) });
    }
  }
  return { needed, followed, unfollowed, isComplete };
}

function adviceOf(found: ResolvedFeed): string {
  if (found.found) return "has a template and is not among the feeds: add it, or set spec.delivery.dependencies to Follow";
  if (found.reason === "FeedMissing") return "has no template on the parent: make one, or mark the reference as optional";
  return `cannot be used (${found.message})`;
}

export interface Followed {
  readonly dependencies: Dependencies;
  readonly feeds: readonly Feed[];
  /** What the cluster gets now. */
  readonly current: readonly Feed[];
  /** It belongs to another Subscription in this cluster. */
  isTaken(feed: Feed): boolean;
}

/** What one cluster gets besides the feeds; FOL-2. */
export function followedIn(input: Followed): readonly Feed[] {
  const { needed, followed, isComplete } = input.dependencies;
  const named = new Set(input.feeds.map(feedKey));
  const extra = input.current.filter((feed) => !named.has(feedKey(feed)) && isFollowable(feed));
  const stays = (feed: Feed): boolean => !isComplete || needed.some((each) => feedKey(each) === feedKey(feed));
  const kept = extra.filter(stays);
  const keys = new Set(followed.map(feedKey));
  return [...followed, ...kept.filter((feed) => !keys.has(feedKey(feed)))].filter((feed) => !input.isTaken(feed));
}

export function isFollowable({ apiVersion, kind }: Feed): boolean {
  return apiVersion === "v1" && (DEPENDENCY_KINDS as readonly string[]).includes(kind);
}

/** One cluster that the Subscription is bound to. */
export interface ClusterDependencies {
  readonly name: string;
  readonly dependencies: Dependencies;
  /** Another Subscription delivers it there. */
  readonly isOthers: (feed: Feed) => boolean;
}

export interface MissingSomewhere extends Missing {
  /** Names of the clusters that miss it. */
  readonly clusters: readonly string[];
}

export function missingIn(clusters: readonly ClusterDependencies[]): readonly MissingSomewhere[] {
  const found = new Map<string, Missing & { readonly clusters: string[] }>();
  for (const { name, dependencies, isOthers } of clusters) {
    for (const missing of dependencies.unfollowed.filter(({ dependency }) => !isOthers(dependency))) {
      const key = [feedKey(missing.neededBy), feedKey(missing.dependency)].join(" ");
      const known = found.get(key) ?? { ...missing, clusters: [] };
      known.clusters.push(name);
      found.set(key, known);
    }
  }
  return [...found.values()];
}

/** `clusterCount`: of the Subscription; what all of them miss needs no names. */
export function missingText(missing: readonly MissingSomewhere[], clusterCount: number): string {
  const texts = missing.map(({ neededBy, dependency, advice, clusters }) => {
    const count = `${String(clusters.length)} of ${String(clusterCount)} clusters`;
    const where = clusters.length === clusterCount ? "" : ` in ${count} (${shortList(clusters, CLUSTERS_SHOWN_MAX).join(", ")})`;
    return `${feedText(neededBy)} needs ${feedText(dependency)}${where}, which ${advice}`;
  });
  return shortList(texts, MISSING_SHOWN_MAX).join("; ");
}
