// Rebalancing as stories: test/golden/scheduler/rebalance.md. Time passes a minute at a time, from 12:00 on.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { parse } from "yaml";
import type { Rebalance } from "#api/apps/v1alpha1/rebalance.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { annotations } from "#api/names.ts";
import { statusOf } from "#scheduler/bind.ts";
import type { BoundDecision } from "#scheduler/decision.ts";
import { defaultProfile } from "#scheduler/default-plugins.ts";
import { takeSnapshot } from "#scheduler/snapshot.ts";
import { testGolden } from "#test/framework/golden.ts";
import { clustersOf, keyOf, subscriptionOf } from "#test/framework/scheduler-story.ts";
import { scheduleWithRebalance } from "./rebalance.ts";
import type { RebalanceTurn } from "./turns.ts";

interface ClusterStory {
  /** Replicas that it could have in all; "silent": it does not say. */
  readonly room?: number | "silent";
  readonly labels?: Readonly<Record<string, string>>;
  readonly ready?: string;
  readonly taints?: readonly unknown[];
}

interface RebalanceStory {
  readonly clusters: Readonly<Record<string, ClusterStory>>;
  /** What each bound cluster has; of a Replication which are bound. */
  readonly has: Readonly<Record<string, number>> | readonly string[];
  readonly strategy?: "Spread" | "Binpack" | "Static";
  readonly dividing?: object;
  readonly subscribers?: readonly unknown[];
  readonly rebalance?: Rebalance;
  /** What is asked for, minute by minute: "Show", "confirm" (what is shown), a hash, "edit", "wants 3", "without oslo", or what happens to a cluster. */
  readonly minutes?: readonly (string | Readonly<Record<string, ClusterStory>>)[];
  /** Clusters in which nothing becomes Available. */
  readonly broken?: readonly string[];
  /** Clusters in which it has to give room to somebody of higher priority. */
  readonly gives?: readonly string[];
  readonly held?: string;
  readonly busy?: boolean;
}

const at = (time: string): number => Date.parse(`2030-01-01T${time}:00Z`);
const NOON = at("12:00");
const MINUTE_MS = 60_000;
const feed = { apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name: "web" };
const FEED = "v1/ConfigMap/shop/web";

class World {
  readonly story: RebalanceStory;
  subscription: Subscription;
  clusters: Record<string, ClusterStory>;
  now = NOON;
  writes = 0;
  desired: number | undefined;
  readonly told: string[] = [];

  constructor(story: RebalanceStory) {
    this.story = story;
    this.clusters = { ...story.clusters };
    const { has, strategy = "Spread", dividing = {}, rebalance, subscribers } = story;
    const isDivided = !Array.isArray(has);
    const shares = isDivided ? (has as Readonly<Record<string, number>>) : {};
    const bound = (Array.isArray(has) ? (has as readonly string[]) : Object.keys(shares)).toSorted();
    this.subscription = subscriptionOf({
      subscription: {
        bound,
        feeds: [feed],
        ...(rebalance === undefined ? {} : { rebalance }),
        ...(subscribers === undefined ? {} : { subscribers, schedulingBySubGroup: true }),
        ...(isDivided
          ? {
              schedulingStrategy: "Dividing",
              dividingScheduling:
                strategy === "Static" ? { type: strategy } : { type: "Dynamic", dynamicDividing: { strategy, ...dividing } },
              replicas: { [FEED]: bound.map((name) => shares[name] ?? 0) },
            }
          : {}),
      },
    });
    this.report();
  }

  /** Every cluster that is not broken has what it shall have. */
  report(): void {
    const { status } = this.subscription;
    const feedStatusDetails = (status?.bindingClusters ?? [])
      .filter((key) => this.story.broken?.includes(key.split("/")[0] ?? "") !== true)
      .map((key) => {
        const share = status?.replicas?.[FEED]?.[status.bindingClusters?.indexOf(key) ?? -1] ?? 0;
        return { clusterId: key.split("/")[0] ?? "", available: true, replicaStatus: { availableReplicas: share } };
      });
    this.subscription = { ...this.subscription, status: { ...status, aggregatedStatuses: [{ ...feed, feedStatusDetails }] } };
  }

  get total(): number {
    return (this.subscription.status?.replicas?.[FEED] ?? []).reduce((sum, each) => sum + each, 0);
  }

  shareOf(key: string): number {
    const { bindingClusters = [], replicas = {} } = this.subscription.status ?? {};
    return replicas[FEED]?.[bindingClusters.indexOf(key)] ?? 0;
  }

  decide(turn: RebalanceTurn): BoundDecision {
    const clusters = Object.fromEntries(
      Object.entries(this.clusters).map(([name, { labels = {}, room: _room, ...rest }]) => [
        name,
        { ...rest, labels: { fleet: "yes", ...labels } },
      ]),
    );
    const { held, gives = [] } = this.story;
    const decision = scheduleWithRebalance(this.subscription, {
      snapshot: takeSnapshot(clustersOf({ clusters, subscription: {} })),
      profile: defaultProfile("default"),
      needs:
        this.subscription.status?.replicas === undefined ? [] : [{ feed: FEED, desiredReplicas: this.desired ?? this.total }],
      capacities: {
        of: (key) => {
          const { room = 0 } = this.clusters[key.split("/")[0] ?? ""] ?? {};
          if (room === "silent") return { type: "silent", reason: "it did not answer" };
          return { type: "fits", replicas: Math.max(0, room - this.shareOf(key)) };
        },
      },
      limits: {
        of: (key) =>
          gives.includes(key.split("/")[0] ?? "") ? { max: this.shareOf(key), by: "shop/more (priority 100)" } : undefined,
      },
      now: this.now,
      fleet: { notBefore: 0, free: 10, nextAt: this.now, ...(held === undefined ? {} : { held }) },
      turn,
    });
    if (decision.type !== "bound") throw new Error(`${decision.type}: ${decision.message}`);
    return decision;
  }

  /** One decision and what it writes. */
  turn(turn: Partial<RebalanceTurn> = {}): BoundDecision {
    const decision = this.decide({ isDue: false, nextLookAt: this.now + 60 * MINUTE_MS, mayStart: true, ...turn });
    const written = statusOf(this.subscription, decision, this.now);
    const status = { ...this.subscription.status, ...written } as NonNullable<Subscription["status"]>;
    if (JSON.stringify(status) !== JSON.stringify(this.subscription.status)) this.writes += 1;
    this.subscription = { ...this.subscription, status };
    return decision;
  }

  ask(asked: string): void {
    const { metadata } = this.subscription;
    this.subscription = { ...this.subscription, metadata: { ...metadata, annotations: { [annotations.rebalance]: asked } } };
  }

  edit(): void {
    const { metadata } = this.subscription;
    this.subscription = { ...this.subscription, metadata: { ...metadata, generation: (metadata.generation ?? 0) + 1 } };
  }

  /** False: it is something to ask for. */
  happens(what: string): boolean {
    const [verb, object = ""] = what.split(" ");
    if (verb === "wants") this.desired = Number(object);
    else if (verb === "without")
      this.clusters = Object.fromEntries(Object.entries(this.clusters).filter(([name]) => name !== object));
    else if (verb === "edit") this.edit();
    else return false;
    return true;
  }

  shares(): string {
    const bound = this.subscription.status?.bindingClusters ?? [];
    const isDivided = this.subscription.status?.replicas !== undefined;
    return bound.map((key) => `${key.split("/")[0] ?? ""}${isDivided ? `=${String(this.shareOf(key))}` : ""}`).join(" ");
  }
}

const clockText = (now: number): string => new Date(now).toISOString().slice(11, 16);

testGolden("scheduler/rebalance.md", (lines) => {
  const story = parse(lines.join("\n")) as RebalanceStory;
  const world = new World(story);
  const told: string[] = [];
  let before = "";
  for (const minute of story.minutes ?? ["Show"]) {
    if (typeof minute !== "string") world.clusters = { ...world.clusters, ...minute };
    else if (minute === "confirm") world.ask(world.subscription.status?.rebalance?.hash ?? "");
    else if (!world.happens(minute) && minute !== "due" && minute !== "") world.ask(minute);
    const decision = world.turn({ isDue: minute === "due", mayStart: story.busy !== true });
    const { rebalance, conditions } = world.subscription.status ?? {};
    const condition = conditions?.find(({ type }) => type === "Balanced");
    const said = condition === undefined ? "nothing is said" : `${condition.status} ${condition.reason}: ${condition.message}`;
    const state = `${world.shares()}; ${rebalance?.phase ?? "no plan"}; ${said}`;
    told.push(`${clockText(world.now)} ${state === before ? "as before" : state}`);
    told.push(...(decision.rebalance?.events ?? []).map((event) => `      ${event.type} ${event.reason}: ${event.message}`));
    before = state;
    world.report();
    world.now += MINUTE_MS;
  }
  return told;
});

test("of feeds that share the room of their clusters each moves only what fits beside the others", () => {
  const feeds = ["a", "b"].map((name) => ({ ...feed, name }));
  const [a = "", b = ""] = feeds.map(({ name }) => `v1/ConfigMap/shop/${name}`);
  const rooms: Readonly<Record<string, number>> = { "oslo/oslo": 8, "paris/paris": 4 };
  const subscription = subscriptionOf({
    subscription: {
      bound: ["oslo"],
      feeds,
      schedulingStrategy: "Dividing",
      dividingScheduling: { type: "Dynamic", dynamicDividing: { strategy: "Spread" } },
      replicas: { [a]: [4], [b]: [4] },
    },
  });
  const labels = { fleet: "yes" };
  const clusters = clustersOf({ clusters: { oslo: { labels }, paris: { labels } }, subscription: {} });
  const decision = scheduleWithRebalance(
    { ...subscription, metadata: { ...subscription.metadata, annotations: { [annotations.rebalance]: "Show" } } },
    {
      snapshot: takeSnapshot(clusters),
      profile: defaultProfile("default"),
      needs: [a, b].map((key) => ({ feed: key, desiredReplicas: 4 })),
      // Oslo is full of both.
      capacities: { of: (key) => ({ type: "fits", replicas: key === "oslo/oslo" ? 0 : (rooms[key] ?? 0) }) },
      now: NOON,
      fleet: { notBefore: 0, free: 10, nextAt: NOON },
      turn: { isDue: false, nextLookAt: NOON, mayStart: true },
    },
  );
  const moves = decision.type === "bound" ? (decision.rebalance?.stated?.status.moves ?? []) : [];
  expect(moves).toEqual([
    { feed: a, from: "oslo/oslo", to: "paris/paris", replicas: 2 },
    { feed: b, from: "oslo/oslo", to: "paris/paris", replicas: 1 },
  ]);
});

const sizes = fc.record({
  rooms: fc.array(fc.oneof(fc.nat({ max: 40 }), fc.constant("silent" as const)), { minLength: 2, maxLength: 6 }),
  has: fc.array(fc.nat({ max: 20 }), { minLength: 2, maxLength: 6 }),
  unfit: fc.nat({ max: 6 }),
  strategy: fc.constantFrom("Spread" as const, "Binpack" as const),
  maxClusters: fc.option(fc.integer({ min: 1, max: 6 })),
  preferred: fc.nat({ max: 6 }),
  maxMovePercent: fc.integer({ min: 1, max: 100 }),
});

function worldOf({
  rooms,
  has,
  unfit,
  strategy,
  maxClusters,
  preferred,
  maxMovePercent,
}: typeof sizes extends fc.Arbitrary<infer T> ? T : never): World {
  const names = rooms.map((_, index) => `c${String(index)}`);
  const clusters = Object.fromEntries(
    names.map((name, index): [string, ClusterStory] => {
      const room = rooms[index] ?? 0;
      const labels = { name, zone: index % 2 === 0 ? "a" : "b" };
      return [name, { room, labels, ...(index === unfit ? { ready: "Unknown" } : {}) }];
    }),
  );
  const shares = names.slice(0, has.length).map((name, index): [string, number] => {
    const room = rooms[index] ?? 0;
    return [name, room === "silent" ? (has[index] ?? 0) : Math.min(room, has[index] ?? 0)];
  });
  const bound = shares.slice(0, maxClusters ?? shares.length);
  const preferredClusters = [
    { weight: 100, preference: { matchExpressions: [{ key: "name", operator: "In", values: [`c${String(preferred)}`] }] } },
  ];
  return new World({
    clusters,
    has: Object.fromEntries(bound),
    strategy,
    dividing: { preferredClusters, ...(maxClusters === null ? {} : { maxClusters }) },
    rebalance: { minMovePercent: 1, maxMovePercent },
  });
}

test("whatever the fleet: sums stay, steps are small, nobody gets more than fits or when it is unfit, and afterwards nothing is planned (REB-1..4, RBS-1)", () => {
  let carriedOut = 0;
  fc.assert(
    fc.property(sizes, (size) => {
      const world = worldOf(size);
      const { total } = world;
      // It has to be at rest first.
      world.turn();
      if (world.total !== total) return;
      world.report();
      world.ask("Show 1");
      world.turn();
      const plan = world.subscription.status?.rebalance;
      if (plan?.phase !== "Planned") return;
      carriedOut += 1;
      world.ask(plan.hash);
      const stepMax = Math.max(1, Math.floor((total * size.maxMovePercent) / 100));
      for (let minute = 0; minute < 400 && world.subscription.status?.rebalance?.phase !== "Done"; minute += 1) {
        const before = new Map(Object.keys(world.clusters).map((name) => [name, world.shareOf(keyOf(name))]));
        const decision = world.turn();
        expect(world.subscription.status?.rebalance?.phase).not.toBe("Stopped");
        expect(world.total).toBe(total);
        expect(decision.rebalance?.moved ?? 0).toBeLessThanOrEqual(stepMax);
        for (const [name, { room = 0, ready = "True" }] of Object.entries(world.clusters)) {
          const [had, has] = [before.get(name) ?? 0, world.shareOf(keyOf(name))];
          if (ready !== "True" || room === "silent") expect(has).toBe(had);
          else if (has > had) expect(has).toBeLessThanOrEqual(room);
        }
        world.report();
        world.now += MINUTE_MS;
      }
      expect(world.subscription.status?.rebalance?.phase).toBe("Done");
      world.ask("Show 2");
      world.turn();
      expect(world.subscription.status?.rebalance).toMatchObject({ phase: "Done", hash: "" });
      const { writes } = world;
      world.turn({ isDue: true });
      expect(world.writes).toBe(writes);
    }),
    { numRuns: 150 },
  );
  expect(carriedOut).toBeGreaterThan(20);
});
