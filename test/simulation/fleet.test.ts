// A seeded fleet: clusters join, fall silent, come back, are emptied, tainted and deleted; Subscriptions scale and change; the network parts.
// One is more important than the others and takes room from them; some are rebalanced by a policy.
// After every step the rules of scheduling must hold, and the same seed must give the same history. A failure names its seed and step.

import { expect, test } from "@jest/globals";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { Taint } from "#api/core-types.ts";
import { taints } from "#api/names.ts";
import { rfc3339 } from "#kube/conditions.ts";
import { keyTextOf } from "#kube/object.ts";
import { statusOf } from "#scheduler/bind.ts";
import type { Capacities } from "#scheduler/capacity.ts";
import type { BoundDecision } from "#scheduler/decision.ts";
import { defaultProfile } from "#scheduler/default-plugins.ts";
import { createGuardedScheduling } from "#scheduler/failover/guarded.ts";
import type { FeedNeed } from "#scheduler/plugin.ts";
import { createPreemptingScheduling, type PreemptingScheduling } from "#scheduler/preempt/preempting.ts";
import { replicasOf } from "#scheduler/preempt/report.ts";
import { rebalanceOf } from "#scheduler/rebalance/settings.ts";
import { takeSnapshot } from "#scheduler/snapshot.ts";
import { deepEqual } from "#std/canonical-json.ts";
import { createMetrics } from "#std/metrics.ts";
import { createFakeClock, type FakeClock } from "#test/framework/fake-clock.ts";

const SEEDS = Number(process.env["SIMULATION_SEEDS"] ?? 5);
const STEPS = 60;
const STEP_SECONDS_MAX = 240;
/** Silence becomes a taint after that. */
const GRACE_MS = 60_000;
const TOLERATION_SECONDS = 300;
const SILENT_PERCENT_MAX = 50;
const SILENT_CLUSTERS_MIN = 3;
const PREEMPTIONS_PER_MINUTE = 12;
/** Who gives room is decided again at once, and so may be who gets it. */
const ROUNDS_MAX = 3;
const FEED = "apps/v1/Deployment/shop/web";
const NAMES = ["athens", "bern", "cairo", "delhi", "essen", "fes", "genoa", "hanoi"] as const;

interface Place {
  readonly name: string;
  labels: Readonly<Record<string, string>>;
  /** Replicas that it takes in all. */
  slots: number;
  silentSince: number | undefined;
  own: readonly Taint[];
}

interface App {
  subscription: Subscription;
  desired: number;
}

interface World {
  readonly random: () => number;
  readonly clock: FakeClock;
  readonly places: Map<string, Place>;
  readonly apps: readonly App[];
  readonly history: string[];
  /** Replicas that were asked for from lower priorities, and when. */
  readonly asked: { readonly at: number; readonly replicas: number }[];
}

/** A small generator with a state of 32 bits (mulberry32). */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const pick = <T>({ random }: World, from: readonly T[]): T | undefined => from[Math.floor(random() * from.length)];
const upTo = ({ random }: World, most: number): number => Math.floor(random() * (most + 1));

// What happens.

type Happening = (world: World) => string | undefined;

const happenings: readonly Happening[] = [
  (world) => {
    const free = NAMES.filter((name) => !world.places.has(name));
    const name = pick(world, free);
    if (name === undefined) return undefined;
    const labels = { fleet: "yes", kind: world.random() < 0.5 ? "large" : "small" };
    world.places.set(name, { name, labels, slots: 5 + upTo(world, 40), silentSince: undefined, own: [] });
    return `${name} joins`;
  },
  change((place, { clock }) => {
    if (place.silentSince !== undefined) return undefined;
    place.silentSince = clock.now();
    return "falls silent";
  }),
  change((place) => {
    if (place.silentSince === undefined) return undefined;
    place.silentSince = undefined;
    return "answers again";
  }),
  change((place, world) => {
    place.slots = upTo(world, 50);
    return `has ${String(place.slots)} slots`;
  }),
  change((place) => {
    place.own = place.own.length > 0 ? [] : [{ key: "maintenance", effect: "NoSchedule" }];
    return place.own.length > 0 ? "is tainted" : "is not tainted any more";
  }),
  change((place) => {
    place.own = place.own.length > 0 ? [] : [{ key: "small", effect: "PreferNoSchedule" }];
    return place.own.length > 0 ? "is avoided" : "is not avoided any more";
  }),
  change((place, world) => {
    if (world.random() < 0.7) return undefined;
    place.labels = { ...place.labels, fleet: place.labels["fleet"] === "yes" ? "no" : "yes" };
    return `has the label fleet=${place.labels["fleet"] ?? ""}`;
  }),
  change((place, world) => {
    if (world.random() < 0.8) return undefined;
    world.places.delete(place.name);
    return "is deleted";
  }),
  (world) => {
    const app = pick(world, world.apps);
    if (app === undefined) return undefined;
    app.desired = upTo(world, 60);
    return `${app.subscription.metadata.name} wants ${String(app.desired)}`;
  },
  (world) => {
    for (const place of world.places.values()) if (world.random() < 0.7) place.silentSince ??= world.clock.now();
    return "the network parts";
  },
  (world) => {
    if (world.random() < 0.6) return undefined;
    for (const place of world.places.values()) place.silentSince = undefined;
    return "everybody answers";
  },
];

function change(what: (place: Place, world: World) => string | undefined): Happening {
  return (world) => {
    const place = pick(world, [...world.places.values()]);
    const said = place === undefined ? undefined : what(place, world);
    return said === undefined ? undefined : `${place?.name ?? ""} ${said}`;
  };
}

// What the scheduler sees.

function managedClusters({ places, clock }: World): readonly ManagedCluster[] {
  return [...places.values()].map(({ name, labels, silentSince, own }) => {
    const taintedAt = silentSince === undefined ? undefined : silentSince + GRACE_MS;
    const isSilent = taintedAt !== undefined && taintedAt <= clock.now();
    const unschedulable = { key: taints.unschedulable, value: "ClusterStatusUnknown" };
    const health: readonly Taint[] = isSilent
      ? [
          { ...unschedulable, effect: "NoSchedule" },
          { ...unschedulable, effect: "NoExecute", timeAdded: rfc3339(taintedAt) },
        ]
      : [];
    const status = isSilent ? "Unknown" : "True";
    const condition = { type: "Ready", status, reason: "R", message: "", lastTransitionTime: rfc3339(0) };
    return {
      apiVersion: "clusters.clusternet.io/v1beta1",
      kind: "ManagedCluster",
      metadata: { namespace: name, name, labels },
      spec: { clusterId: name, syncMode: "Pull", taints: [...own, ...health] },
      status: { conditions: [condition] },
    } as unknown as ManagedCluster;
  });
}

/** Silence shorter than the grace is not known to anybody. */
function isKnownSilent({ clock }: World, { silentSince }: Place): boolean {
  return silentSince !== undefined && silentSince + GRACE_MS <= clock.now();
}

const keyOf = (name: string): string => `${name}/${name}`;

function sharesOf({ status }: Subscription): ReadonlyMap<string, number> {
  const shares = status?.replicas?.[FEED] ?? [];
  return new Map((status?.bindingClusters ?? []).map((cluster, index) => [cluster, shares[index] ?? 0]));
}

/** Who is silent says nothing; the others have what all Subscriptions leave them, less what is being freed for who is more important. */
function capacitiesOf({ places, apps }: World, { subscription: asker }: App, { heldAgainst }: PreemptingScheduling): Capacities {
  const who = { key: keyTextOf(asker), priority: asker.spec.priority ?? 0 };
  const held = (key: string): number => heldAgainst(who, key).reduce((all, { replicas }) => all + replicas, 0);
  const used = (key: string): number => apps.reduce((all, { subscription }) => all + (sharesOf(subscription).get(key) ?? 0), 0);
  const answers = new Map(
    [...places.values()].map(({ name, slots, silentSince }) => [
      keyOf(name),
      silentSince === undefined
        ? ({ type: "fits", replicas: Math.max(0, slots - used(keyOf(name)) - held(keyOf(name))) } as const)
        : ({ type: "silent", reason: "no answer" } as const),
    ]),
  );
  return { of: (cluster) => answers.get(cluster) };
}

/** As a child reports: what was bound before this moment is available where somebody answers. */
function reported({ subscription }: App, { places }: World): Subscription {
  const shares = sharesOf(subscription);
  const feedStatusDetails = [...shares].map(([cluster, replicas]) => {
    const [name = ""] = cluster.split("/", 1);
    return {
      clusterId: name,
      available: places.get(name)?.silentSince === undefined,
      replicaStatus: { availableReplicas: replicas },
    };
  });
  const feed = subscription.spec.feeds[0];
  if (feed === undefined || subscription.status === undefined) return subscription;
  return { ...subscription, status: { ...subscription.status, aggregatedStatuses: [{ ...feed, feedStatusDetails }] } };
}

function appOf(name: string, spec: object): App {
  return {
    desired: 10,
    subscription: {
      apiVersion: "apps.clusternet.io/v1alpha1",
      kind: "Subscription",
      metadata: { namespace: "shop", name, generation: 1 },
      spec: {
        schedulerName: "default",
        schedulingStrategy: "Replication",
        preemptionPolicy: "PreemptNever",
        subscribers: [
          { clusterAffinity: { matchLabels: { fleet: "yes", kind: "large" } }, weight: 2 },
          { clusterAffinity: { matchLabels: { fleet: "yes" } }, weight: 1 },
        ],
        feeds: [{ apiVersion: "apps/v1", kind: "Deployment", namespace: "shop", name: "web" }],
        ...spec,
      },
    } as unknown as Subscription,
  };
}

const failover = { enabled: true, tolerationSeconds: TOLERATION_SECONDS };
const dynamic = (strategy: string): object => ({
  schedulingStrategy: "Dividing",
  dividingScheduling: { type: "Dynamic", dynamicDividing: { strategy } },
});
const byWeight = { schedulingStrategy: "Dividing", dividingScheduling: { type: "Static" } };

const evenedOut = { policy: "CarryOut", intervalSeconds: 600, shownForSeconds: 120, minMovePercent: 1 };
const inOneGroup = {
  schedulingBySubGroup: true,
  subscribers: [{ clusterAffinity: { matchLabels: { fleet: "yes" } }, weight: 1, subGroupStrategy: { minClusters: 2 } }],
};

function createWorld(seed: number): World {
  return {
    random: generator(seed),
    clock: createFakeClock(),
    places: new Map(),
    apps: [
      appOf("everywhere", {}),
      appOf("by-weight", byWeight),
      appOf("spread", dynamic("Spread")),
      appOf("packed", dynamic("Binpack")),
      appOf("spread-moves", { ...dynamic("Spread"), failover }),
      appOf("by-weight-moves", { ...byWeight, failover }),
      appOf("urgent", { ...dynamic("Spread"), priority: 100, preemptionPolicy: "PreemptLowerPriority" }),
      appOf("evened", { ...dynamic("Spread"), rebalance: evenedOut }),
      appOf("shown", { ...dynamic("Binpack"), rebalance: { ...evenedOut, policy: "Show" } }),
      appOf("grouped", { ...byWeight, ...inOneGroup, rebalance: evenedOut }),
    ],
    history: [],
    asked: [],
  };
}

// What must hold. Thousands of times in a history, so no `expect`: it would take longer than the decisions.

interface Looked {
  readonly world: World;
  readonly app: App;
  readonly before: Subscription;
  readonly decision: BoundDecision;
  readonly capacities: Capacities;
}

function must(isSo: boolean, what: string, seen: unknown): void {
  if (!isSo) throw new Error(`${what}: ${JSON.stringify(seen)}`);
}

function check(looked: Looked): void {
  mustBeConsistent(looked);
  mustLoseNothingBySilence(looked);
  mustRespectRoom(looked);
  mustNotEvictWhileMostAreSilent(looked);
  mustPreemptOnlyWhatItMay(looked);
  mustRebalanceGently(looked);
}

function mustBeConsistent({ app: { subscription, desired }, decision }: Looked): void {
  const { bindingClusters = [], replicas } = subscription.status ?? {};
  must(deepEqual([...new Set(bindingClusters)].toSorted(), bindingClusters), "bound once each, ascending", bindingClusters);
  if (subscription.spec.schedulingStrategy !== "Dividing") return;
  const shares = replicas?.[FEED] ?? [];
  must(shares.length === bindingClusters.length, "a share for each cluster", { shares, bindingClusters });
  const placed = shares.reduce((all, share) => all + share, 0);
  const isExplained = decision.shortfall !== undefined || bindingClusters.length === 0;
  must(placed >= desired || isExplained, "what is not placed has a reason", { placed, desired });
  // While work moves there may be two copies of some of it.
  if (subscription.spec.failover !== undefined) return;
  must(placed <= desired, "not more than is wanted", { placed, desired });
}

/** Off by default: then only a live edit ends a binding or takes replicas away. */
function mustLoseNothingBySilence({ world, app: { subscription, desired }, before, decision }: Looked): void {
  const was = sharesOf(before);
  const is = sharesOf(subscription);
  const running = [...was.values()].reduce((all, share) => all + share, 0);
  for (const [cluster, share] of was) {
    const place = world.places.get(cluster.split("/", 1)[0] ?? "");
    if (place?.labels["fleet"] !== "yes") continue;
    if (subscription.spec.failover === undefined) {
      const isReplaced = (decision.rebalance?.stated?.status.replacements ?? []).some(
        ({ from, phase }) => from === cluster && phase === "Done",
      );
      if (isReplaced) must(!isKnownSilent(world, place), "no rebalance leaves who is silent", cluster);
      if (isReplaced) continue;
      must(is.has(cluster), "only a live edit unbinds", cluster);
      const isKept = !isKnownSilent(world, place) || running > desired || (is.get(cluster) ?? 0) >= share;
      must(isKept, "who is silent keeps its replicas", { cluster, share, now: is.get(cluster) });
    } else if (!is.has(cluster) && place.silentSince !== undefined) {
      // Else it works, and gives back what it took over.
      const silentForMs = world.clock.now() - place.silentSince;
      must(silentForMs >= GRACE_MS + TOLERATION_SECONDS * 1_000, "failover waits as long as is tolerated", {
        cluster,
        silentForMs,
      });
    }
  }
}

function mustRespectRoom({ app: { subscription }, before, capacities }: Looked): void {
  if (subscription.spec.dividingScheduling?.type !== "Dynamic") return;
  const was = sharesOf(before);
  for (const [cluster, share] of sharesOf(subscription)) {
    const more = share - (was.get(cluster) ?? 0);
    const answer = capacities.of(cluster, FEED);
    const room = answer?.type === "fits" ? answer.replicas : 0;
    must(more <= room, "nobody gets more than fits", { cluster, more, answer });
  }
}

/** Then it is our network, not theirs. */
function mustNotEvictWhileMostAreSilent({ world, decision }: Looked): void {
  if ((decision.failover?.started ?? 0) === 0) return;
  const silent = [...world.places.values()].filter((place) => isKnownSilent(world, place)).length;
  const isHeld = silent >= SILENT_CLUSTERS_MIN && silent * 100 > SILENT_PERCENT_MAX * world.places.size;
  must(!isHeld, "no eviction while most are silent", { silent, of: world.places.size });
}

/** Strictly less important, divided by capacity, answering; and all together no more than a minute's worth. */
function mustPreemptOnlyWhatItMay({ world, app: { subscription }, decision }: Looked): void {
  const { priority = 0, dividingScheduling } = subscription.spec;
  for (const { cluster, given } of (decision.divisions ?? []).flatMap(({ shares }) => shares)) {
    if (given === undefined) continue;
    const place = world.places.get(cluster.split("/", 1)[0] ?? "");
    const mayBe = priority < 100 && dividingScheduling?.type === "Dynamic" && place?.silentSince === undefined;
    must(mayBe, "only lower priorities give, where somebody answers", { name: subscription.metadata.name, cluster, given });
  }
  if (decision.preemption?.isNew !== true || decision.preemption.waitsFor === undefined) return;
  const now = world.clock.now();
  world.asked.push({ at: now, replicas: replicasOf(decision.preemption.waitsFor) });
  const lately = world.asked.filter(({ at }) => at > now - 60_000).reduce((all, { replicas }) => all + replicas, 0);
  must(lately <= PREEMPTIONS_PER_MINUTE, "the budget of a minute holds", { lately });
}

/** A step moves little, keeps the sum, and touches nobody who is silent or tainted; who only shows moves nothing. */
function mustRebalanceGently({ world, app: { subscription }, before, decision }: Looked): void {
  const { moved = 0 } = decision.rebalance ?? {};
  if (moved === 0) return;
  const { policy, maxMovePercent } = rebalanceOf(subscription);
  must(policy === "CarryOut", "only CarryOut moves by itself", { policy, moved });
  const [was, is] = [sharesOf(before), sharesOf(subscription)];
  const sumOf = (shares: ReadonlyMap<string, number>): number => [...shares.values()].reduce((all, each) => all + each, 0);
  must(sumOf(was) === sumOf(is), "a step keeps the sum", { was: sumOf(was), is: sumOf(is) });
  must(moved <= Math.max(1, (sumOf(was) * maxMovePercent) / 100), "a step moves little", { moved, of: sumOf(was) });
  for (const cluster of new Set([...was.keys(), ...is.keys()])) {
    if (was.get(cluster) === is.get(cluster) || (was.get(cluster) ?? 0) + (is.get(cluster) ?? 0) === 0) continue;
    const place = world.places.get(cluster.split("/", 1)[0] ?? "");
    const isWell =
      place !== undefined && !isKnownSilent(world, place) && !place.own.some(({ effect }) => effect === "NoSchedule");
    must(isWell, "nobody who is silent or tainted gives or gets", { cluster, place });
  }
}

// One history.

async function simulate(seed: number): Promise<readonly string[]> {
  const world = createWorld(seed);
  const { clock, apps, history } = world;
  const woken = new Set<string>();
  const scheduling = createPreemptingScheduling({
    scheduling: createGuardedScheduling(
      { evictionsPerMinute: 10, silentPercentMax: SILENT_PERCENT_MAX, silentClustersMin: SILENT_CLUSTERS_MIN },
      clock,
    ),
    replicasPerMinute: PREEMPTIONS_PER_MINUTE,
    clock,
    metrics: createMetrics(),
    subscriptions: () => apps.map(({ subscription }) => subscription),
    needsOf: (key) => apps.filter(({ subscription }) => keyTextOf(subscription) === key).flatMap(needsOf),
    wake: (key) => void woken.add(key),
  });
  scheduling.start(managedClusters(world));
  const profile = defaultProfile("default");
  const decide = (app: App, capacities: Capacities): BoundDecision | undefined => {
    const snapshot = takeSnapshot(managedClusters(world));
    const decision = scheduling.schedule(app.subscription, { snapshot, profile, needs: needsOf(app), capacities });
    const status = statusOf(app.subscription, decision, clock.now());
    const previous = app.subscription;
    app.subscription = { ...previous, status: { ...previous.status, ...status } as Subscription["status"] & object };
    scheduling.onSubscription({ type: "updated", object: app.subscription, previous });
    scheduling.carriedOut?.(decision);
    return decision.type === "bound" ? decision : undefined;
  };
  const turn = (app: App): void => {
    app.subscription = reported(app, world);
    const before = app.subscription;
    const capacities = capacitiesOf(world, app, scheduling);
    const decision = decide(app, capacities);
    history.push(told(app, decision));
    if (decision === undefined) return;
    check({ world, app, before, decision, capacities });
    if (isUnderWay(app, decision)) return;
    const settled = app.subscription.status;
    decide(app, capacitiesOf(world, app, scheduling));
    const now = app.subscription.status;
    must(deepEqual(now?.bindingClusters, settled?.bindingClusters), "nothing changed, nothing moves", { settled, now });
    const isSame = decision.shortfall !== undefined || deepEqual(now?.replicas, settled?.replicas);
    must(isSame, "nothing changed, no share changes", { settled, now });
  };
  for (let step = 0; step < STEPS; step += 1) {
    await clock.advance(1_000 * (1 + upTo(world, STEP_SECONDS_MAX)));
    history.push(pick(world, happenings)?.(world) ?? "nothing");
    scheduling.observe(managedClusters(world));
    for (const app of apps) turn(app);
    for (let round = 0; round < ROUNDS_MAX && woken.size > 0; round += 1) {
      const keys = [...woken];
      woken.clear();
      for (const app of apps) if (keys.includes(keyTextOf(app.subscription))) turn(app);
    }
  }
  return history;
}

function needsOf({ desired }: App): readonly FeedNeed[] {
  return [{ feed: FEED, desiredReplicas: desired }];
}

/** By itself it goes on: failover as soon as its replacement answers, a plan that has been shown, room that is being freed. */
function isUnderWay({ subscription }: App, { failover, rebalance, preemption }: BoundDecision): boolean {
  const isRebalancing = rebalance !== undefined || subscription.status?.rebalance?.phase === "CarryingOut";
  return failover !== undefined || isRebalancing || preemption !== undefined;
}

function told({ subscription }: App, decision: BoundDecision | undefined): string {
  const shares = [...sharesOf(subscription)].map((pair) => pair.join("="));
  const { preemption, rebalance } = decision ?? {};
  const asks =
    preemption?.isNew === true && preemption.waitsFor !== undefined
      ? [`asks for ${String(replicasOf(preemption.waitsFor))}`]
      : [];
  const moves = (rebalance?.moved ?? 0) > 0 ? [`moves ${String(rebalance?.moved)}`] : [];
  return `${subscription.metadata.name}: ${[...shares, ...asks, ...moves].join(" ")}`;
}

const seen: string[] = [];
/** Seconds of computing, on a machine that does other things too. */
const FLEET_MS_MAX = 180_000;

test.each(Array.from({ length: SEEDS }, (_, seed) => seed))(
  "the rules hold in every step of fleet %i",
  async (seed) => {
    for (const line of await simulate(seed)) seen.push(line);
  },
  FLEET_MS_MAX,
);

test(
  "the same seed gives the same history, another seed another one",
  async () => {
    const [first, again, other] = await Promise.all([simulate(7), simulate(7), simulate(8)]);
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
    // Something happens in it.
    expect(new Set(first).size).toBeGreaterThan(STEPS);
  },
  FLEET_MS_MAX,
);

test("in these fleets somebody takes room, and somebody is rebalanced, by capacity and by weight", () => {
  for (const line of [/^urgent:.* asks for/, /^evened:.* moves/, /^grouped:.* moves/])
    expect([line, seen.some((each) => line.test(each))]).toEqual([line, true]);
});
