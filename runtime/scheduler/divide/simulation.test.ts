// A fleet lives: clusters join, leave, fall silent, fill up and grow, totals and weights change. After every step what was decided is checked.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { CapacityAnswer } from "#scheduler/capacity.ts";
import type { BoundDecision, Decision } from "#scheduler/decision.ts";
import { defaultProfile } from "#scheduler/default-plugins.ts";
import { schedule } from "#scheduler/schedule.ts";
import { takeSnapshot } from "#scheduler/snapshot.ts";
import { clustersOf, subscriptionOf } from "#test/framework/scheduler-story.ts";
import { sum } from "./apportion.ts";

const names = ["a", "b", "c", "d", "e"] as const;
type Name = (typeof names)[number];
const FEED = "apps/v1/Deployment/web";

interface World {
  readonly clusters: ReadonlyMap<Name, { readonly ready: "True" | "Unknown"; readonly size: number }>;
  readonly desired: number;
  readonly weights: Readonly<Record<Name, number>>;
  readonly status: NonNullable<Subscription["status"]>;
}

type Step =
  | { readonly type: "join" | "leave" | "silent" | "back"; readonly name: Name }
  | { readonly type: "size" | "weight"; readonly name: Name; readonly to: number }
  | { readonly type: "total"; readonly to: number };

const name = fc.constantFrom(...names);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ type: fc.constantFrom("join", "leave", "silent", "back"), name }),
  fc.record({ type: fc.constantFrom("size", "weight"), name, to: fc.nat({ max: 12 }) }),
  fc.record({ type: fc.constant("total"), to: fc.nat({ max: 40 }) }),
);

const start: World = {
  clusters: new Map([["a", { ready: "True", size: 10 }]]),
  desired: 6,
  weights: { a: 1, b: 1, c: 2, d: 3, e: 0 },
  status: {},
};

function after(world: World, change: Step): World {
  const clusters = new Map(world.clusters);
  if (change.type === "total") return { ...world, desired: change.to };
  const own = clusters.get(change.name) ?? { ready: "True", size: 8 };
  switch (change.type) {
    case "leave":
      clusters.delete(change.name);
      break;
    case "join":
    case "back":
      clusters.set(change.name, { ...own, ready: "True" });
      break;
    case "silent":
      if (clusters.has(change.name)) clusters.set(change.name, { ...own, ready: "Unknown" });
      break;
    case "size":
      if (clusters.has(change.name)) clusters.set(change.name, { ...own, size: change.to });
      break;
    case "weight":
      return { ...world, weights: { ...world.weights, [change.name]: change.to } };
  }
  return { ...world, clusters };
}

const given = ({ bindingClusters = [], replicas = {} }: World["status"], key: string): number =>
  replicas[FEED]?.[bindingClusters.indexOf(key)] ?? 0;

function roomOf({ clusters, status }: World, key: string): CapacityAnswer {
  const { ready, size } = clusters.get(key.slice(0, 1) as Name) ?? { ready: "Unknown", size: 0 };
  if (ready === "Unknown") return { type: "silent", reason: "no answer in time" };
  return { type: "fits", replicas: Math.max(0, size - given(status, key)) };
}

function decide(world: World, dividingScheduling: object): Decision {
  const clusters = Object.fromEntries([...world.clusters].map(([each, { ready }]) => [each, { labels: { name: each }, ready }]));
  const subscribers = names.map((each) => ({ clusterAffinity: { matchLabels: { name: each } }, weight: world.weights[each] }));
  const feeds = [{ apiVersion: "apps/v1", kind: "Deployment", name: "web" }];
  const spec = { schedulingStrategy: "Dividing", dividingScheduling, subscribers, feeds };
  const subscription = { ...subscriptionOf({ subscription: { ...spec, bound: "unknown" } }), status: world.status };
  return schedule(subscription, {
    snapshot: takeSnapshot(clustersOf({ clusters, subscription: {} })),
    profile: defaultProfile("default"),
    needs: [{ feed: FEED, desiredReplicas: world.desired }],
    capacities: { of: (cluster) => roomOf(world, cluster) },
  });
}

function check(world: World, { clusters, replicas, divisions = [], shortfall }: BoundDecision): void {
  const shares = replicas?.[FEED] ?? [];
  const { bindingClusters: before = [] } = world.status;
  const isThere = (key: string): boolean => world.clusters.has(key.slice(0, 1) as Name);
  expect(shares).toHaveLength(clusters.length);
  expect(sum(shares)).toBe(divisions[0]?.placed);
  expect(sum(shares)).toBeLessThanOrEqual(world.desired);
  if (clusters.length > 0 && sum(shares) < world.desired) expect(shortfall?.reason).toBe("ReplicasNotPlaced");
  // Nobody is bound twice, and nobody is let go but who left.
  expect(new Set(clusters).size).toBe(clusters.length);
  expect(before.filter((key) => isThere(key) && !clusters.includes(key))).toEqual([]);
  const running = sum(before.filter(isThere).map((key) => given(world.status, key)));
  for (const [index, key] of clusters.entries()) {
    const isSilent = world.clusters.get(key.slice(0, 1) as Name)?.ready === "Unknown";
    const hadWeight = world.weights[key.slice(0, 1) as Name] > 0;
    if (isSilent && world.desired >= running && hadWeight) expect(shares[index]).toBe(given(world.status, key));
  }
}

const strategies = [
  { it: "by weight", dividing: { type: "Static" }, isByCapacity: false },
  { it: "by capacity, spread", dividing: { type: "Dynamic", dynamicDividing: { strategy: "Spread" } }, isByCapacity: true },
  { it: "by capacity, packed", dividing: { type: "Dynamic", dynamicDividing: { strategy: "Binpack" } }, isByCapacity: true },
];

test.each(strategies)(
  "a fleet that is divided $it: every replica has its place or a reason, and silence moves nothing",
  (one) => {
    const live = (steps: readonly Step[]): readonly World["status"][] => {
      let world = start;
      return [{ type: "total", to: start.desired } as const, ...steps].map((change) => {
        world = after(world, change);
        const decision = decide(world, one.dividing);
        if (decision.type !== "bound") return world.status;
        check(world, decision);
        const status = { bindingClusters: decision.clusters, replicas: decision.replicas ?? {} };
        if (one.isByCapacity) {
          for (const key of decision.clusters) {
            const room = roomOf(world, key);
            const most = given(world.status, key) + (room.type === "fits" ? room.replicas : 0);
            expect(given(status, key)).toBeLessThanOrEqual(most);
          }
        }
        world = { ...world, status };
        // Decided again, nothing changes.
        expect(decide(world, one.dividing)).toMatchObject({ clusters: decision.clusters, replicas: status.replicas });
        return status;
      });
    };
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        expect(live(steps)).toEqual(live(steps));
      }),
    );
  },
);
