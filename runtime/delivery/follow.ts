// The feeds of a Subscription -> what their pods need besides: what is taken along, and what nobody delivers. Pure.
//
// (FOL-1) A dependency that is missing never blocks the delivery of anything.
// (FOL-2) Nothing is let go because something was not found: what is needed and was taken along stays, and so does everything while a
//         feed that may need it has no template.

import { feedKey, type Feed } from "#api/apps/v1alpha1/feed.ts";
import type { DeliveryPolicy } from "#api/apps/v1alpha1/delivery-policy.ts";
import { shortList } from "#std/short-list.ts";
import { DEPENDENCY_KINDS, dependenciesOf } from "./dependencies.ts";
import { feedText, isChartFeed, type ResolvedFeed } from "./feeds.ts";

/** A condition is read by people. */
const MISSING_SHOWN_MAX = 10;

export interface DependencyView {
  readonly mode: NonNullable<DeliveryPolicy["dependencies"]>;
  resolve(feed: Feed): ResolvedFeed;
  /** Another Subscription delivers it. */
  isOthers(feed: Feed): boolean;
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
  readonly missing: readonly Missing[];
  /** Every feed could be looked at. */
  readonly isComplete: boolean;
}

export function findDependencies(feeds: readonly Feed[], view: DependencyView): Dependencies {
  const { mode } = view;
  if (mode === "Ignore") return { needed: [], followed: [], missing: [], isComplete: true };
  const resolved = feeds.filter((feed) => !isChartFeed(feed)).map((feed) => view.resolve(feed));
  const known = new Set(resolved.map((each) => feedKey(each.found ? each.identity : each.feed)));
  const needed: Feed[] = [];
  const followed: Feed[] = [];
  const missing: Missing[] = [];
  const queue = [...resolved];
  for (let each = queue.shift(); each !== undefined; each = queue.shift()) {
    if (!each.found) continue;
    for (const dependency of dependenciesOf(each.template)) {
      if (known.has(feedKey(dependency))) continue;
      known.add(feedKey(dependency));
      needed.push(dependency);
      const found = view.resolve(dependency);
      if (found.found && mode === "Follow") {
        followed.push(dependency);
        queue.push(found);
      } else if (!view.isOthers(dependency)) missing.push({ neededBy: each.identity, dependency, advice: adviceOf(found) });
    }
  }
  return { needed, followed, missing, isComplete: resolved.every(({ found }) => found) };
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

export function missingText(missing: readonly Missing[]): string {
  const texts = missing.map(
    ({ neededBy, dependency, advice }) => `${feedText(neededBy)} needs ${feedText(dependency)}, which ${advice}`,
  );
  return shortList(texts, MISSING_SHOWN_MAX).join("; ");
}
