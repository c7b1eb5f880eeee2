// How many replicas a feed wants and what one of them needs, as the scheduler of Kubernetes counts.

import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { parseInterpreters, type Interpreters } from "./interpreters.ts";
import type { JsonObject } from "./json.ts";
import { feedOrderOf, releaseRequirements, replicasPathOf, type FeedOrder } from "./replica-requirements.ts";

const feed = (apiVersion: string, kind: string) => ({ apiVersion, kind, namespace: "shop", name: "web" });
const order = (kind: string, yaml: string, interpreters: Interpreters = new Map()): FeedOrder => {
  const at = kind.lastIndexOf("/");
  return feedOrderOf(feed(kind.slice(0, at), kind.slice(at + 1)), parse(yaml) as JsonObject, interpreters);
};

test.each([
  { kind: "apps/v1/Deployment", yaml: "spec: { replicas: 7 }", replicas: 7, path: "/spec/replicas" },
  { kind: "apps/v1/StatefulSet", yaml: "spec: {}", replicas: 1, path: "/spec/replicas" },
  { kind: "apps/v1/ReplicaSet", yaml: "spec: { replicas: 0 }", replicas: 0, path: "/spec/replicas" },
  { kind: "batch/v1/Job", yaml: "spec: { parallelism: 3, completions: 9 }", replicas: 3, path: "/spec/parallelism" },
  { kind: "apps/v1/Deployment", yaml: "spec: { replicas: three }", replicas: 1, path: "/spec/replicas" },
  { kind: "v1/Pod", yaml: "spec: {}", replicas: undefined, path: undefined },
  { kind: "apps/v1/DaemonSet", yaml: "spec: {}", replicas: undefined, path: undefined },
  { kind: "v1/ConfigMap", yaml: "data: {}", replicas: undefined, path: undefined },
  { kind: "example.com/v1/Deployment", yaml: "spec: { replicas: 7 }", replicas: undefined, path: undefined },
])("$kind, $yaml", ({ kind, yaml, replicas, path }) => {
  const { desiredReplicas, replicaJsonPath, ...rest } = order(kind, yaml);
  expect([desiredReplicas, replicaJsonPath]).toEqual([replicas, path]);
  expect(rest).toMatchObject({ namespace: "shop", name: "web" });
  // Where a share is written when the inventory does not say it.
  expect(replicasPathOf(rest, new Map())).toBe(path);
});

test("a registered kind: the numbers are where its interpreter says", () => {
  const { interpreters } = parseInterpreters({
    db: "{apiVersion: example.com/v1, kind: Database, replicas: /spec/members, podTemplate: /spec/pod}",
  });
  const yaml = "spec: { members: 5, pod: { spec: { containers: [{ resources: { requests: { cpu: 1 } } }] } } }";
  expect(order("example.com/v1/Database", yaml, interpreters)).toMatchObject({
    desiredReplicas: 5,
    replicaJsonPath: "/spec/members",
    replicaRequirements: { resources: { requests: { cpu: "1" } } },
  });
  expect(replicasPathOf({ apiVersion: "example.com/v1", kind: "Database" }, interpreters)).toBe("/spec/members");
});

describe("what one replica needs", () => {
  const needs = (pod: string) => order("v1/Pod", `spec: ${pod}`).replicaRequirements;
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

describe("what one release of a chart needs", () => {
  const workload = (kind: string, spec: string, pod: string): JsonObject => {
    const [apiVersion, template] = kind === "Pod" ? ["v1", pod] : ["apps/v1", `{ ${spec} template: { spec: ${pod} } }`];
    return parse(`{ apiVersion: ${apiVersion}, kind: ${kind}, metadata: { name: a }, spec: ${template} }`) as JsonObject;
  };
  const pod = (more = ""): string => `{ containers: [{ resources: { requests: { cpu: 250m, memory: 1Gi } } }] ${more} }`;
  const zone = ", nodeSelector: { zone: a }";

  test.each([
    { it: "nothing that runs", objects: [parse("{ apiVersion: v1, kind: ConfigMap, metadata: { name: a } }")], needs: undefined },
    {
      it: "the sum over replicas and workloads",
      objects: [workload("Deployment", "replicas: 3,", pod()), workload("StatefulSet", "", pod()), workload("Pod", "", pod())],
      needs: { resources: { requests: { cpu: "1250m", memory: "5Gi", pods: "5" } } },
    },
    {
      it: "where its pods may run, when that is the same for all",
      objects: [workload("Deployment", "replicas: 1,", pod(zone)), workload("Pod", "", pod(zone))],
      needs: { nodeSelector: { zone: "a" }, resources: { requests: { cpu: "500m", memory: "2Gi", pods: "2" } } },
    },
    {
      it: "nowhere in particular, when they differ",
      objects: [workload("Deployment", "replicas: 0,", pod(zone)), workload("Pod", "", pod())],
      needs: { resources: { requests: { cpu: "250m", memory: "1Gi", pods: "1" } } },
    },
  ])("$it", ({ objects, needs }) => {
    expect(releaseRequirements(objects as JsonObject[], new Map())).toEqual(needs);
  });
});
