// Subgroups as stories: test/golden/scheduler/subgroups.md; and what holds for every fleet.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { parse } from "yaml";
import { defaultProfile } from "#scheduler/default-plugins.ts";
import { explainPlacement } from "#scheduler/explain-placement.ts";
import { placementText } from "#scheduler/placement-text.ts";
import type { Candidate } from "#scheduler/plugin.ts";
import { schedule } from "#scheduler/schedule.ts";
import { takeSnapshot } from "#scheduler/snapshot.ts";
import { chooseBySubGroup } from "#scheduler/subgroups.ts";
import { testGolden } from "#test/framework/golden.ts";
import { clustersOf, subscriptionOf, type Story } from "#test/framework/scheduler-story.ts";

interface GroupStory extends Omit<Story, "subscription"> {
  readonly bound?: readonly string[];
  /** Label `group` of each subscriber -> minClusters. */
  readonly groups: readonly { readonly in: readonly string[]; readonly min?: number }[];
  /** Subscriptions of others, per cluster. */
  readonly bindings?: Readonly<Record<string, number>>;
}

testGolden("scheduler/subgroups.md", (lines) => {
  const { clusters, bound = [], groups, bindings = {} } = parse(lines.join("\n")) as GroupStory;
  const subscribers = groups.map(({ in: values, min }) => ({
    clusterAffinity: { matchExpressions: [{ key: "group", operator: "In", values }] },
    ...(min === undefined ? {} : { subGroupStrategy: { minClusters: min } }),
  }));
  const story = {
    ...(clusters === undefined ? {} : { clusters }),
    subscription: { bound, schedulingBySubGroup: true, subscribers },
  };
  const subscription = subscriptionOf(story);
  const input = {
    snapshot: takeSnapshot(clustersOf(story)),
    profile: defaultProfile("default"),
    bindings: { of: (cluster: string) => bindings[cluster] ?? 0 },
  };
  const told = placementText(explainPlacement(subscription, { ...input, decision: schedule(subscription, input) }));
  return told.filter((line) => !line.startsWith("    score"));
});

const world = fc.record({
  sizes: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 3 }),
  clusters: fc.array(
    fc.record({
      subscribers: fc.subarray([0, 1, 2], { minLength: 1 }),
      wasBound: fc.boolean(),
      score: fc.integer({ min: 0, max: 3 }),
      isSilent: fc.boolean(),
    }),
    { maxLength: 8 },
  ),
});

test("as many clusters as the groups can get are chosen, nobody who is bound goes for somebody new, and order means nothing", () => {
  fc.assert(
    fc.property(world, fc.infiniteStream(fc.nat()), ({ sizes, clusters }, random) => {
      const subscribers = sizes.map((minClusters) => ({ clusterAffinity: {}, subGroupStrategy: { minClusters } }));
      const subscription = subscriptionOf({ subscription: { subscribers } });
      const candidates = clusters.map(({ isSilent, subscribers: all, ...rest }, index): Candidate => {
        const key = `c${String(index)}`;
        const cluster = { key, labels: {}, taints: [], ready: "True", isDeleting: false } as unknown as Candidate["cluster"];
        const groups = all.filter((group) => group < sizes.length);
        return { ...rest, cluster, subscribers: groups, ...(rest.wasBound && isSilent ? { unfit: "silent" } : {}) };
      });
      const chosen = chooseBySubGroup(subscription, candidates);
      const again = chooseBySubGroup(
        subscription,
        candidates
          .map((each) => ({ each, at: Number(random.next().value) }))
          .toSorted((a, b) => a.at - b.at)
          .map(({ each }) => each),
      );
      if (chosen.type !== "chosen" || again.type !== "chosen") throw new Error("refused");
      const keys = (list: readonly Candidate[]): readonly string[] => list.map(({ cluster }) => cluster.key).toSorted();
      expect(keys(again.candidates)).toEqual(keys(chosen.candidates));
      expect(chosen.candidates).toHaveLength(most(candidates, sizes));
      const bound = candidates.filter(({ wasBound }) => wasBound);
      const kept = chosen.candidates.filter(({ wasBound }) => wasBound);
      expect(kept).toHaveLength(most(bound, sizes));
    }),
  );
});

/** By trying everything. */
function most([first, ...rest]: readonly Candidate[], sizes: readonly number[]): number {
  if (first === undefined) return 0;
  const without = most(rest, sizes);
  const within = first.subscribers
    .filter((group) => sizes[group]! > 0)
    .map(
      (group) =>
        1 +
        most(
          rest,
          sizes.map((size, index) => (index === group ? size - 1 : size)),
        ),
    );
  return Math.max(without, ...within);
}
