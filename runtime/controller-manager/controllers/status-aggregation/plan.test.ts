// Reports of clusters -> status: test/golden/controllers/status-aggregation.md tells it as stories; here is what is summed up.

import { expect, test } from "@jest/globals";
import { parse } from "yaml";
import type { Description } from "#api/apps/v1alpha1/description.ts";
import { specHash } from "#api/apps/v1alpha1/spec-hash.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { testGolden } from "#test/framework/golden.ts";
import { aggregate, type ClusterReport } from "./plan.ts";

interface ClusterStory {
  readonly delivery: string;
  readonly web?: string;
  readonly replicas?: number;
}

interface Story {
  readonly scheduled?: boolean;
  readonly clusters: Readonly<Record<string, ClusterStory>>;
}

const NOW = Date.UTC(2030, 0, 1);
const feed = { apiVersion: "apps/v1", kind: "Deployment", namespace: "shop", name: "web" };

function subscriptionOf({ scheduled = true, clusters }: Story): Subscription {
  const spec: Subscription["spec"] = {
    schedulerName: "default",
    schedulingStrategy: "Replication",
    preemptionPolicy: "PreemptLowerPriority",
    subscribers: [],
    feeds: [feed],
  };
  return {
    apiVersion: "apps.clusternet.io/v1alpha1",
    kind: "Subscription",
    metadata: { namespace: "shop", name: "web", generation: 1 },
    spec,
    status: scheduled
      ? { bindingClusters: Object.keys(clusters).map((name) => `${name}/${name}`), specHash: specHash(spec) }
      : {},
  };
}

function reportOf(name: string, { delivery, web, replicas }: ClusterStory): ClusterReport {
  const [how = "", ...rest] = delivery.split(": ");
  const message = rest.join(": ");
  const cluster = { metadata: { namespace: name, name }, spec: { clusterId: `id-of-${name}` } } as ManagedCluster;
  const condition = {
    type: "Rendered",
    status: "False",
    reason: "R",
    message,
    lastTransitionTime: "2030-01-01T00:00:00Z",
  } as const;
  const base = {
    apiVersion: "apps.clusternet.io/v1alpha1",
    kind: "Base",
    metadata: { namespace: name, name: "web.shop", generation: 1 },
    spec: { feeds: [feed] },
    status: { observedGeneration: 1, ...(how === "unrendered" ? { conditions: [condition] } : {}) },
  } satisfies ClusterReport["base"];
  const [state, why] = (web ?? "").split(/: (.*)/s);
  const observed = replicas === undefined ? {} : { observedStatus: { replicas, observedGeneration: replicas } };
  const reported = { ...feed, state, ...(why === undefined ? {} : { message: why }), ...observed };
  const phases: Readonly<Record<string, object>> = {
    delivered: { phase: "Success", observedGeneration: 1 },
    failed: { phase: "Failure", reason: message },
  };
  const status = { ...phases[how], ...(web === undefined ? {} : { manifestStatuses: [reported] }) } as Description["status"];
  const description: Description = {
    apiVersion: "apps.clusternet.io/v1alpha1",
    kind: "Description",
    metadata: { namespace: name, name: "web.shop-generic", generation: 1 },
    spec: { deployer: "Generic" },
    ...(status === undefined ? {} : { status }),
  };
  return { binding: `${name}/${name}`, cluster, base, descriptions: [description] };
}

function statusOf(story: Story): NonNullable<Subscription["status"]> {
  const reports = Object.entries(story.clusters).map(([name, cluster]) => reportOf(name, cluster));
  const feeds = [{ feed, found: true, template: {}, identity: feed } as const];
  return aggregate(subscriptionOf(story), { feeds, reports, interpreters: new Map() }, NOW);
}

testGolden("controllers/status-aggregation.md", (lines) => {
  const { conditions = [], completedReleases, aggregatedStatuses = [] } = statusOf(parse(lines.join("\n")) as Story);
  const details = aggregatedStatuses.flatMap(({ feedStatusDetails = [] }) => feedStatusDetails);
  return [
    `${String(completedReleases)} complete`,
    ...conditions
      .filter(({ type }) => type !== "FeedsResolved")
      .map(({ type, status, reason, message }) => `${type} ${status} ${reason}: ${message}`),
    ...details.map(({ clusterName, state, message }) =>
      [clusterName, state, message].filter((part) => part !== undefined).join(": "),
    ),
  ];
});

test("a cluster whose Base has other replicas than it shall have is not delivered yet", () => {
  const story: Story = { clusters: { oslo: { delivery: "delivered", web: "Available" } } };
  const subscription = subscriptionOf(story);
  const spec = { ...subscription.spec, schedulingStrategy: "Dividing" } as const;
  const key = "apps/v1/Deployment/shop/web";
  const divided = {
    ...subscription,
    spec,
    status: { ...subscription.status, replicas: { [key]: [3] }, specHash: specHash(spec) },
  };
  const report = reportOf("oslo", story.clusters["oslo"]!);
  const completed = (replicas: number): unknown => {
    const shares = [{ feed: key, replicas, path: "/spec/replicas" }];
    const reports = [{ ...report, base: { ...report.base!, spec: { feeds: [feed], shares } } }];
    const { completedReleases, conditions = [] } = aggregate(divided, { feeds: [], reports, interpreters: new Map() }, NOW);
    return [completedReleases, conditions.find(({ type }) => type === "Delivered")?.message];
  };
  expect(completed(2)).toEqual([0, "1 of 1 clusters: oslo/oslo: waiting for its share of the replicas"]);
  expect(completed(3)).toEqual([1, "In 1 of 1 clusters"]);
});

test("a cluster that is bound again does not work there while its old Base is being removed, whatever that says", () => {
  const story: Story = { clusters: { oslo: { delivery: "delivered", web: "Available" } } };
  const subscription = subscriptionOf(story);
  const report = reportOf("oslo", story.clusters["oslo"]!);
  const deletionTimestamp = "2030-01-01T00:00:00Z";
  const old = { ...report, base: { ...report.base!, metadata: { ...report.base!.metadata, deletionTimestamp } } };
  const works = (each: Subscription, reported: ClusterReport): unknown =>
    aggregate(
      each,
      { feeds: [], reports: [reported], interpreters: new Map() },
      NOW,
    ).aggregatedStatuses?.[0]?.feedStatusDetails?.map(({ available, message }) => [available, message]);
  expect(works(subscription, report)).toEqual([[true, undefined]]);
  expect(works(subscription, old)).toEqual([[false, "waiting for its Base"]]);
  // A Subscription that is being deleted goes on telling what is still there.
  expect(works({ ...subscription, metadata: { ...subscription.metadata, deletionTimestamp } }, old)).toEqual([[true, undefined]]);
});

test("a change of the delivery policy is delivered when the Description has it, and charts count beside objects", () => {
  const story: Story = { clusters: { oslo: { delivery: "delivered", web: "Available" } } };
  const subscription = subscriptionOf(story);
  const report = reportOf("oslo", story.clusters["oslo"]!);
  const delivered = (changed: Subscription, reports: readonly ClusterReport[]): string | undefined =>
    aggregate(changed, { feeds: [], reports, interpreters: new Map() }, NOW).conditions?.find(({ type }) => type === "Delivered")
      ?.message;
  const spec = { ...subscription.spec, delivery: { drift: "Off" } } as const;
  const changed = { ...subscription, spec, status: { ...subscription.status, specHash: specHash(spec) } };
  const base = { ...report.base!, spec: { feeds: [feed], delivery: spec.delivery } };
  const described = report.descriptions.map((each) => ({ ...each!, spec: { ...each!.spec, delivery: spec.delivery } }));
  expect(delivered(subscription, [report])).toBe("In 1 of 1 clusters");
  expect(delivered(changed, [report])).toMatch(/waiting for its Base/);
  expect(delivered(changed, [{ ...report, base }])).toMatch(/waiting for its Description/);
  expect(delivered(changed, [{ ...report, base, descriptions: described }])).toBe("In 1 of 1 clusters");
  expect(delivered(changed, [{ ...report, base, descriptions: [...described, undefined] }])).toMatch(
    /waiting for its Description/,
  );
  const failing = { ...described[0]!, status: { phase: "Failure", reason: "no such chart" } } as const;
  expect(delivered(changed, [{ ...report, base, descriptions: [...described, failing] }])).toMatch(/no such chart/);
});

test("replicas are added up, of generations the newest counts, and a feed works when it does everywhere", () => {
  const { aggregatedStatuses } = statusOf({
    clusters: {
      oslo: { delivery: "delivered", web: "Available", replicas: 2 },
      paris: { delivery: "delivered", web: "Progressing: x", replicas: 3 },
    },
  });
  expect(aggregatedStatuses).toEqual([
    {
      ...feed,
      feedStatusSummary: { available: false, replicaStatus: { replicas: 5, observedGeneration: 3 } },
      feedStatusDetails: [
        {
          clusterId: "id-of-oslo",
          clusterName: "oslo",
          available: true,
          state: "Available",
          replicaStatus: { replicas: 2, observedGeneration: 2 },
        },
        {
          clusterId: "id-of-paris",
          clusterName: "paris",
          available: false,
          state: "Progressing",
          message: "x",
          replicaStatus: { replicas: 3, observedGeneration: 3 },
        },
      ],
    },
  ]);
});
