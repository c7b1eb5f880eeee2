// Decisions as stories: test/golden/scheduler/replication.md.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { parse } from "yaml";
import { statusOf } from "#scheduler/bind.ts";
import { defaultProfile } from "#scheduler/default-plugins.ts";
import { schedule } from "#scheduler/schedule.ts";
import { takeSnapshot } from "#scheduler/snapshot.ts";
import { testGolden } from "#test/framework/golden.ts";
import { clustersOf, keyOf, subscriptionOf, type Story } from "#test/framework/scheduler-story.ts";

testGolden("scheduler/replication.md", (lines) => {
  const story = parse(lines.join("\n")) as Story;
  const subscription = subscriptionOf(story);
  const existing = (story.existing ?? []).map(keyOf);
  const decision = schedule(subscription, {
    snapshot: takeSnapshot(clustersOf(story)),
    profile: defaultProfile("default"),
    existing,
  });
  const condition = statusOf(subscription, decision, 0).conditions?.[0];
  const said = `Scheduled=${String(condition?.status)} ${String(condition?.reason)}: ${String(condition?.message)}`;
  if (decision.type !== "bound") return ["bindings stay as they are", said];
  const verdicts = decision.verdicts.map(({ cluster, verdict }) => {
    const by = verdict.type === "reject" ? ` by ${verdict.plugin}` : "";
    const despite = verdict.type === "keep" && verdict.despite !== undefined ? `, although ${verdict.despite}` : "";
    return `${cluster} ${verdict.type}${by}: ${verdict.reason}${despite}`;
  });
  return [...verdicts, `bound to ${decision.clusters.length === 0 ? "nothing" : decision.clusters.join(" ")}`, said];
});

test("a fleet in which each cluster has a taint of its own is told in a few words", () => {
  const names = Array.from({ length: 1_000 }, (_, index) => `c${String(index)}`);
  const taintOf = (value: string): object => ({
    labels: { fleet: "yes" },
    taints: [{ key: "for", value, effect: "NoSchedule" }],
  });
  const clusters = Object.fromEntries(names.map((name, index) => [name, taintOf(index < 3 ? "all" : name)]));
  const story: Story = { clusters, subscription: {} };
  const decision = schedule(subscriptionOf(story), {
    snapshot: takeSnapshot(clustersOf(story)),
    profile: defaultProfile("default"),
  });
  const [condition] = statusOf(subscriptionOf(story), decision, 0).conditions ?? [];
  expect(condition?.message).toMatch(/^0\/1000 clusters are available: .*3 taint for=all:NoSchedule .*, and 978 more reasons$/);
});

test("a feed that is named twice takes no room twice", () => {
  const feed = { apiVersion: "apps/v1", kind: "Deployment", name: "web" };
  const dividingScheduling = { type: "Dynamic", dynamicDividing: { strategy: "Spread" } };
  const story: Story = {
    clusters: { oslo: { labels: { fleet: "yes" } } },
    subscription: { schedulingStrategy: "Dividing", dividingScheduling, feeds: [feed, feed] },
  };
  const need = { feed: "apps/v1/Deployment/web", desiredReplicas: 6 };
  const decision = schedule(subscriptionOf(story), {
    snapshot: takeSnapshot(clustersOf(story)),
    profile: defaultProfile("default"),
    needs: [need, need],
    capacities: { of: () => ({ type: "fits", replicas: 10 }) },
  });
  expect(decision).toMatchObject({ replicas: { [need.feed]: [6] } });
  expect(decision).not.toHaveProperty("shortfall");
});

test("a decision does not depend on the order in which clusters arrived, and silence never unbinds", () => {
  const cluster = fc.record({
    labels: fc.constantFrom({ fleet: "yes" }, { fleet: "no" }),
    ready: fc.constantFrom("True", "False", "Unknown"),
    taints: fc.constantFrom([], [{ key: "k", effect: "NoSchedule" }], [{ key: "k", effect: "NoExecute" }]),
  });
  const names = ["a", "b", "c", "d"];
  fc.assert(
    fc.property(
      fc.array(cluster, { minLength: 4, maxLength: 4 }),
      fc.subarray(names),
      fc.shuffledSubarray(names, { minLength: 4 }),
      (worlds, bound, order) => {
        const clusters = Object.fromEntries(names.map((name, index) => [name, worlds[index]!]));
        const story: Story = { clusters, subscription: { bound } };
        const shuffled: Story = { ...story, clusters: Object.fromEntries(order.map((name) => [name, clusters[name]!])) };
        const decide = (which: Story): ReturnType<typeof schedule> =>
          schedule(subscriptionOf(which), { snapshot: takeSnapshot(clustersOf(which)), profile: defaultProfile("default") });
        const decision = decide(story);
        expect(decide(shuffled)).toEqual(decision);
        if (decision.type !== "bound") throw new Error("refused");
        for (const name of bound) {
          const isSelected = clusters[name]?.labels.fleet === "yes";
          expect(decision.clusters.includes(`${name}/${name}`)).toBe(isSelected);
        }
      },
    ),
  );
});
