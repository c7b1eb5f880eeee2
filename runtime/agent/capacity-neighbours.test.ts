// capacityOf with what binds a replica to other pods of a node: ports of the host, affinity to pods, volumes; each as kube-scheduler places it.
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { PredictAnswer, PredictRequest } from "#api/proxies/v1alpha1/predictor.ts";
import { amountsOf } from "./amounts.ts";
import { capacityOf, type ClusterRoom, type NodeRoom } from "./capacity.ts";
import type { PlacedPod } from "./pod-affinity.ts";

const HOSTNAME = "kubernetes.io/hostname";
const ZONE = "topology.kubernetes.io/zone";

/** Four nodes with 4 cpus each: a1 and a2 in zone a, b1 in zone b, and one that says no zone. */
function aNode(name: string, more: Partial<NodeRoom> = {}): NodeRoom {
  const zone = name.slice(0, 1);
  const labels = { [HOSTNAME]: name, ...(zone === "x" ? {} : { [ZONE]: zone }) };
  const allocatable = amountsOf({ cpu: "4", memory: "8Gi", pods: "110" });
  return { name, labels, taints: [], isUnschedulable: false, allocatable, used: amountsOf({}), pods: 0, ...more };
}
const four = ["a1", "a2", "b1", "x1"].map((name) => aNode(name));

function aPod(nodeName: string, labels: Readonly<Record<string, string>>, more: Partial<PlacedPod> = {}): PlacedPod {
  return { nodeName, namespace: "shop", labels, antiAffinity: [], isNominated: false, ...more };
}

function clusterOf(nodes: readonly NodeRoom[], pods: readonly PlacedPod[] = []): ClusterRoom {
  const withAntiAffinity = (): readonly PlacedPod[] => pods.filter(({ antiAffinity }) => antiAffinity.length > 0);
  return { nodes, quotas: [], placed: { all: () => pods, withAntiAffinity } };
}

const cpu = { resources: { requests: { cpu: "1" } }, namespace: "shop" };
const count = (cluster: ClusterRoom, request: PredictRequest): number =>
  capacityOf(cluster, { ...cpu, ...request }).replicas.default;

describe("ports of the host", () => {
  const ports = (...taken: string[]): Partial<NodeRoom> => ({ ports: new Map(taken.map((port) => [port, 1])) });
  const tcp = [{ port: 8080 }];
  test.each<[string, readonly NodeRoom[], PredictRequest, number]>([
    ["one replica for each node", four, { hostPorts: tcp }, 4],
    ["not where a pod has it", [aNode("a1", ports("TCP 8080 0.0.0.0")), aNode("a2")], { hostPorts: tcp }, 1],
    ["not where a pod has it at one address", [aNode("a1", ports("TCP 8080 10.0.0.1"))], { hostPorts: tcp }, 0],
    ["beside another address", [aNode("a1", ports("TCP 8080 10.0.0.1"))], { hostPorts: [{ port: 8080, hostIP: "10.0.0.2" }] }, 1],
    ["beside another protocol", [aNode("a1", ports("UDP 8080 0.0.0.0"))], { hostPorts: tcp }, 1],
    ["beside another port", [aNode("a1", ports("TCP 80 0.0.0.0"))], { hostPorts: tcp }, 1],
    ["no more than the resources", [aNode("a1", { used: amountsOf({ cpu: "4" }) }), aNode("a2")], { hostPorts: tcp }, 1],
  ])("%s", (...[, nodes, request, expected]) => {
    expect(count(clusterOf(nodes), request)).toBe(expected);
  });
});

type Term = NonNullable<PlacedPod["antiAffinity"]>[number];
const web = { app: "web" };
const like = (labels: Readonly<Record<string, string>>, topologyKey: string, more: object = {}): Term => ({
  labelSelector: { matchLabels: labels },
  topologyKey,
  ...more,
});
const apart = (...terms: Term[]): PredictRequest => ({
  affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
  podLabels: web,
});
const near = (...terms: Term[]): PredictRequest => ({
  affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
  podLabels: web,
});

describe("anti-affinity to pods", () => {
  const zone = [like(web, ZONE)];
  test.each<[string, readonly PlacedPod[], PredictRequest, number]>([
    ["to its like, by node: one for each", [], apart(like(web, HOSTNAME)), 4],
    ["to its like, by node: not where one runs", [aPod("a1", web)], apart(like(web, HOSTNAME)), 3],
    ["to its like, by zone: one for each, and any number where there is no zone", [], apart(like(web, ZONE)), 2 + 4],
    ["to its like, by zone: not in a zone where one runs", [aPod("a1", web)], apart(like(web, ZONE)), 1 + 4],
    ["by zone and by node", [], apart(like(web, ZONE), like(web, HOSTNAME)), 3],
    ["to others, by node: as many as fit elsewhere", [aPod("b1", { app: "db" })], apart(like({ app: "db" }, HOSTNAME)), 12],
    [
      "to others, in another namespace: not meant",
      [aPod("b1", { app: "db" }, { namespace: "x" })],
      apart(like({ app: "db" }, HOSTNAME)),
      16,
    ],
    [
      "to others, in a namespace that is said",
      [aPod("b1", { app: "db" }, { namespace: "x" })],
      apart(like({ app: "db" }, HOSTNAME, { namespaces: ["x"] })),
      12,
    ],
    [
      "by labels of namespaces: any may be meant",
      [aPod("b1", { app: "db" }, { namespace: "x" })],
      apart(like({ app: "db" }, HOSTNAME, { namespaceSelector: { matchLabels: { a: "b" } } })),
      12,
    ],
    ["without a selector: nobody is meant", [aPod("b1", web)], apart({ topologyKey: HOSTNAME }), 16],
    ["whose labels nobody says: taken for its like", [], { ...apart(like({ app: "db" }, HOSTNAME)), podLabels: null }, 4],
    [
      "by a label that only the pod gets: every revision is meant",
      [aPod("a1", { ...web, "pod-template-hash": "1" })],
      apart(like(web, HOSTNAME, { matchLabelKeys: ["pod-template-hash"] })),
      3,
    ],
    ["of a pod that runs, to the replica", [aPod("a1", { app: "db" }, { antiAffinity: zone })], { podLabels: web }, 8],
    ["of a pod that runs, to its like only", [aPod("a1", web, { antiAffinity: zone })], { podLabels: { app: "db" } }, 16],
    ["of a pod that runs, when nobody says the labels: to its like only", [aPod("a1", web, { antiAffinity: zone })], {}, 16],
    ["of a pod that runs, when nobody says the labels: to others", [aPod("a1", { app: "db" }, { antiAffinity: zone })], {}, 8],
    [
      "of a pod that runs, in its own namespace",
      [aPod("a1", web, { antiAffinity: zone, namespace: "x" })],
      { podLabels: web },
      16,
    ],
    ["a node that is only promised counts", [aPod("a1", web, { isNominated: true })], apart(like(web, HOSTNAME)), 3],
    ["a pod on a node that nobody knows", [aPod("gone", web)], apart(like(web, HOSTNAME)), 4],
  ])("%s", (...[, pods, request, expected]) => {
    expect(count(clusterOf(four, pods), request)).toBe(expected);
  });

  test("places that cross each other: what one choice leaves", () => {
    const racks = ["1", "2", "2"].map((rack, index) =>
      aNode(`${index < 2 ? "a" : "b"}${String(index)}`, { labels: { [ZONE]: index < 2 ? "a" : "b", rack } }),
    );
    expect(count(clusterOf(racks), apart(like(web, ZONE), like(web, "rack")))).toBe(1);
  });
});

describe("affinity to pods", () => {
  const db = aPod("a2", { app: "db" });
  test.each<[string, readonly PlacedPod[], PredictRequest, number]>([
    ["in the zone of another", [db], near(like({ app: "db" }, ZONE)), 8],
    ["on the node of another", [db], near(like({ app: "db" }, HOSTNAME)), 4],
    ["where nobody is whom it needs", [], near(like({ app: "db" }, ZONE)), 0],
    ["a pod must meet every term", [db, aPod("a1", { ...web, tier: "1" })], near(like({ app: "db" }, ZONE), like(web, ZONE)), 0],
    ["to its like that runs", [aPod("b1", web)], near(like(web, ZONE)), 4],
    ["to its like, nobody runs: whichever place comes first", [], near(like(web, ZONE)), 4],
    ["to its like by node, nobody runs", [], near(like(web, HOSTNAME)), 4],
    [
      "one that is only promised a node is not there yet",
      [aPod("a1", { app: "db" }, { isNominated: true })],
      near(like({ app: "db" }, ZONE)),
      0,
    ],
    ["by labels of namespaces: not counted", [db], near(like({ app: "db" }, ZONE, { namespaceSelector: {} })), 0],
    [
      "by a label that only the pod gets: not counted",
      [aPod("a1", web)],
      near(like(web, ZONE, { matchLabelKeys: ["pod-template-hash"] })),
      0,
    ],
    [
      "by a label that it says",
      [aPod("a1", { ...web, v: "1" }), aPod("b1", { ...web, v: "2" })],
      { ...near(like(web, ZONE, { matchLabelKeys: ["v"] })), podLabels: { ...web, v: "2" } },
      4,
    ],
    ["in an unknown namespace: not counted", [db], { ...near(like({ app: "db" }, ZONE)), namespace: null }, 0],
  ])("%s", (...[, pods, request, expected]) => {
    expect(count(clusterOf(four, pods), request)).toBe(expected);
  });

  test("in one zone, one on each node", () => {
    const both = {
      ...near(like(web, ZONE)),
      affinity: { ...near(like(web, ZONE)).affinity, ...apart(like(web, HOSTNAME)).affinity },
    };
    const zones = ["a1", "a2", "b1", "b2", "b3"].map((name) => aNode(name));
    expect(count(clusterOf(zones), both)).toBe(2);
    expect(count(clusterOf(zones, [aPod("b1", web)]), both)).toBe(2);
  });

  test("why nodes take none is said; a place never gets more than the cluster", () => {
    const answer = capacityOf(clusterOf(four, [aPod("a1", web)]), { ...cpu, ...apart(like(web, ZONE)) });
    expect(answer.unfit).toEqual({ "pod anti-affinity": 2 });
    expect(capacityOf(clusterOf(four), { ...cpu, ...near(like(web, ZONE, { namespaceSelector: {} })) }).unfit).toEqual({
      "pod affinity that is not counted here: by labels of namespaces, or by a label that nobody says": 4,
    });
    const open = capacityOf(clusterOf(four), { ...cpu, ...near(like(web, ZONE)), topology: ["zone"] });
    expect(open).toMatchObject({ replicas: { default: 4 }, topology: { zone: { a: 4, b: 4 } } });
  });
});

describe("volumes", () => {
  const storageClasses = () => [
    { name: "fast", provisioner: "csi.fast", isDefault: false },
    { name: "slow", provisioner: "csi.slow", isDefault: true },
  ];
  const limit = (drivers: Readonly<Record<string, number>>, ...claims: string[]): Partial<NodeRoom> => ({
    attachable: () => new Map(Object.entries(drivers).map(([driver, most]) => [driver, BigInt(most)])),
    claims: new Map(claims.map((claim) => [claim, 1])),
  });
  test.each<[string, Partial<NodeRoom>, NonNullable<PredictRequest["volumes"]>, number]>([
    ["as many as the driver attaches", limit({ "csi.fast": 3 }), [{ storageClassName: "fast" }], 3],
    ["two for each replica", limit({ "csi.fast": 3 }), [{ storageClassName: "fast" }, { storageClassName: "fast" }], 1],
    ["beside those that are attached", limit({ "csi.fast": 3 }, "shop/a", "shop/b"), [{ storageClassName: "fast" }], 1],
    ["of the default class", limit({ "csi.slow": 2, "csi.fast": 1 }), [{}], 2],
    [
      "of a class that is not there: the strictest driver",
      limit({ "csi.slow": 2, "csi.fast": 1 }),
      [{ storageClassName: "gone" }],
      1,
    ],
    ["of a driver without a limit", limit({ "csi.fast": 0 }), [{ storageClassName: "slow" }], 4],
    ["on a node that says nothing", {}, [{ storageClassName: "fast" }], 4],
    ["a shared claim is attached once", limit({ "csi.fast": 1 }), [{ claimName: "data" }], 4],
    ["a shared claim that is there already", limit({ "csi.fast": 1 }, "shop/data"), [{ claimName: "data" }], 4],
    ["a shared claim on a full node", limit({ "csi.fast": 1 }, "shop/other"), [{ claimName: "data" }], 0],
    ["an overcommitted node", limit({ "csi.fast": 1 }, "shop/a", "shop/b"), [{ storageClassName: "fast" }], 0],
  ])("%s", (...[, node, volumes, expected]) => {
    expect(count({ ...clusterOf([aNode("a1", node)]), storageClasses }, { volumes })).toBe(expected);
  });
});

/** As kube-scheduler: one after the other, each on a node that it may have; `pick` chooses among them. */
function placeOneByOne(nodes: readonly NodeRoom[], { pods, keys, isNear, pick }: Greedy): number {
  const free = new Map(nodes.map(({ name }) => [name, 4]));
  const placed = pods.map(({ nodeName }) => nodeName);
  for (let replicas = 0; ; replicas += 1) {
    const shares = (a: NodeRoom, name: string, key: string): boolean => {
      const other = nodes.find((node) => node.name === name);
      return a.labels[key] !== undefined && a.labels[key] === other?.labels[key];
    };
    const fits = nodes.filter((node) => {
      if ((free.get(node.name) ?? 0) <= 0) return false;
      if (!isNear) return !keys.some((key) => placed.some((name) => shares(node, name, key)));
      if (keys.some((key) => node.labels[key] === undefined)) return false;
      return placed.length === 0 || keys.every((key) => placed.some((name) => shares(node, name, key)));
    });
    const chosen = fits[pick(fits.length)];
    if (chosen === undefined) return replicas;
    free.set(chosen.name, (free.get(chosen.name) ?? 0) - 1);
    placed.push(chosen.name);
  }
}

interface Greedy {
  readonly pods: readonly PlacedPod[];
  readonly keys: readonly string[];
  readonly isNear: boolean;
  readonly pick: (choices: number) => number;
}

test("never more than are placed one by one, whoever is chosen", () => {
  const name = fc.tuple(fc.constantFrom("a", "b", "c", "x"), fc.nat(9)).map(([zone, index]) => `${zone}${String(index)}`);
  const key = fc.constantFrom(HOSTNAME, ZONE);
  fc.assert(
    fc.property(
      fc.record({
        names: fc.uniqueArray(name, { minLength: 1, maxLength: 6 }),
        running: fc.array(fc.nat(5), { maxLength: 2 }),
        keys: fc.uniqueArray(key, { minLength: 1 }),
        isNear: fc.boolean(),
        picks: fc.infiniteStream(fc.nat()),
      }),
      ({ names, running, keys, isNear, picks }) => {
        const nodes = names.map((each) => aNode(each));
        const pods = running.flatMap((index) => (names[index] === undefined ? [] : [aPod(names[index], web)]));
        const terms = keys.map((topologyKey) => like(web, topologyKey));
        const said = count(clusterOf(nodes, pods), isNear ? near(...terms) : apart(...terms));
        const pick = (choices: number): number => (choices === 0 ? 0 : (picks.next().value as number) % choices);
        expect(said).toBeLessThanOrEqual(placeOneByOne(nodes, { pods, keys, isNear, pick }));
      },
    ),
  );
});

test("an answer is a whole one whatever is asked", () => {
  const said: PredictAnswer = capacityOf(clusterOf(four), { ...cpu, hostPorts: [], volumes: [], podLabels: {} });
  expect(said.replicas.default).toBe(16);
});
