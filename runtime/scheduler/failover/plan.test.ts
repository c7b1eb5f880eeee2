// Failover as stories: test/golden/scheduler/failover.md. It is 12:00.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { parse } from "yaml";
import type { Failover, Move } from "#api/apps/v1alpha1/failover.ts";
import type { ReplicaStatus, Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { Toleration } from "#api/core-types.ts";
import { taints } from "#api/names.ts";
import { statusOf } from "#scheduler/bind.ts";
import type { Decision } from "#scheduler/decision.ts";
import { defaultPlugins, defaultProfile } from "#scheduler/default-plugins.ts";
import type { Plugin } from "#scheduler/plugin.ts";
import { pluginsAtTheirPoints } from "#scheduler/profile.ts";
import { takeSnapshot } from "#scheduler/snapshot.ts";
import { testGolden } from "#test/framework/golden.ts";
import { clustersOf, keyOf, subscriptionOf, type Story } from "#test/framework/scheduler-story.ts";
import { scheduleWithFailover } from "./plan.ts";

interface FailoverStory {
  /** "works", "silent since 11:50", "disks since 11:50" (an administrator's NoExecute taint), "new" (no report yet). */
  readonly clusters: Readonly<Record<string, string>>;
  readonly bound: readonly string[];
  readonly failover?: Failover;
  readonly tolerations?: readonly Toleration[];
  /** A Replication to so many clusters, those that have it first; absent: to all. */
  readonly take?: number;
  /** A Dynamic Dividing of six of one feed: what each bound cluster has now, and how many more each could take. */
  readonly replicas?: readonly number[];
  readonly room?: number;
  readonly moves?: readonly Move[];
  readonly available?: readonly string[];
  /** Numbers of replicas that each bound cluster reports; absent: all are available. */
  readonly reports?: ReplicaStatus;
  readonly fleet?: { readonly held?: string; readonly free?: number; readonly quietBefore?: string };
}

const at = (time: string): number => Date.parse(`2030-01-01T${time}:00Z`);
const NOW = at("12:00");
const feed = { apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name: "web" };
const FEED = "v1/ConfigMap/shop/web";
const DESIRED = 6;

function clusterOf(text: string): NonNullable<Story["clusters"]>[string] {
  const labels = { fleet: "yes" };
  const [what = "", time = ""] = text.split(" since ");
  if (what === "works") return { labels };
  if (what === "new") return { labels, ready: "Unknown" };
  const timeAdded = `2030-01-01T${time}:00Z`;
  if (what !== "silent") return { labels, taints: [{ key: what, effect: "NoExecute", timeAdded }] };
  const taint = { key: taints.unschedulable, value: "ClusterStatusUnknown" };
  const both = [
    { ...taint, effect: "NoSchedule" },
    { ...taint, effect: "NoExecute", timeAdded },
  ];
  return { labels, ready: "Unknown", taints: both };
}

/** Stands for subgroups: those that have it first, then in the order of their keys. */
const takeSome = (count: number): Plugin => ({
  name: "TakeSome",
  assign: ({ candidates }) => {
    const bound = candidates.filter(({ wasBound }) => wasBound);
    const others = candidates.filter(({ wasBound }) => !wasBound).slice(0, Math.max(0, count - bound.length));
    return { type: "assigned", clusters: [...bound, ...others].map(({ cluster }) => cluster.key).toSorted() };
  },
});

const dividing = {
  schedulingStrategy: "Dividing",
  dividingScheduling: { type: "Dynamic", dynamicDividing: { strategy: "Spread" } },
};

function subscriptionFor(story: FailoverStory): Subscription {
  const { bound, failover, tolerations = [], moves = [], available = [], reports, replicas } = story;
  const subscription = subscriptionOf({
    subscription: {
      bound,
      feeds: [feed],
      clusterTolerations: tolerations,
      ...(failover === undefined ? {} : { failover }),
      ...(replicas === undefined ? {} : { ...dividing, replicas: { [FEED]: replicas } }),
    },
  });
  const feedStatusDetails = bound.map((name) => ({
    clusterId: name,
    available: available.includes(name),
    replicaStatus: reports ?? { availableReplicas: DESIRED },
  }));
  const status = { ...subscription.status, aggregatedStatuses: [{ ...feed, feedStatusDetails }] };
  return { ...subscription, status: moves.length === 0 ? status : { ...status, failover: moves } };
}

function decide(story: FailoverStory): { readonly subscription: Subscription; readonly decision: Decision } {
  const subscription = subscriptionFor(story);
  const { take, replicas, room = DESIRED, fleet = {} } = story;
  const special = take === undefined ? [] : [takeSome(take)];
  const clusters = Object.fromEntries(Object.entries(story.clusters).map(([name, text]) => [name, clusterOf(text)]));
  const { held, free = 10, quietBefore = "00:00" } = fleet;
  const decision = scheduleWithFailover(subscription, {
    snapshot: takeSnapshot(clustersOf({ clusters, subscription: {} })),
    profile: { ...defaultProfile("default"), plugins: pluginsAtTheirPoints([...special, ...defaultPlugins]) },
    needs: replicas === undefined ? [] : [{ feed: FEED, desiredReplicas: DESIRED }],
    capacities: { of: () => ({ type: "fits", replicas: room }) },
    now: NOW,
    fleet: { notBefore: at(quietBefore), free, nextAt: free > 0 ? NOW : NOW + 20_000, ...(held === undefined ? {} : { held }) },
  });
  return { subscription, decision };
}

testGolden("scheduler/failover.md", (lines) => {
  const { subscription, decision } = decide(parse(lines.join("\n")) as FailoverStory);
  if (decision.type !== "bound") return [`${decision.type}: ${decision.message}`];
  const { failover, clusters, replicas } = decision;
  const shares = replicas?.[FEED];
  const bound = clusters.map((key, index) => `${key}${shares === undefined ? "" : `=${String(shares[index])}`}`);
  const verdicts = decision.verdicts
    .filter(({ verdict }) => verdict.type !== "keep" || verdict.despite !== undefined)
    .map(({ cluster, verdict }) => {
      const despite = verdict.type === "keep" && verdict.despite !== undefined ? `, although ${verdict.despite}` : "";
      return `${cluster} ${verdict.type}: ${verdict.reason}${despite}`;
    });
  const status = statusOf(subscription, decision, NOW);
  const condition = status.conditions?.find(({ type }) => type === "Failover");
  const later = failover?.lookAgainAt === undefined ? [] : [`look again after ${String((failover.lookAgainAt - NOW) / 1_000)} s`];
  const moves = (status.failover ?? []).map(({ cluster, phase, to = [] }) => `${cluster} ${phase} ${to.join(" ")}`.trim());
  return [
    ...verdicts,
    `bound to ${bound.length === 0 ? "nothing" : bound.join(" ")}`,
    ...(moves.length === 0 ? [] : [`moves: ${moves.join(", ")}`]),
    ...(condition === undefined ? [] : [`Failover=${condition.status} ${condition.reason}: ${condition.message}`]),
    ...later,
    ...(failover?.events ?? []).map(({ type, message }) => `${type} Event: ${message}`),
  ];
});

test("whatever happens to clusters, nothing leaves a Subscription that does not declare failover, or while the fleet is held (FOV-1, FOV-2)", () => {
  const state = fc.constantFrom("works", "silent since 01:00", "silent since 11:59", "disks since 02:00", "new");
  const names = ["a", "b", "c", "d"];
  fc.assert(
    fc.property(fc.array(state, { minLength: 4, maxLength: 4 }), fc.subarray(names), fc.boolean(), (states, bound, declares) => {
      const clusters = Object.fromEntries(names.map((name, index) => [name, states[index] ?? "works"]));
      const failover: Failover = { enabled: true, eviction: "Immediate", withoutReplacement: "Unbind" };
      const { decision } = decide({ clusters, bound, ...(declares ? { failover, fleet: { held: "many are silent" } } : {}) });
      if (decision.type !== "bound") throw new Error("refused");
      expect(bound.map(keyOf).filter((key) => !decision.clusters.includes(key))).toEqual([]);
      expect(decision.failover?.started ?? 0).toBe(0);
    }),
  );
});

test("a decision repeated with what it wrote changes nothing more, so it costs no write", () => {
  const story: FailoverStory = {
    clusters: { paris: "silent since 11:50", oslo: "works", rome: "silent since 11:58" },
    bound: ["paris", "rome"],
    take: 2,
    failover: { enabled: true },
  };
  const first = decide(story);
  const written = statusOf(first.subscription, first.decision, NOW);
  const again: FailoverStory = {
    ...story,
    bound: (written.bindingClusters ?? []).map((key) => key.split("/")[0] ?? ""),
    moves: written.failover ?? [],
  };
  const second = decide(again);
  const status = { ...second.subscription.status, ...written };
  const { decision } = second;
  expect(statusOf({ ...second.subscription, status } as Subscription, decision, NOW + 1_000)).toEqual(written);
  expect(decision.type === "bound" ? decision.failover?.events : undefined).toEqual([]);
});
