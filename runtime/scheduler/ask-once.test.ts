// A person asks clusters as the scheduler does: all at once, within one time, and each "no" says who can change it.

import { expect, test } from "@jest/globals";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { ApiError } from "#kube/errors.ts";
import { askOnce } from "#scheduler/ask-once.ts";
import { clustersOf, subscriptionOf } from "#test/framework/scheduler-story.ts";

const feed = "apps/v1/Deployment/shop/web";
const names = ["answers", "silent", "forbidden", "refused", "disabled", "direct", "only-direct"] as const;
const ids: Readonly<Record<string, string>> = Object.fromEntries(
  names.map((name, index) => [name, `8f6b5f8e-0000-4000-8000-00000000000${String(index)}`]),
);
const { signal } = new AbortController();

const clusters = clustersOf({
  clusters: Object.fromEntries(names.map((name) => [name, { labels: { fleet: "yes" } }])),
  subscription: {},
}).map((cluster): ManagedCluster => {
  const { name, labels } = cluster.metadata;
  const id = { "clusters.clusternet.io/cluster-id": ids[name] ?? "" };
  return {
    ...cluster,
    metadata: { ...cluster.metadata, labels: { ...labels, ...id } },
    status: {
      ...cluster.status,
      predictorEnabled: name !== "disabled",
      predictorDirectAccess: name.endsWith("direct"),
      predictorAddress: "https://192.0.2.1:8080",
      useSocket: name !== "only-direct",
    },
  };
});
const subscription = subscriptionOf({
  subscription: {
    schedulingStrategy: "Dividing",
    dividingScheduling: { type: "Dynamic", dynamicDividing: { strategy: "Spread" } },
    feeds: [{ apiVersion: "apps/v1", kind: "Deployment", namespace: "shop", name: "web" }],
  },
});
const needs = [{ feed, desiredReplicas: 3 }];
const forbidden = (message: string): ApiError => new ApiError({ reason: "Forbidden", code: 403, message });

const asked: string[] = [];
const parent = {
  request: async ({ path }: { readonly path: string }) => {
    asked.push(path);
    const name = names.find((each) => path.includes(ids[each] ?? "?"));
    if (name === "forbidden") throw forbidden('User "jane" cannot create resource "sockets/proxy"');
    if (name === "refused") throw forbidden("Cluster x: its agent refuses the request: the user may not ask");
    if (name === "silent") return new Promise<never>(() => undefined);
    return Promise.resolve({
      status: 200,
      headers: {},
      json: { replicas: { default: 7 }, unfit: { "insufficient cpu": 2 } },
    } as never);
  },
};

test("every cluster's answer, or why there is none", async () => {
  const capacities = await askOnce(subscription, { parent, clusters, needs, timeoutMs: 50 }, signal);
  expect(Object.fromEntries(names.map((name) => [name, capacities.of(`${name}/${name}`, feed)]))).toEqual({
    answers: { type: "fits", replicas: 7, unfit: { "insufficient cpu": 2 } },
    silent: { type: "silent", reason: "it did not answer within 50 ms" },
    forbidden: { type: "silent", reason: expect.stringContaining('"create" on sockets/proxy') },
    refused: { type: "silent", reason: expect.stringContaining("--predictor-users") },
    disabled: { type: "silent", reason: expect.stringContaining("predictorEnabled") },
    direct: { type: "fits", replicas: 7, unfit: { "insufficient cpu": 2 } },
    "only-direct": { type: "silent", reason: expect.stringMatching(/only the scheduler asks it.*useSocket.*--no-capacity\)$/) },
  });
});

test("nobody is asked for what is not divided by capacity", async () => {
  asked.length = 0;
  const replicated = { ...subscription, spec: { ...subscription.spec, schedulingStrategy: "Replication" as const } };
  const capacities = await askOnce(replicated, { parent, clusters, needs, timeoutMs: 50 }, signal);
  expect([asked, capacities.of("answers/answers", feed)]).toEqual([[], undefined]);
});
