// Who gives room for whom: as stories (test/golden/scheduler/preemption.md), and what holds in every fleet.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { parse } from "yaml";
import { feedKey } from "#api/apps/v1alpha1/feed.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { Capacities } from "#scheduler/capacity.ts";
import { defaultProfile } from "#scheduler/default-plugins.ts";
import type { FeedNeed } from "#scheduler/plugin.ts";
import { schedule, type ScheduleInput } from "#scheduler/schedule.ts";
import { takeSnapshot } from "#scheduler/snapshot.ts";
import { testGolden } from "#test/framework/golden.ts";
import { clustersOf, keyOf, subscriptionOf, type Story } from "#test/framework/scheduler-story.ts";
import { freedBy, needOf, plus, times, wholesOf, type Amounts } from "./amounts.ts";
import { byGiver } from "./cover.ts";
import { giversBelow } from "./givers.ts";
import { planPreemption, type NoPlan } from "./plan.ts";
import type { Giver, Plan } from "./room.ts";

interface Need {
  readonly replicas: number;
  readonly [resource: string]: unknown;
}

interface Other {
  readonly priority?: number;
  readonly strategy?: "Dynamic" | "Static" | "Replication";
  readonly gated?: boolean;
  readonly needs: Readonly<Record<string, Omit<Need, "replicas">>>;
  /** Cluster -> feed -> replicas. */
  readonly runs: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

interface PreemptionStory extends Story {
  /** Feed -> what it wants and needs. */
  readonly needs: Readonly<Record<string, Need>>;
  readonly capacity: Readonly<Record<string, number | string>>;
  readonly others: Readonly<Record<string, Other>>;
  readonly replicasMax?: number;
}

const feedOf = (name: string): Subscription["spec"]["feeds"][number] => ({ apiVersion: "apps/v1", kind: "Deployment", name });
const needFor = (name: string, { replicas, place, ...requests }: Need): FeedNeed => ({
  feed: feedKey(feedOf(name)),
  desiredReplicas: replicas,
  replicaRequirements: { resources: { requests }, ...(place as object | undefined) } as NonNullable<
    FeedNeed["replicaRequirements"]
  >,
});

function otherOf(name: string, { priority, strategy = "Dynamic", gated = false, needs, runs }: Other): Subscription {
  const feeds = Object.keys(needs);
  const base = subscriptionOf({
    subscription: {
      bound: Object.keys(runs),
      replicas: Object.fromEntries(
        feeds.map((feed) => [feedKey(feedOf(feed)), Object.values(runs).map((shares) => shares[feed] ?? 0)]),
      ),
      schedulingStrategy: strategy === "Replication" ? "Replication" : "Dividing",
      ...(strategy === "Replication" ? {} : { dividingScheduling: { type: strategy } }),
      ...(priority === undefined ? {} : { priority }),
      ...(gated ? { schedulingGates: [{ name: "example.com/gate" }] } : {}),
      feeds: feeds.map(feedOf),
    },
  });
  return { ...base, metadata: { ...base.metadata, name } };
}

function planOf(story: PreemptionStory): Plan | NoPlan {
  const { subscription, needs, capacity, others, replicasMax = 1_000 } = story;
  const spec = {
    schedulingStrategy: "Dividing",
    dividingScheduling: { type: "Dynamic", dynamicDividing: { strategy: "Spread" } },
    feeds: Object.keys(needs).map(feedOf),
    ...subscription,
    replicas: Object.fromEntries(Object.entries(subscription.replicas ?? {}).map(([feed, all]) => [feedKey(feedOf(feed)), all])),
  };
  const preemptor = subscriptionOf({ ...story, subscription: spec });
  const capacities: Capacities = {
    of: (cluster) => {
      const told = capacity[cluster.split("/", 1)[0] ?? ""];
      if (told === undefined) return undefined;
      return typeof told === "string" ? { type: "silent", reason: told } : { type: "fits", replicas: told };
    },
  };
  const input: ScheduleInput = {
    snapshot: takeSnapshot(clustersOf(story)),
    profile: defaultProfile("default"),
    needs: Object.entries(needs).map(([name, need]) => needFor(name, need)),
    capacities,
  };
  const givers = giversBelow(Infinity, {
    subscriptions: Object.entries(others).map(([name, other]) => otherOf(name, other)),
    needsOf: (key) =>
      Object.entries(others[key.replace("shop/", "")]?.needs ?? {}).map(([name, need]) =>
        needFor(name, { ...need, replicas: 1 }),
      ),
    limitsOf: () => undefined,
  });
  return planPreemption({
    subscription: preemptor,
    decision: schedule(preemptor, input),
    needs: input.needs ?? [],
    capacities,
    givers,
    replicasMax,
    decide: (standing, answers) => schedule(standing, { ...input, capacities: answers }),
  });
}

testGolden("scheduler/preemption.md", (lines) => {
  const plan = planOf(parse(lines.join("\n")) as PreemptionStory);
  if (plan.type === "none") return [`nobody gives room: ${plan.reason}`];
  return [
    ...plan.givings.map(
      ({ giver: { subscription, priority, cluster, feed }, replicas }) =>
        `${subscription} (priority ${String(priority)}) gives ${String(replicas)} of ${feed} in ${cluster}`,
    ),
    ...plan.claims.map(({ cluster, feed, replicas }) => `room for ${String(replicas)} of ${feed} in ${cluster}`),
    ...(plan.isLimited ? ["more would have to go, but not in this minute"] : []),
  ];
});

const names = ["a", "b", "c", "d"] as const;
const cpu = fc.constantFrom("250m", "500m", "1", "2", "3");
const memory = fc.constantFrom("128Mi", "1Gi", "3Gi");
const requests = fc.oneof(fc.record({ cpu }), fc.record({ cpu, memory }), fc.constant({}));
const share = fc.nat({ max: 6 });
const other: fc.Arbitrary<Other> = fc.record({
  priority: fc.integer({ min: -5, max: 15 }),
  strategy: fc.constantFrom("Dynamic", "Dynamic", "Static", "Replication"),
  gated: fc.constantFrom(false, false, false, true),
  needs: fc.record({ x: requests, y: requests }),
  runs: fc.dictionary(fc.constantFrom(...names), fc.record({ x: share, y: share }), { maxKeys: 4 }),
});
const story: fc.Arbitrary<PreemptionStory> = fc.record({
  clusters: fc.constant(
    Object.fromEntries(names.map((name) => [name, { labels: { fleet: "yes", zone: name < "c" ? "1" : "2" } }])),
  ),
  subscription: fc.record({
    priority: fc.integer({ min: -5, max: 15 }),
    preemptionPolicy: fc.constantFrom(
      "PreemptLowerPriority",
      "PreemptLowerPriority",
      "PreemptLowerPriority",
      "PreemptNever",
      "Never",
    ),
    dividingScheduling: fc.record({
      type: fc.constant("Dynamic"),
      dynamicDividing: fc.record({
        strategy: fc.constantFrom("Spread", "Binpack"),
        maxClusters: fc.constantFrom(1, 2, 4),
        topologySpreadConstraints: fc.constantFrom([], [{ maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule" }]),
      }),
    }),
  }),
  needs: fc.record({ web: fc.tuple(fc.nat({ max: 12 }), requests).map(([replicas, need]) => ({ replicas, ...need })) }),
  capacity: fc.record(Object.fromEntries(names.map((name) => [name, fc.oneof(fc.nat({ max: 3 }), fc.constant("no answer"))]))),
  others: fc.dictionary(fc.constantFrom("p", "q", "r", "s"), other, { maxKeys: 4 }),
  replicasMax: fc.constantFrom(0, 2, 1_000),
});

const RUNS = { numRuns: 500 };
const amountOf = (givers: Plan["givings"]): Amounts =>
  givers.reduce<Amounts>((sum, { giver, replicas }) => plus(sum, times(freedBy(giver.request), replicas)), new Map());

/** Claims beyond what is free without anybody's giving. */
function claimedOf({ claims }: Plan, cluster: string): Amounts {
  return claims
    .filter((claim) => claim.cluster === cluster)
    .reduce<Amounts>((sum, { request, replicas }) => plus(sum, times(needOf(request), replicas)), new Map());
}

test("only strictly lower priorities that are divided by capacity and can be decided give, and never more than they have", () => {
  fc.assert(
    fc.property(story, (told) => {
      const plan = planOf(told);
      if (plan.type === "none") return;
      for (const { giver, replicas } of plan.givings) {
        const { priority = 0, strategy, gated } = told.others[giver.subscription.replace("shop/", "")] ?? {};
        expect(priority).toBeLessThan(Number(told.subscription["priority"]));
        expect({ strategy, gated }).toEqual({ strategy: "Dynamic", gated: false });
        expect(replicas).toBeGreaterThan(0);
        expect(replicas).toBeLessThanOrEqual(giver.replicas);
      }
      expect(plan.givings.reduce((sum, { replicas }) => sum + replicas, 0)).toBeLessThanOrEqual(told.replicasMax ?? 0);
    }),
    RUNS,
  );
});

test("who may not preempt has no plan, nor who lacks nothing", () => {
  fc.assert(
    fc.property(story, fc.constantFrom("PreemptNever", "Never"), (told, preemptionPolicy) => {
      expect(planOf({ ...told, subscription: { ...told.subscription, preemptionPolicy } }).type).toBe("none");
      const plenty = Object.fromEntries(names.map((name) => [name, 20]));
      const placed = { ...told.subscription, dividingScheduling: { type: "Dynamic", dynamicDividing: { strategy: "Spread" } } };
      expect(planOf({ ...told, subscription: placed, capacity: plenty }).type).toBe("none");
    }),
    RUNS,
  );
});

test("nobody gives in a cluster that is silent or in which nothing is claimed, and what is freed is enough for the claims", () => {
  fc.assert(
    fc.property(story, (told) => {
      const plan = planOf(told);
      if (plan.type === "none") return;
      for (const cluster of new Set(plan.givings.map(({ giver }) => giver.cluster))) {
        const answer = told.capacity[cluster.split("/", 1)[0] ?? ""];
        expect(typeof answer).toBe("number");
        const free = times(plan.claims[0] === undefined ? new Map() : needOf(plan.claims[0].request), Number(answer));
        const all = plus(amountOf(plan.givings.filter(({ giver }) => giver.cluster === cluster)), free);
        expect(plan.claims.some((claim) => claim.cluster === cluster)).toBe(true);
        expect(wholesOf(all, claimedOf(plan, cluster))).toBeGreaterThanOrEqual(1);
      }
      // Room for at least one replica.
      expect(plan.claims.reduce((sum, { replicas }) => sum + replicas, 0)).toBeGreaterThan(0);
    }),
    RUNS,
  );
});

test("without one of the replicas that go, the claims had no room", () => {
  fc.assert(
    fc.property(story, (told) => {
      // With room left here and there, nobody can tell what of it is used.
      const plan = planOf({ ...told, capacity: Object.fromEntries(names.map((name) => [name, 0])) });
      if (plan.type === "none") return;
      for (const [index, giving] of plan.givings.entries()) {
        const { cluster, priority } = giving.giver;
        const isHighest = plan.givings.every(({ giver }) => giver.cluster !== cluster || giver.priority <= priority);
        if (!isHighest) continue;
        const fewer = plan.givings.map((each, at) => (at === index ? { ...each, replicas: each.replicas - 1 } : each));
        const all = amountOf(fewer.filter(({ giver }) => giver.cluster === cluster));
        expect(wholesOf(all, claimedOf(plan, cluster))).toBe(0);
      }
    }),
    RUNS,
  );
});

test("the same plan, in whatever order Subscriptions and clusters arrived", () => {
  fc.assert(
    fc.property(story, (told) => {
      const turned = <T>(record: Readonly<Record<string, T>>): Record<string, T> =>
        Object.fromEntries(Object.entries(record).toReversed());
      const other_ = { ...told, others: turned(told.others), clusters: turned(told.clusters ?? {}) };
      expect(planOf(other_)).toEqual(planOf(told));
    }),
    RUNS,
  );
});

test("who gives is ordered by priority, then by name", () => {
  const giver = (subscription: string, priority: number): Giver => ({
    subscription,
    priority,
    cluster: keyOf("oslo"),
    feed: "web",
    request: {},
    replicas: 1,
  });
  const givers = [giver("shop/b", 1), giver("shop/a", 1), giver("shop/c", 0)];
  expect(givers.toSorted(byGiver).map(({ subscription }) => subscription)).toEqual(["shop/c", "shop/a", "shop/b"]);
});
