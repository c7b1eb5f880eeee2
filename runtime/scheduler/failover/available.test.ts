// When a cluster has taken over: as many run as its share says, or all is done.

import { expect, test } from "@jest/globals";
import type { ReplicaStatus } from "#api/apps/v1alpha1/subscription.ts";
import { takeSnapshot } from "#scheduler/snapshot.ts";
import { clustersOf, subscriptionOf } from "#test/framework/scheduler-story.ts";
import { whyNotAvailable } from "./available.ts";

const job = { apiVersion: "batch/v1", kind: "Job", namespace: "shop", name: "sums" };
const web = { apiVersion: "apps/v1", kind: "Deployment", namespace: "shop", name: "web" };

interface Case {
  readonly it: string;
  readonly feed?: typeof job;
  readonly share?: number;
  /** Undefined: nothing is reported. */
  readonly reports?: ReplicaStatus;
  readonly available?: boolean;
  readonly why?: string;
}

const cases: readonly Case[] = [
  { it: "a Job runs as many pods as its share", reports: { active: 3 } },
  {
    it: "a Job runs fewer, and may start the others yet",
    reports: { active: 1, succeeded: 1 },
    why: "batch/v1/Job/shop/sums runs 2 of 3",
  },
  { it: "of a Job some ran and some run", reports: { active: 1, succeeded: 2 } },
  { it: "a Job is done, with fewer pods than its share", reports: { succeeded: 2 } },
  { it: "a Job has not begun", reports: {}, why: "batch/v1/Job/shop/sums runs 0 of 3" },
  { it: "a Job failed", reports: { succeeded: 2, failed: 7 }, available: false, why: "batch/v1/Job/shop/sums is not Available" },
  { it: "a Job has no share here", share: 0, reports: {} },
  { it: "nothing is reported", why: "batch/v1/Job/shop/sums is not reported" },
  { it: "a Deployment has as many as its share", feed: web, reports: { availableReplicas: 3 } },
  {
    it: "a Deployment has an older share",
    feed: web,
    reports: { availableReplicas: 2 },
    why: "apps/v1/Deployment/shop/web runs 2 of 3",
  },
  { it: "a kind without numbers", feed: web, reports: {}, why: "apps/v1/Deployment/shop/web runs 0 of 3" },
];

test.each(cases)("$it", ({ feed = job, share = 3, reports, available = true, why }) => {
  const key = [feed.apiVersion, feed.kind, feed.namespace, feed.name].join("/");
  const bound = subscriptionOf({ subscription: { bound: ["oslo"], feeds: [feed], replicas: { [key]: [share] } } });
  const feedStatusDetails = reports === undefined ? [] : [{ clusterId: "oslo", available, replicaStatus: reports }];
  const subscription = { ...bound, status: { ...bound.status, aggregatedStatuses: [{ ...feed, feedStatusDetails }] } };
  const cluster = takeSnapshot(clustersOf({ clusters: { oslo: {} }, subscription: {} })).clusters[0];
  if (cluster === undefined) throw new Error("no cluster");
  expect(whyNotAvailable(subscription, cluster)).toBe(why);
});
