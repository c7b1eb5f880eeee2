// Placements as people read them: test/golden/scheduler/placements.md.

import { parse } from "yaml";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { Capacities, CapacityAnswer } from "#scheduler/capacity.ts";
import type { Assignment, FeedNeed } from "#scheduler/plugin.ts";
import { defaultPlugins, defaultProfile } from "#scheduler/default-plugins.ts";
import { explainPlacement } from "#scheduler/explain-placement.ts";
import { placementHints } from "#scheduler/placement-hints.ts";
import { placementText } from "#scheduler/placement-text.ts";
import { pluginsAtTheirPoints } from "#scheduler/profile.ts";
import { schedule } from "#scheduler/schedule.ts";
import { takeSnapshot } from "#scheduler/snapshot.ts";
import { testGolden } from "#test/framework/golden.ts";
import { clustersOf, subscriptionOf, type Story } from "#test/framework/scheduler-story.ts";

interface PlacementStory extends Story {
  /** Only this cluster. */
  readonly about?: string;
  /** Subscriptions that are bound to a cluster. */
  readonly bindings?: Readonly<Record<string, number>>;
  readonly needs?: readonly FeedNeed[];
  /** By cluster, the same for every feed. */
  readonly capacities?: Readonly<Record<string, CapacityAnswer>>;
  /** Also what would change it. */
  readonly hints?: boolean;
  /** Further members of its status. */
  readonly status?: Subscription["status"];
  /** What a plugin assigns, instead of those that are built in. */
  readonly assign?: Assignment;
}

testGolden("scheduler/placements.md", (lines) => {
  const story = parse(lines.join("\n")) as PlacementStory;
  const { about, bindings = {}, needs = [], capacities, assign } = story;
  const byCluster: Capacities = { of: (cluster) => capacities?.[cluster] };
  const plugins = assign === undefined ? [] : [{ name: "Divider", assign: () => assign }];
  const input = {
    snapshot: takeSnapshot(clustersOf(story)),
    profile: { ...defaultProfile("default"), plugins: pluginsAtTheirPoints([...plugins, ...defaultPlugins]) },
    needs,
    capacities: byCluster,
    bindings: { of: (cluster: string) => bindings[cluster] ?? 0 },
  };
  const given = subscriptionOf(story);
  const subscription = { ...given, status: { ...given.status, ...story.status } };
  const decision = schedule(subscription, input);
  const asked = { ...input, decision, ...(about === undefined ? {} : { cluster: about }) };
  const hints = story.hints === true ? placementHints(subscription, { ...asked, input, decide: schedule }) : [];
  return placementText({ ...explainPlacement(subscription, asked), hints });
});
