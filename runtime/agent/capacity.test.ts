// capacityOf: what one node and many take, as kube-scheduler would place it; properties that hold for any cluster.
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { PredictRequest } from "#api/proxies/v1alpha1/predictor.ts";
import { amountsOf } from "./amounts.ts";
import { capacityOf, type ClusterRoom, type NodeRoom } from "./capacity.ts";

type Quantities = Readonly<Record<string, string>>;

function aNode(
  name: string,
  {
    allocatable = {},
    used = {},
    pods = 0,
    ...rest
  }: Partial<Omit<NodeRoom, "allocatable" | "used">> & {
    readonly allocatable?: Quantities;
    readonly used?: Quantities;
  } = {},
): NodeRoom {
  const all = { cpu: "4", memory: "8Gi", pods: "110", ...allocatable };
  const common = { name, labels: {}, taints: [], isUnschedulable: false, pods };
  return { ...common, allocatable: amountsOf(all), used: amountsOf(used), ...rest };
}

const room = (...nodes: NodeRoom[]): ClusterRoom => ({ nodes, quotas: [] });
const asks = (requests: Quantities, rest: PredictRequest = {}): PredictRequest => ({ resources: { requests }, ...rest });
const count = (cluster: ClusterRoom, request: PredictRequest): number => capacityOf(cluster, request).replicas.default;

describe("one node takes", () => {
  const gpu = { allocatable: { "nvidia.com/gpu": "2" } };
  test.each<[string, NodeRoom, PredictRequest, number]>([
    ["what its scarcest resource leaves", aNode("a"), asks({ cpu: "500m", memory: "3Gi" }), 2],
    ["nothing beside what already runs", aNode("a", { used: { cpu: "3900m" } }), asks({ cpu: "200m" }), 0],
    ["what is left of a resource, exactly", aNode("a", { used: { cpu: "3900m" } }), asks({ cpu: "100m" }), 1],
    ["a pod for each free slot when nothing is asked for", aNode("a", { pods: 100 }), {}, 10],
    ["no more than the free slots, whatever is asked for", aNode("a", { pods: 109 }), asks({ cpu: "1m" }), 1],
    ["nothing when it is overcommitted", aNode("a", { used: { cpu: "40" }, pods: 200 }), asks({ cpu: "1" }), 0],
    ["nothing of a resource that it does not have", aNode("a"), asks({ "nvidia.com/gpu": "1" }), 0],
    ["whole devices", aNode("a", gpu), asks({ "nvidia.com/gpu": "1", cpu: "10m" }), 2],
    ["everything when zero is asked for", aNode("a"), asks({ cpu: "0", "nvidia.com/gpu": "0" }), 110],
    ["by the limit where no request is set", aNode("a"), { resources: { limits: { cpu: "2" } } }, 2],
    ["cpu in thousandths, rounded up", aNode("a"), asks({ cpu: "1100u" }), 110],
    ["memory in whole bytes, rounded up", aNode("a", { allocatable: { memory: "3" } }), asks({ memory: "1500m" }), 1],
    [
      "sizes beyond what a double holds",
      aNode("a", { allocatable: { memory: "9007199254740993" } }),
      asks({ memory: "9007199254740993" }),
      1,
    ],
    ["nothing while it is cordoned", aNode("a", { isUnschedulable: true }), {}, 0],
    ["numbers as quantities", aNode("a"), { resources: { requests: { cpu: 2 } } }, 2],
  ])("%s", (...[, node, request, expected]) => {
    expect(count(room(node), request)).toBe(expected);
  });
});

describe("a node counts only when kube-scheduler considers it", () => {
  const terms = (...nodeSelectorTerms: object[]): PredictRequest => ({
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
  });
  const expression = (key: string, operator: string, ...values: string[]) => ({ matchExpressions: [{ key, operator, values }] });
  const tainted = (effect: string) => [{ key: "dedicated", value: "db", effect }];
  const labels = { disk: "ssd", cores: "8" };
  test.each<[string, Pick<Partial<NodeRoom>, "labels" | "taints" | "isUnschedulable">, PredictRequest, boolean]>([
    ["a label that is asked for", { labels }, { nodeSelector: { disk: "ssd" } }, true],
    ["another value", { labels }, { nodeSelector: { disk: "hdd" } }, false],
    ["a label called like a property of every object", {}, { nodeSelector: { constructor: "x" } }, false],
    ["In", { labels }, terms(expression("disk", "In", "nvme", "ssd")), true],
    ["NotIn holds without the label", {}, terms(expression("disk", "NotIn", "ssd")), true],
    ["Exists", {}, terms(expression("disk", "Exists")), false],
    ["DoesNotExist", {}, terms(expression("disk", "DoesNotExist")), true],
    ["Gt", { labels }, terms(expression("cores", "Gt", "7")), true],
    ["Lt", { labels }, terms(expression("cores", "Lt", "8")), false],
    ["Gt of what is no number", { labels }, terms(expression("disk", "Gt", "1")), false],
    ["one of two terms", { labels }, terms(expression("disk", "Exists"), expression("gone", "Exists")), true],
    ["a term by name", {}, terms({ matchFields: [{ key: "metadata.name", operator: "In", values: ["node"] }] }), true],
    ["an empty term", { labels }, terms({}), false],
    ["no term", { labels }, terms(), false],
    ["a preferred affinity", {}, { affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } } }, true],
    ["a taint", { taints: tainted("NoSchedule") }, {}, false],
    ["a taint that evicts", { taints: tainted("NoExecute") }, {}, false],
    ["a taint that only discourages", { taints: tainted("PreferNoSchedule") }, {}, true],
    ["a tolerated taint", { taints: tainted("NoSchedule") }, { tolerations: [{ key: "dedicated", value: "db" }] }, true],
    [
      "a toleration of another effect",
      { taints: tainted("NoSchedule") },
      { tolerations: [{ key: "dedicated", operator: "Exists", effect: "NoExecute" }] },
      false,
    ],
    ["everything tolerated, a cordon too", { isUnschedulable: true }, { tolerations: [{ operator: "Exists" }] }, true],
  ])("%s: %#", (...[, node, request, isCounted]) => {
    expect(count(room(aNode("node", node)), request)).toBe(isCounted ? 110 : 0);
  });
});

test("nodes are added up, and by place, where they say which", () => {
  const zone = (name: string) => ({ "topology.kubernetes.io/zone": name, "topology.kubernetes.io/region": "eu" });
  const nodes = [
    aNode("a", { labels: { ...zone("eu-1"), "kubernetes.io/hostname": "a" } }),
    aNode("b", { labels: zone("eu-2"), used: { cpu: "3" } }),
    aNode("c", { labels: zone("eu-2") }),
    aNode("full", { labels: zone("eu-3"), pods: 110 }),
    aNode("nowhere"),
  ];
  expect(capacityOf(room(...nodes), asks({ cpu: "1" }, { topology: ["zone", "region", "hostname"] }))).toEqual({
    replicas: { default: 13 },
    topology: { zone: { "eu-1": 4, "eu-2": 5 }, region: { eu: 9 }, hostname: { a: 4 } },
    unfit: { "insufficient pods": 1 },
  });
});

test("a chart of several pods may lie on several nodes", () => {
  const chart = asks({ cpu: "6", pods: "3" });
  expect(count(room(aNode("a"), aNode("b"), aNode("c")), chart)).toBe(2);
  expect(count(room(aNode("a", { pods: 109 }), aNode("b", { pods: 109 })), chart)).toBe(0);
});

describe("a quota of the namespace", () => {
  const quota = (hard: Quantities, used: Quantities = {}, scopes: string[] = []) => ({
    hard: amountsOf(hard),
    used: amountsOf(used),
    scopes,
  });
  test.each<[string, ReturnType<typeof quota>[], PredictRequest, number]>([
    ["of requests", [quota({ "requests.cpu": "2" }, { "requests.cpu": "500m" })], asks({ cpu: "500m" }), 3],
    ["by its short name", [quota({ cpu: "1" })], asks({ cpu: "500m" }), 2],
    ["of limits", [quota({ "limits.memory": "1Gi" })], { resources: { limits: { memory: "512Mi" } } }, 2],
    ["of pods", [quota({ pods: "5" }, { pods: "4" })], {}, 1],
    ["that is used up", [quota({ "count/pods": "5" }, { "count/pods": "7" })], {}, 0],
    ["of devices", [quota({ "requests.nvidia.com/gpu": "1" })], asks({ cpu: "1m" }), 110],
    ["and another one", [quota({ pods: "5" }), quota({ cpu: "1" })], asks({ cpu: "500m" }), 2],
    ["of pods that ask for nothing", [quota({ pods: "1" }, {}, ["BestEffort"])], asks({ cpu: "1m" }), 110],
    ["of pods that ask for something", [quota({ pods: "1" }, {}, ["NotBestEffort", "NotTerminating"])], asks({ cpu: "1m" }), 1],
    ["of a priority class that nobody told us of", [quota({ pods: "1" }, {}, ["PriorityClass"])], {}, 110],
  ])("%s", (...[, quotas, request, expected]) => {
    expect(count({ nodes: [aNode("a")], quotas }, request)).toBe(expected);
  });

  test("that is used up is said", () => {
    expect(capacityOf({ nodes: [aNode("a")], quotas: [quota({ pods: "0" })] }, {}).unfit).toEqual({ "quota: pods": 1 });
  });
});

test("what is no quantity is refused", () => {
  expect(() => capacityOf(room(), asks({ cpu: "much" }))).toThrow(/"much" of cpu/);
});

describe("for any cluster", () => {
  const millis = fc.integer({ min: 0, max: 20_000 });
  const nodes = fc.array(
    fc.record({ cpu: millis, usedCpu: millis, memory: millis, usedMemory: millis, slots: fc.nat(20), pods: fc.nat(30) }),
    { maxLength: 6 },
  );
  const made = (
    each: { cpu: number; usedCpu: number; memory: number; usedMemory: number; slots: number; pods: number },
    index: number,
  ) =>
    aNode(`n${String(index)}`, {
      allocatable: { cpu: `${String(each.cpu)}m`, memory: `${String(each.memory)}Mi`, pods: String(each.slots) },
      used: { cpu: `${String(each.usedCpu)}m`, memory: `${String(each.usedMemory)}Mi` },
      pods: each.pods,
      labels: { "topology.kubernetes.io/zone": `z${String(index % 2)}` },
    });
  const request = fc.record({ cpu: fc.nat(3_000), memory: fc.nat(3_000) });

  /** As kube-scheduler does it: one pod after the other, on any node that has room. */
  function placedOneByOne(cluster: ClusterRoom, asked: PredictRequest): number {
    let placed = 0;
    const left = cluster.nodes.map((node) => ({ ...node, used: new Map(node.used) }));
    const need = amountsOf(asked.resources?.requests ?? {});
    for (;;) {
      const node = left.find(
        ({ allocatable, used, pods }) =>
          BigInt(pods) < (allocatable.get("pods") ?? 0n) &&
          [...need].every(([name, amount]) => amount === 0n || (allocatable.get(name) ?? 0n) - (used.get(name) ?? 0n) >= amount),
      );
      if (node === undefined) return placed;
      Object.assign(node, { pods: node.pods + 1 });
      for (const [name, amount] of need) node.used.set(name, (node.used.get(name) ?? 0n) + amount);
      placed += 1;
    }
  }

  test("the answer is how many pods fit, one after the other", () => {
    fc.assert(
      fc.property(nodes, request, (parts, { cpu, memory }) => {
        const cluster = room(...parts.map(made));
        const asked = asks({ cpu: `${String(cpu)}m`, memory: `${String(memory)}Mi` }, { topology: ["zone"] });
        const { replicas, topology = {} } = capacityOf(cluster, asked);
        expect(replicas.default).toBe(placedOneByOne(cluster, asked));
        expect(Object.values(topology.zone ?? {}).reduce((sum, each) => sum + each, 0)).toBe(replicas.default);
      }),
    );
  });

  test("more room never means a smaller answer, and the order of nodes means nothing", () => {
    fc.assert(
      fc.property(nodes, request, (parts, { cpu, memory }) => {
        const asked = asks({ cpu: `${String(cpu)}m`, memory: `${String(memory)}Mi` });
        const all = parts.map(made);
        const answer = count(room(...all), asked);
        expect(count(room(...all.toReversed()), asked)).toBe(answer);
        expect(count(room(...all, aNode("more")), asked)).toBeGreaterThanOrEqual(answer);
        expect(answer).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test("an answer fits an int32", () => {
    const huge = aNode("huge", { allocatable: { cpu: "9E", memory: "9Ei", pods: "9E" } });
    expect(count(room(huge, huge), asks({ cpu: "1m" }))).toBe(2_147_483_647);
  });
});
