// What the parent's scheduler gets for its question: counted from what the API server told, refused, or not known yet.
import { beforeEach, describe, expect, test } from "@jest/globals";
import { predictorPaths } from "#api/proxies/v1alpha1/predictor.ts";
import type { KubeObject, ResourceType } from "#api/meta.ts";
import { Node, type Pod, type PodSpec } from "#kube/builtin-kinds.ts";
import { silentLogger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";
import { FakeStream } from "#test/framework/fake-stream.ts";
import { createStubInformer } from "#test/framework/stub-informer.ts";
import type { RequestHead } from "#tunnel/head.ts";
import { createPredictorTarget, QUESTION_BYTES_MAX } from "./capacity-server.ts";
import { ClusterRoomKeeper, QUOTAS_BY_NAMESPACE, type CsiNode, type ResourceQuota, type StorageClass } from "./cluster-room.ts";
import { CountedPods, createPodCounter } from "./counted-pod.ts";
import { createPredictor } from "./predictor.ts";
import type { StreamTarget } from "./targets.ts";

const SCHEDULER = "system:serviceaccount:clusternet-system:clusternet-scheduler";
const quotaType = { group: "", version: "v1", kind: "ResourceQuota", plural: "resourcequotas", scope: "Namespaced" } as const;
const storage = { group: "storage.k8s.io", version: "v1", scope: "Cluster" } as const;
const csiNodeType: ResourceType<CsiNode> = { ...storage, kind: "CSINode", plural: "csinodes" };
const storageClassType: ResourceType<StorageClass> = { ...storage, kind: "StorageClass", plural: "storageclasses" };
const count = createPodCounter();
let nodes = createStubInformer(Node);
let pods = createStubInformer(CountedPods);
let csiNodes = createStubInformer(csiNodeType);
let storageClasses = createStubInformer(storageClassType);
let quotas = createStubInformer<ResourceQuota>(quotaType);
let target: StreamTarget;
let unread: string | undefined;

beforeEach(() => {
  nodes = createStubInformer(Node);
  pods = createStubInformer(CountedPods);
  quotas = createStubInformer<ResourceQuota>(quotaType, { [QUOTAS_BY_NAMESPACE]: ({ metadata }) => [metadata.namespace ?? ""] });
  unread = undefined;
  csiNodes = createStubInformer(csiNodeType);
  storageClasses = createStubInformer(storageClassType);
  csiNodes.listed();
  storageClasses.listed();
  const keeper = new ClusterRoomKeeper({ nodes, pods, quotas, csiNodes, storageClasses });
  const room = {
    room: (namespace: string | undefined) => keeper.room(namespace),
    placed: (owner: string) => keeper.placed(owner),
    waiting: () => keeper.waiting(),
    get problem() {
      return unread ?? keeper.problem;
    },
  };
  const delivered = () => [
    { apiVersion: "apps/v1", kind: "Deployment", namespace: "shop", name: "web" },
    { apiVersion: "apps/v1", kind: "StatefulSet", namespace: "shop", name: "db" },
  ];
  const policy = { parentSystemNamespace: "clusternet-system", predictorUsers: ["ana"] };
  target = createPredictorTarget({
    predictor: createPredictor({ room, delivered }),
    policy,
    answers: createMetrics().counter({ name: "clusternet_test_answers_total", help: "x", labels: ["code"] }),
    log: silentLogger,
  });
  nodes.listed(aNode("a"));
});

function aNode(name: string, resourceVersion = "1"): Node {
  const allocatable = { cpu: "4", memory: "8Gi", pods: "110" };
  return { apiVersion: "v1", kind: "Node", metadata: { name, resourceVersion }, status: { allocatable } };
}

function aPod(
  name: string,
  spec: Partial<PodSpec>,
  more: { readonly metadata?: object; readonly status?: object } = {},
): KubeObject {
  const metadata = { namespace: "shop", name, uid: name, resourceVersion: "1", ...more.metadata };
  return { apiVersion: "v1", kind: "Pod", metadata, spec: { containers: [], ...spec }, status: more.status ?? {} } as Pod;
}

const container = (cpu: string, more: object = {}) => ({ name: "c", resources: { requests: { cpu } }, ...more });

function ask(body: unknown, head: Partial<RequestHead> = {}): { stream: FakeStream; status: number | undefined; json: unknown } {
  const identity = { user: SCHEDULER, uid: "", groups: [], extra: {} };
  const stream = new FakeStream({ target: "predictor", method: "POST", path: predictorPaths.predict, identity, ...head }, false);
  const handler = target(stream);
  handler.onData(Buffer.from(typeof body === "string" ? body : JSON.stringify(body)));
  if (stream.answer === undefined && !stream.closed) handler.onEnd();
  return { stream, status: stream.answer?.status, json: stream.body === "" ? undefined : JSON.parse(stream.body) };
}

const replicas = (): unknown => (ask({ resources: { requests: { cpu: "1" } } }).json as { replicas: unknown }).replicas;

describe("what runs is counted", () => {
  test.each<[string, Partial<PodSpec>, number]>([
    ["containers together", { containers: [container("500m"), container("600m")] }, 2],
    ["the largest init container, when it is more", { initContainers: [container("3")], containers: [container("1")] }, 1],
    [
      "a sidecar with the containers",
      { initContainers: [container("1", { restartPolicy: "Always" })], containers: [container("1")] },
      2,
    ],
    ["its overhead", { containers: [container("1")], overhead: { cpu: "1" } }, 2],
    ["nothing that asks for nothing", { containers: [{ name: "c" }] }, 4],
  ])("%s", (_it, spec, left) => {
    pods.listed(count(aPod("x", { ...spec, nodeName: "a" })));
    expect(replicas()).toEqual({ default: left });
  });

  test("as long as it is there, where it is", () => {
    const running = aPod("x", { nodeName: "a", containers: [container("3")] });
    pods.listed(count(running));
    expect(replicas()).toEqual({ default: 1 });
    pods.listed(
      count({
        ...running,
        spec: { nodeName: "b", containers: [container("3")] },
        metadata: { ...running.metadata, resourceVersion: "2" },
      } as KubeObject),
    );
    expect(replicas()).toEqual({ default: 4 });
    pods.listed();
    expect(replicas()).toEqual({ default: 4 });
  });

  test("a pod that others make room for has its place already", () => {
    pods.listed(count(aPod("x", { containers: [container("3")] }, { status: { nominatedNodeName: "a" } })));
    expect(replicas()).toEqual({ default: 1 });
  });

  test("a node that grows takes more at once", () => {
    nodes.listed(aNode("a"), aNode("b"));
    expect(replicas()).toEqual({ default: 8 });
    nodes.listed({ ...aNode("a", "2"), status: { allocatable: { cpu: "8", pods: "110" } } });
    expect(replicas()).toEqual({ default: 8 });
  });
});

test("what pods hold of their node besides is counted while they are there: ports, claims, who keeps others away", () => {
  const replicasOf = (request: object): unknown =>
    (ask({ namespace: "shop", ...request }).json as { replicas: unknown }).replicas;
  const hostPorts = { hostPorts: [{ port: 80 }] };
  const volumes = { volumes: [{ storageClassName: "fast" }] };
  const labelled = { podLabels: { app: "web" } };
  const all = (): unknown[] => [hostPorts, volumes, labelled].map(replicasOf);
  nodes.listed({ ...aNode("a"), metadata: { name: "a", resourceVersion: "2", labels: { host: "a" } } });
  csiNodes.listed({
    apiVersion: "storage.k8s.io/v1",
    kind: "CSINode",
    metadata: { name: "a" },
    spec: { drivers: [{ name: "csi.fast", allocatable: { count: 3 } }, { name: "without limit" }] },
  });
  storageClasses.listed({
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: { name: "fast" },
    provisioner: "csi.fast",
  });
  expect(all()).toEqual([{ default: 1 }, { default: 3 }, { default: 110 }]);
  const term = { labelSelector: { matchLabels: { app: "web" } }, topologyKey: "host" };
  const spec = {
    nodeName: "a",
    containers: [{ name: "c", ports: [{ containerPort: 8080, hostPort: 80 }] }],
    volumes: [
      { name: "data", persistentVolumeClaim: { claimName: "data" } },
      { name: "scratch", ephemeral: { volumeClaimTemplate: {} } },
    ],
    affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } },
  } as Partial<PodSpec>;
  pods.listed(count(aPod("x", spec, { metadata: { labels: { app: "web" } } })));
  expect(all()).toEqual([{ default: 0 }, { default: 1 }, { default: 0 }]);
  pods.listed();
  expect(all()).toEqual([{ default: 1 }, { default: 3 }, { default: 110 }]);
});

test("quotas of the namespace that was named count, others do not", () => {
  const quota = (namespace: string) => ({
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: { namespace, name: "q" },
    spec: {},
    status: { hard: { "requests.cpu": "2" }, used: { "requests.cpu": "1" } },
  });
  quotas.listed(quota("shop"));
  const request = { resources: { requests: { cpu: "1" } } };
  expect(ask({ ...request, namespace: "shop" }).json).toEqual({ replicas: { default: 1 } });
  expect(ask({ ...request, namespace: "other" }).json).toEqual({ replicas: { default: 4 } });
  expect(ask(request).json).toEqual({ replicas: { default: 4 } });
});

test("a question as upstream's scheduler asks it is understood: null, and nothing at all", () => {
  expect(ask({ nodeSelector: null, tolerations: null, affinity: {}, resources: {} }).json).toEqual({
    replicas: { default: 110 },
  });
  expect(ask({}).json).toEqual({ replicas: { default: 110 } });
});

describe("what is not answered is a Status", () => {
  test.each<[string, unknown, Partial<RequestHead>, number, string]>([
    ["no JSON", "{", {}, 400, "BadRequest"],
    ["another shape", { nodeSelector: "x" }, {}, 400, "BadRequest"],
    ["no quantity", { resources: { requests: { cpu: "much" } } }, {}, 400, "BadRequest"],
    ["a quantity that is none after all", { resources: { requests: { cpu: "1e+99999" } } }, {}, 400, "BadRequest"],
    ["another path", {}, { path: "/replicas" }, 404, "NotFound"],
    ["another method", {}, { method: "GET" }, 405, "MethodNotAllowed"],
    ["too much", "x".repeat(QUESTION_BYTES_MAX + 1), {}, 413, "RequestEntityTooLarge"],
  ])("%s", (...[, body, head, code, reason]) => {
    expect(ask(body, head)).toMatchObject({ status: code, json: { kind: "Status", status: "Failure", reason, code } });
  });

  test("before everything was read once", () => {
    unread = "Not read yet: pods";
    expect(ask({})).toMatchObject({ status: 503, json: { reason: "ServiceUnavailable", message: "Not read yet: pods" } });
  });
});

describe("who may ask", () => {
  const asked = (user: string, head: Partial<RequestHead> = {}) =>
    ask({}, { identity: { user, uid: "", groups: ["system:masters"], extra: {} }, ...head });
  test.each([SCHEDULER, "ana"])("%s", (user) => {
    expect(asked(user).status).toBe(200);
  });

  test.each(["", "bob", "system:admin", "system:serviceaccount:other:clusternet-scheduler"])("not %j", (user) => {
    const { stream, status } = asked(user);
    expect(status).toBeUndefined();
    expect(stream.resetWith).toMatch(/^refused: the user .* may not ask/);
  });

  test("nobody who wants to switch protocols", () => {
    expect(asked(SCHEDULER, { kind: "upgrade" }).stream.resetWith).toMatch(/^refused/);
  });
});

test("unscheduled replicas are told by feed, with what kube-scheduler says, and only of feeds that the parent delivers", () => {
  const ownedBy = (kind: string, name: string, labels = {}) => ({
    metadata: { labels, ownerReferences: [{ apiVersion: "apps/v1", kind, name, uid: "1", controller: true }] },
    status: { conditions: [{ type: "PodScheduled", status: "False", message: "0/1 nodes are available" }] },
  });
  const ofWeb = ownedBy("ReplicaSet", "web-5d4", { "pod-template-hash": "5d4" });
  pods.listed(
    count(aPod("w1", {}, ofWeb)),
    count(aPod("w2", {}, ofWeb)),
    count(aPod("w3", { nodeName: "a" }, ofWeb)),
    count(aPod("d", {}, ownedBy("StatefulSet", "db"))),
    count(aPod("own", {}, ownedBy("StatefulSet", "theirs"))),
    count(aPod("alone", {})),
  );
  const message = "0/1 nodes are available";
  expect(ask("", { method: "GET", path: predictorPaths.unscheduled }).json).toEqual({
    replicas: { default: 3 },
    feeds: [
      { apiVersion: "apps/v1", kind: "Deployment", namespace: "shop", name: "web", unscheduled: 2, message },
      { apiVersion: "apps/v1", kind: "StatefulSet", namespace: "shop", name: "db", unscheduled: 1, message },
    ],
  });
});

test("of the feeds that were named, the pods that have a node are told", () => {
  const ofDb = {
    metadata: { ownerReferences: [{ apiVersion: "apps/v1", kind: "StatefulSet", name: "db", uid: "1", controller: true }] },
  };
  const placed = (): unknown => (ask({ feeds: ["apps/v1/StatefulSet/shop/db"] }).json as { placed?: unknown }).placed;
  expect(placed()).toEqual({ "apps/v1/StatefulSet/shop/db": 0 });
  pods.listed(count(aPod("d0", { nodeName: "a" }, ofDb)), count(aPod("d1", {}, ofDb)));
  expect(placed()).toEqual({ "apps/v1/StatefulSet/shop/db": 1 });
  pods.listed();
  expect(placed()).toEqual({ "apps/v1/StatefulSet/shop/db": 0 });
});

test("equal requests of many pods are kept once", () => {
  const [a, b] = ["a", "b"].map((name) => count(aPod(name, { nodeName: "a", containers: [container("1")] })));
  expect(a?.requests).toBe(b?.requests);
  expect(a?.labels).toBe(b?.labels);
  expect(Object.keys(a ?? {}).toSorted()).toEqual(["apiVersion", "kind", "labels", "metadata", "nodeName", "owner", "requests"]);
});
