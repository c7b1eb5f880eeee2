// Dividing as stories: test/golden/scheduler/divide-*.md.

import { parse } from "yaml";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { statusOf } from "#scheduler/bind.ts";
import type { Capacities } from "#scheduler/capacity.ts";
import type { BoundDecision } from "#scheduler/decision.ts";
import { defaultProfile } from "#scheduler/default-plugins.ts";
import type { FeedNeed } from "#scheduler/plugin.ts";
import type { Limit } from "#scheduler/preempt/room.ts";
import { schedule } from "#scheduler/schedule.ts";
import { takeSnapshot } from "#scheduler/snapshot.ts";
import { testGolden } from "#test/framework/golden.ts";
import { clustersOf, keyOf, subscriptionOf, type Story } from "#test/framework/scheduler-story.ts";

interface DividingStory extends Story {
  /** Feed -> replicas that its template wants; null: not divisible. Default: what the inventory says. */
  readonly feeds?: readonly string[];
  readonly inventory?: Readonly<Record<string, number | null>>;
  /** Cluster -> how many more it could take of every feed, or why it does not say. */
  readonly capacity?: Readonly<Record<string, number | string | Readonly<Record<string, number>>>>;
  readonly upstreamDividing?: boolean;
  /** Cluster -> what a higher priority leaves it there of every feed. */
  readonly limits?: Readonly<Record<string, Limit>>;
}

const feedOf = (name: string): Subscription["spec"]["feeds"][number] => ({ apiVersion: "apps/v1", kind: "Deployment", name });
const keyOfFeed = (name: string): string => `apps/v1/Deployment/${name}`;

function capacitiesOf({ capacity = {} }: DividingStory): Capacities {
  return {
    of: (cluster, feed) => {
      const told = capacity[cluster.split("/", 1)[0] ?? ""];
      if (told === undefined) return undefined;
      if (typeof told === "string") return { type: "silent", reason: told };
      const replicas = typeof told === "number" ? told : told[feed.replace("apps/v1/Deployment/", "")];
      return replicas === undefined ? undefined : { type: "fits", replicas };
    },
  };
}

function tell(story: DividingStory): readonly string[] {
  const { inventory = {}, feeds = Object.keys(inventory), subscription, upstreamDividing = false } = story;
  const replicas = Object.fromEntries(Object.entries(subscription.replicas ?? {}).map(([name, all]) => [keyOfFeed(name), all]));
  const divided = { schedulingStrategy: "Dividing", feeds: feeds.map(feedOf), ...subscription, replicas };
  const object = subscriptionOf({ ...story, subscription: divided });
  const needs = Object.entries(inventory).map(([name, desired]): FeedNeed => ({
    feed: keyOfFeed(name),
    ...(desired === null ? {} : { desiredReplicas: desired }),
  }));
  const decision = schedule(object, {
    snapshot: takeSnapshot(clustersOf(story)),
    profile: defaultProfile("default", { upstreamDividing }),
    existing: (story.existing ?? []).map(keyOf),
    needs,
    capacities: capacitiesOf(story),
    limits: { of: (cluster) => story.limits?.[cluster.split("/", 1)[0] ?? ""] },
  });
  const condition = statusOf(object, decision, 0).conditions?.[0];
  const said = `Scheduled=${String(condition?.status)} ${String(condition?.reason)}: ${String(condition?.message)}`;
  return decision.type === "bound" ? [...tellDivisions(decision), said] : ["bindings stay as they are", said];
}

function tellDivisions({ clusters, replicas = {}, divisions = [] }: BoundDecision): readonly string[] {
  const notDivided = Object.keys(replicas).filter((feed) => divisions.every((division) => division.feed !== feed));
  const shares = divisions.flatMap((division) => [
    `${division.feed}: ${String(division.placed)} of ${String(division.desired)}`,
    ...division.shares.map(({ cluster, replicas: now, previous, reason }) => {
      const change = now === previous ? `${String(now)} as before` : `${String(previous)} → ${String(now)}`;
      return `  ${cluster} ${change}: ${reason}`;
    }),
  ]);
  const whole = notDivided.map((feed) => `${feed}: not divided`);
  return [`bound to ${clusters.length === 0 ? "nothing" : clusters.join(" ")}`, ...shares, ...whole];
}

testGolden("scheduler/divide-by-weight.md", (lines) => tell(parse(lines.join("\n")) as DividingStory));

testGolden("scheduler/divide-by-capacity.md", (lines) => tell(parse(lines.join("\n")) as DividingStory));
