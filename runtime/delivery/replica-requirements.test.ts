// How many replicas a feed wants and what one of them needs, as the scheduler of Kubernetes counts.

import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { parseInterpreters } from "./interpreters.ts";
import type { JsonObject } from "./json.ts";
import { feedOrderOf } from "./replica-requirements.ts";

const feed = (apiVersion: string, kind: string) => ({ apiVersion, kind, namespace: "shop", name: "web" });
const order = (apiVersion: string, kind: string, yaml: string, interpreters = parseInterpreters({}).interpreters) =>
  feedOrderOf(feed(apiVersion, kind), parse(yaml) as JsonObject, interpreters);

test.each([
  ["apps/v1", "Deployment", "spec: { replicas: 7 }", 7, "/spec/replicas"],
  ["apps/v1", "StatefulSet", "spec: {}", 1, "/spec/replicas"],
  ["apps/v1", "ReplicaSet", "spec: { replicas: 0 }", 0, "/spec/replicas"],
  ["batch/v1", "Job", "spec: { parallelism: 3, completions: 9 }", 3, "/spec/parallelism"],
  ["apps/v1", "Deployment", "spec: { replicas: three }", 1, "/spec/replicas"],
  ["v1", "Pod", "spec: {}", undefined, undefined],
  ["apps/v1", "DaemonSet", "spec: {}", undefined, undefined],
  ["v1", "ConfigMap", "data: {}", undefined, undefined],
  ["example.com/v1", "Deployment", "spec: { replicas: 7 }", undefined, undefined],
])("%s %s, %s", (apiVersion, kind, yaml, replicas, path) => {
  const { desiredReplicas, replicaJsonPath, ...rest } = order(apiVersion, kind, yaml);
  expect([desiredReplicas, replicaJsonPath]).toEqual([replicas, path]);
  expect(rest).toMatchObject(feed(apiVersion, kind));
});

test("a registered kind: the numbers are where its interpreter says", () => {
  const { interpreters } = parseInterpreters({
    db: "{apiVersion: example.com/v1, kind: Database, replicas: /spec/members, podTemplate: /spec/pod}",
  });
  const yaml = "spec: { members: 5, pod: { spec: { containers: [{ resources: { requests: { cpu: 1 } } }] } } }";
  expect(order("example.com/v1", "Database", yaml, interpreters)).toMatchObject({
    desiredReplicas: 5,
    replicaJsonPath: "/spec/members",
    replicaRequirements: { resources: { requests: { cpu: "1" } } },
  });
});

describe("what one replica needs", () => {
  const needs = (pod: string) => order("v1", "Pod", `spec: ${pod}`).replicaRequirements;
  const container = (requests: string, more = ""): string => `{ resources: { requests: ${requests} }${more} }`;

  test.each([
    {
      it: "is the sum of its containers",
      pod: `{ containers: [${container("{ cpu: 250m, memory: 64Mi }")}, ${container("{ cpu: '1.5', example.com/gpu: 2 }")}] }`,
      resources: { requests: { cpu: "1750m", memory: "64Mi", "example.com/gpu": "2" } },
    },
    {
      it: "is what an init container needs when that is more",
      pod: `{ containers: [${container("{ cpu: 1, memory: 1Gi }")}], initContainers: [${container("{ cpu: 2 }")}, ${container("{ cpu: 500m }")}] }`,
      resources: { requests: { cpu: "2", memory: "1Gi" } },
    },
    {
      it: "counts sidecars with the containers, and with the init containers after them only",
      pod: `{ containers: [${container("{ cpu: 1 }")}], initContainers: [${container("{ cpu: 3 }")}, ${container("{ cpu: 500m }", ", restartPolicy: Always")}, ${container("{ cpu: 3 }")}] }`,
      resources: { requests: { cpu: "3500m" } },
    },
    {
      it: "takes a limit for a request that is not set",
      pod: "{ containers: [{ resources: { limits: { cpu: 2, memory: 1Gi }, requests: { cpu: 1 } } }] }",
      resources: { requests: { cpu: "1", memory: "1Gi" }, limits: { cpu: "2", memory: "1Gi" } },
    },
    {
      it: "adds the overhead to requests, and to limits that are set",
      pod: `{ overhead: { cpu: 100m, memory: 10Mi }, containers: [{ resources: { limits: { cpu: 1 } } }] }`,
      resources: { requests: { cpu: "1100m", memory: "10Mi" }, limits: { cpu: "1100m" } },
    },
    {
      it: "is what the pod as a whole says, where it does",
      pod: `{ resources: { requests: { cpu: 5 } }, containers: [${container("{ cpu: 1, memory: 1Gi }")}] }`,
      resources: { requests: { cpu: "5", memory: "1Gi" } },
    },
    { it: "is nothing when nothing is said", pod: "{ containers: [{ image: web }] }", resources: {} },
    { it: "leaves out what is no quantity", pod: `{ containers: [${container("{ cpu: much }")}] }`, resources: {} },
  ])("$it", ({ pod, resources }) => {
    expect(needs(pod)).toEqual({ resources });
  });

  test("and where it may run", () => {
    const pod =
      "{ nodeSelector: { disk: ssd }, tolerations: [{ operator: Exists }], affinity: { nodeAffinity: {} }, containers: [] }";
    expect(needs(pod)).toEqual({
      nodeSelector: { disk: "ssd" },
      tolerations: [{ operator: "Exists" }],
      affinity: { nodeAffinity: {} },
      resources: {},
    });
  });
});
