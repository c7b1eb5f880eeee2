// What a child says that fits is what its real kube-scheduler then places, no less and no more; asked through the real hub.

import { symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { execa } from "execa";
import { Manifest } from "#api/apps/v1alpha1/manifest.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { PredictAnswer, PredictRequest } from "#api/proxies/v1alpha1/predictor.ts";
import { predictorPaths } from "#api/proxies/v1alpha1/predictor.ts";
import { socketPredictorPath } from "#api/proxies/v1alpha1/socket.ts";
import { Namespace, Pod } from "#kube/builtin-kinds.ts";
import type { Client } from "#kube/client.ts";
import { runCli } from "#cli/cli.ts";
import { createAskCluster } from "#scheduler/ask-predictor.ts";
import { loadProfiles } from "#scheduler/load-profiles.ts";
import { parseSchedulerOptions } from "#scheduler/options.ts";
import { createScheduler } from "#scheduler/scheduler.ts";
import { StraightConnections } from "#scheduler/straight-connections.ts";
import { readStraightCredentials } from "#scheduler/straight-credentials.ts";
import { realClock } from "#std/clock.ts";
import { silentLogger } from "#std/log.ts";
import type { ControlPlane } from "#test/framework/control-plane.ts";
import { eventually } from "#test/framework/eventually.ts";
import { tokenOf } from "#test/conformance/hub-objects.ts";
import {
  addNode,
  startCapacityFleet,
  type CapacityFleet,
  type FleetChild,
  type NodeShape,
} from "#test/scenarios/capacity-fleet.ts";
import { prepareDirectPredictor, type DirectPredictor } from "#test/scenarios/direct-predictor.ts";
import { kubectlEnvironment } from "#tools/kubectl.ts";
import { resolveTool } from "#tools/toolchain.ts";

const START_MS_MAX = 180_000;
const zone = (name: string) => ({ "topology.kubernetes.io/zone": name });
const { signal } = new AbortController();
let fleet: CapacityFleet;
let child: FleetChild;
/** Of child-2. */
let direct: DirectPredictor;
let ask: (request: PredictRequest) => Promise<PredictAnswer>;

beforeAll(async () => {
  direct = await prepareDirectPredictor();
  const shapes: readonly (readonly NodeShape[])[] = [
    [
      { name: "small", allocatable: { cpu: "2", memory: "4Gi", pods: "20" }, labels: zone("a") },
      { name: "large", allocatable: { cpu: "8", memory: "8Gi", pods: "20" }, labels: zone("b") },
      { name: "gpu", allocatable: { cpu: "4", memory: "8Gi", pods: "20", "nvidia.com/gpu": "3" }, labels: zone("b") },
      {
        name: "db",
        allocatable: { cpu: "4", memory: "8Gi", pods: "20" },
        labels: { ...zone("a"), disk: "ssd" },
        spec: { taints: [{ key: "dedicated", value: "db", effect: "NoSchedule" }] },
      },
      {
        name: "cordoned",
        allocatable: { cpu: "64", memory: "64Gi", pods: "20" },
        labels: zone("a"),
        spec: { unschedulable: true },
      },
    ],
    [{ name: "only", allocatable: { cpu: "4", memory: "8Gi", pods: "20" } }],
  ];
  fleet = await startCapacityFleet(shapes, { agentFlags: { "child-2": direct.agentFlags } });
  child = fleet.children[0]!;
  const askCluster = createAskCluster({ parent: fleet.scheduler, straight: undefined });
  ask = async (request) => askCluster(await fleet.cluster(child.name), request, signal);
}, START_MS_MAX);
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  await direct[Symbol.asyncDispose]();
});

/** JSON is YAML. */
function kubeconfigText({
  server,
  caPem,
  token,
}: {
  readonly server: string;
  readonly caPem: string;
  readonly token: string;
}): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "c",
    contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
    clusters: [{ name: "c", cluster: { server, "certificate-authority-data": Buffer.from(caPem).toString("base64") } }],
    users: [{ name: "u", user: { token } }],
  });
}

const namespaceOf = (namespace: string) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });

async function placeUntilFull(
  namespace: string,
  { spec, most }: { readonly spec: object | ((index: number) => object); readonly most: number },
): Promise<number> {
  if ((await child.client.get(Namespace, { name: namespace }, signal)) === undefined)
    await child.client.create(Namespace, namespaceOf(namespace), signal);
  await eventually("its account is there", async () => {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/default`;
    return (await child.client.request({ method: "GET", path }, signal)).status === 200;
  });
  const specOf = (index: number): object => (typeof spec === "function" ? (spec as (index: number) => object)(index) : spec);
  const names = Array.from({ length: most }, (_, index) => `p${String(index)}`);
  for (const [index, name] of names.entries()) {
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { namespace, name, labels: { app: namespace } },
      spec: { containers: [{ name: "c", image: "c" }], ...specOf(index) },
    };
    await child.client.create(Pod, pod, signal);
  }
  return await eventually("kube-scheduler has judged every pod", async () => {
    const { items } = await child.client.list(Pod, { namespace }, signal);
    const scheduled = items.map(({ status }) => status?.conditions?.find(({ type }) => type === "PodScheduled")?.status);
    if (scheduled.length < most || scheduled.includes(undefined)) return undefined;
    return { placed: scheduled.filter((status) => status === "True").length };
  }).then(({ placed }) => placed);
}

async function clear(namespace: string): Promise<void> {
  await child.client.delete(Namespace, { name: namespace }, {}, signal);
  await eventually(
    `${namespace} is gone`,
    async () => (await child.client.get(Namespace, { name: namespace }, signal)) === undefined,
  );
}

const containers = (requests: Readonly<Record<string, string>>, more: object = {}) => [
  { name: "c", image: "c", resources: { requests, ...more } },
];
const dbToleration = [{ key: "dedicated", operator: "Equal" as const, value: "db", effect: "NoSchedule" as const }];
const onSsd = {
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchExpressions: [{ key: "disk", operator: "In" as const, values: ["ssd"] }] }],
    },
  },
};

/** Of pods with the label that placeUntilFull gives them in this namespace. */
const terms = (which: "podAffinity" | "podAntiAffinity", app: string, ...keys: readonly string[]) => ({
  [which]: {
    requiredDuringSchedulingIgnoredDuringExecution: keys.map((topologyKey) => ({
      labelSelector: { matchLabels: { app } },
      topologyKey,
    })),
  },
});
const byNode = terms("podAntiAffinity", "full", "kubernetes.io/hostname");
const byZone = terms("podAntiAffinity", "full", "topology.kubernetes.io/zone", "kubernetes.io/hostname");
const like = { podLabels: { app: "full" }, namespace: "full" };

describe("N fit, N + 1 do not", () => {
  test.each<[string, PredictRequest, object, number]>([
    [
      "by cpu, on nodes of different sizes",
      { resources: { requests: { cpu: "1500m" } } },
      { containers: containers({ cpu: "1500m" }) },
      8,
    ],
    ["by memory", { resources: { requests: { memory: "3Gi" } } }, { containers: containers({ memory: "3Gi" }) }, 5],
    ["by slots, when nothing is asked for", {}, {}, 60],
    [
      "by devices",
      { resources: { requests: { "nvidia.com/gpu": "1" }, limits: { "nvidia.com/gpu": "1" } } },
      { containers: containers({ "nvidia.com/gpu": "1" }, { limits: { "nvidia.com/gpu": "1" } }) },
      3,
    ],
    [
      "on a tainted node, by affinity",
      { resources: { requests: { cpu: "1" } }, tolerations: dbToleration, affinity: onSsd },
      { containers: containers({ cpu: "1" }), tolerations: dbToleration, affinity: onSsd },
      4,
    ],
    [
      "by a node selector",
      { resources: { requests: { cpu: "1" } }, nodeSelector: zone("b") },
      { containers: containers({ cpu: "1" }), nodeSelector: zone("b") },
      12,
    ],
    [
      "by a port of the host",
      { hostPorts: [{ port: 9000 }] },
      { containers: [{ name: "c", image: "c", ports: [{ containerPort: 80, hostPort: 9000 }] }] },
      3,
    ],
    ["one on each node", { affinity: byNode, ...like }, { affinity: byNode }, 3],
    ["one in each zone", { affinity: byZone, ...like }, { affinity: byZone }, 2],
  ])(
    "%s",
    async (...[, request, spec, expected]) => {
      const { replicas } = await ask(request);
      expect(replicas.default).toBe(expected);
      expect(await placeUntilFull("full", { spec, most: expected + 1 })).toBe(expected);
      await eventually("nothing more fits", async () => (await ask(request)).replicas.default === 0);
      await clear("full");
      await eventually("all of it is free again", async () => (await ask(request)).replicas.default === expected);
    },
    120_000,
  );

  test("beside what runs, with its init containers, sidecars and overhead", async () => {
    const running = {
      initContainers: [
        { name: "proxy", image: "c", restartPolicy: "Always", resources: { requests: { cpu: "500m" } } },
        { name: "setup", image: "c", resources: { requests: { cpu: "1800m" } } },
      ],
      containers: containers({ cpu: "700m" }),
    };
    // Each holds 2300m (its init container with the sidecar), so they go to the large nodes: 3 and 1.
    expect(await placeUntilFull("runs", { spec: running, most: 4 })).toBe(4);
    const request = { resources: { requests: { cpu: "500m" } } };
    const { default: left } = (await ask(request)).replicas;
    expect(await placeUntilFull("beside", { spec: { containers: containers({ cpu: "500m" }) }, most: left + 1 })).toBe(left);
    await clear("runs");
    await clear("beside");
  }, 120_000);
});

describe("beside other pods", () => {
  const inZone = { nodeSelector: { "kubernetes.io/hostname": "gpu" } };
  test.each<[string, PredictRequest["affinity"], object, number]>([
    ["in the zone of what it needs", terms("podAffinity", "first", "topology.kubernetes.io/zone"), {}, 12],
    ["on the node of what it needs", terms("podAffinity", "first", "kubernetes.io/hostname"), {}, 4],
    ["out of the zone of what it keeps away from", terms("podAntiAffinity", "first", "topology.kubernetes.io/zone"), {}, 2],
    [
      "out of the zone of what keeps it away",
      undefined,
      { affinity: terms("podAntiAffinity", "second", "topology.kubernetes.io/zone") },
      2,
    ],
  ])(
    "%s",
    async (...[, affinity, first, expected]) => {
      const everywhere = withNamespace(affinity, "first");
      const keepsAway = withNamespace((first as { readonly affinity?: PredictRequest["affinity"] }).affinity, "second");
      const spec = { ...inZone, ...(keepsAway === undefined ? {} : { affinity: keepsAway }) };
      expect(await placeUntilFull("first", { spec, most: 1 })).toBe(1);
      const place = everywhere === undefined ? {} : { affinity: everywhere };
      const request = { resources: { requests: { cpu: "1" } }, namespace: "second", podLabels: { app: "second" }, ...place };
      await eventually("the first is counted", async () => (await ask(request)).replicas.default === expected);
      expect(
        await placeUntilFull("second", { spec: { containers: containers({ cpu: "1" }), ...place }, most: expected + 1 }),
      ).toBe(expected);
      await clear("second");
      await clear("first");
    },
    120_000,
  );
});

/** The same terms about pods of that namespace. */
function withNamespace(affinity: PredictRequest["affinity"], namespace: string): PredictRequest["affinity"] {
  if (affinity === undefined) return undefined;
  return JSON.parse(JSON.stringify(affinity), (key, value: unknown) =>
    key === "requiredDuringSchedulingIgnoredDuringExecution"
      ? (value as readonly object[]).map((term) => ({ ...term, namespaces: [namespace] }))
      : value,
  ) as NonNullable<PredictRequest["affinity"]>;
}

test("by the volumes that a node attaches", async () => {
  const storage = { group: "storage.k8s.io", version: "v1", scope: "Cluster" } as const;
  const driver = "csi.example.com";
  const create = (type: object, object: object): Promise<unknown> => child.client.create(type as never, object as never, signal);
  await create(
    { ...storage, kind: "StorageClass", plural: "storageclasses" },
    {
      apiVersion: "storage.k8s.io/v1",
      kind: "StorageClass",
      metadata: { name: "fast" },
      provisioner: driver,
    },
  );
  await create(
    { ...storage, kind: "CSINode", plural: "csinodes" },
    {
      apiVersion: "storage.k8s.io/v1",
      kind: "CSINode",
      metadata: { name: "large" },
      spec: { drivers: [{ name: driver, nodeID: "large", allocatable: { count: 2 } }] },
    },
  );
  await child.client.create(Namespace, namespaceOf("claims"), signal);
  const capacity = { storage: "1Gi" };
  for (const index of [0, 1, 2]) {
    const name = `data-${String(index)}`;
    const common = { accessModes: ["ReadWriteOnce"], storageClassName: "fast" };
    await create(
      { group: "", version: "v1", kind: "PersistentVolume", plural: "persistentvolumes", scope: "Cluster" },
      {
        apiVersion: "v1",
        kind: "PersistentVolume",
        metadata: { name },
        spec: { ...common, capacity, claimRef: { namespace: "claims", name }, csi: { driver, volumeHandle: name } },
      },
    );
    await create(
      { group: "", version: "v1", kind: "PersistentVolumeClaim", plural: "persistentvolumeclaims", scope: "Namespaced" },
      {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        metadata: { namespace: "claims", name },
        spec: { ...common, resources: { requests: capacity }, volumeName: name },
      },
    );
  }
  await eventually("every claim is bound", async () => {
    const { json } = await child.client.request(
      { method: "GET", path: "/api/v1/namespaces/claims/persistentvolumeclaims" },
      signal,
    );
    const claims = (json as { readonly items: readonly { readonly status: { readonly phase: string } }[] }).items;
    if (claims.every(({ status }) => status.phase === "Bound")) return true;
    throw new Error(JSON.stringify(claims.map(({ status }) => status)));
  });
  const onLarge = { nodeSelector: { "kubernetes.io/hostname": "large" } };
  const request = { ...onLarge, namespace: "claims", volumes: [{ storageClassName: "fast" }] };
  await eventually("its agent knows", async () => (await ask(request)).replicas.default === 2);
  const spec = (index: number) => ({
    ...onLarge,
    volumes: [{ name: "data", persistentVolumeClaim: { claimName: `data-${String(index)}` } }],
  });
  await placeUntilFull("claims", { spec, most: 3 });
  // A claim that was not known to be bound yet is tried again.
  await eventually("two are placed, and the third waits for its volume", async () => {
    const { items } = await child.client.list(Pod, { namespace: "claims" }, signal);
    const waiting = items.filter(({ spec: { nodeName } }) => nodeName === undefined);
    const said = waiting.map(({ status }) => status?.conditions?.find(({ type }) => type === "PodScheduled")?.message);
    if (waiting.length !== 1 || said[0]?.includes("max volume count") !== true) throw new Error(JSON.stringify(said));
    return true;
  });
  await eventually("no more fit", async () => (await ask(request)).replicas.default === 0);
}, 120_000);

test("by zone, with the reasons of the nodes that take none", async () => {
  expect(await ask({ resources: { requests: { cpu: "1" } }, topology: ["zone", "hostname"] })).toEqual({
    replicas: { default: 14 },
    topology: { zone: { a: 2, b: 12 }, hostname: { small: 2, large: 8, gpu: 4 } },
    unfit: { "taint dedicated": 1, "taint node.kubernetes.io/unschedulable": 1 },
  });
});

describe("who may ask", () => {
  const id = async (): Promise<string> => (await fleet.cluster(child.name)).spec.clusterId;

  test("the scheduler with the rights that it is installed with; not the parent's administrator, as the child decides", async () => {
    const path = socketPredictorPath(await id(), predictorPaths.predict);
    await expect(fleet.admin.request({ method: "POST", path, body: {} }, signal)).rejects.toMatchObject({
      reason: "Forbidden",
      message: expect.stringContaining("--predictor-users"),
    });
    expect((await ask({})).replicas.default).toBeGreaterThan(0);
  });

  test("upstream's scheduler, at the address that the child says; no other address", async () => {
    const { status } = await fleet.cluster(child.name);
    expect(status).toMatchObject({ predictorEnabled: true, predictorAddress: "http://predictor", predictorDirectAccess: false });
    const at = (form: string): Promise<unknown> => {
      const path = socketPredictorPath(status === undefined ? "" : clusterId, "").replace(
        /predictor$/,
        `${form}/replicas/predict`,
      );
      return fleet.scheduler.request({ method: "POST", path, body: {} }, signal);
    };
    const clusterId = await id();
    expect(await at("http/predictor")).toMatchObject({ status: 200, json: { replicas: { default: expect.any(Number) } } });
    await expect(at("http/localhost:8080")).rejects.toMatchObject({ reason: "Forbidden" });
    await expect(at("http/10.0.0.1")).rejects.toMatchObject({ reason: "Forbidden" });
  });

  test("a child with a port of its own: the scheduler there, by its certificate; whoever has none through the hub", async () => {
    const cluster = await fleet.cluster("child-2");
    expect(cluster.status).toMatchObject({ predictorDirectAccess: true, predictorAddress: direct.url, useSocket: true });
    const noHub = { request: () => Promise.reject(new Error("asked through the hub")) };
    const [caFile = ""] = direct.schedulerFlags;
    const asSchedulerWith = async (flags: readonly string[], parent: Pick<Client, "request"> = noHub): Promise<PredictAnswer> => {
      const options = parseSchedulerOptions(flags, {});
      const credentials = await readStraightCredentials(options, { clock: realClock, log: silentLogger });
      await using straight = credentials === undefined ? undefined : new StraightConnections(credentials);
      return await createAskCluster({ parent, straight })(cluster, { resources: { requests: { cpu: "1" } } }, signal);
    };
    await expect(asSchedulerWith(direct.schedulerFlags)).resolves.toEqual({ replicas: { default: 4 } });
    await expect(asSchedulerWith([caFile])).rejects.toThrow(/client certificate/);
    await expect(asSchedulerWith([], fleet.scheduler)).resolves.toEqual({ replicas: { default: 4 } });
  });

  test("what is malformed is said to be", async () => {
    const path = socketPredictorPath(await id(), predictorPaths.predict);
    const body = { nodeSelector: 7 };
    await expect(fleet.scheduler.request({ method: "POST", path, body }, signal)).rejects.toMatchObject({ reason: "BadRequest" });
  });
});

/** `kubectl clusternet rebalance -n shop …` as the parent's administrator, whom no child lets ask. */
async function kubectlWithPlugin({
  directory,
  adminKubeconfig,
}: ControlPlane): Promise<(...argv: readonly string[]) => Promise<string>> {
  const plugin = join(directory, "kubectl-clusternet");
  await symlink(join(import.meta.dirname, "..", "..", "runtime", "cli", "main.ts"), plugin);
  const kubectl = await resolveTool("kubectl");
  return async (...argv: readonly string[]): Promise<string> => {
    const env = {
      PATH: `${directory}:${dirname(process.execPath)}:/usr/bin:/bin`,
      ...kubectlEnvironment(adminKubeconfig),
      HOME: directory,
    };
    const { stdout } = await execa(kubectl, ["clusternet", "rebalance", "-n", "shop", ...argv], { env, extendEnv: false });
    return stdout;
  };
}

describe("a Subscription is divided by what fits", () => {
  const { apiVersion } = Subscription;
  let stop: AbortController;
  let scheduling: Promise<void>;

  beforeAll(async () => {
    stop = new AbortController();
    const options = parseSchedulerOptions(["--leader-elect=false", "--health-port=0", "--capacity-cache=1s"], {});
    const profiles = await loadProfiles(options);
    const { connection } = fleet.scheduler;
    const scheduler = createScheduler(options, { connection, profiles, clock: realClock, log: silentLogger });
    scheduling = scheduler.run(stop.signal);
    await fleet.admin.create(Namespace, namespaceOf("shop"), signal);
    for (const { client } of fleet.children) await client.create(Namespace, namespaceOf("shop"), signal);
  });
  afterAll(async () => {
    stop.abort(new Error("The test is over"));
    await scheduling.catch(() => undefined);
  });

  interface Need {
    readonly cpu: string;
    readonly priority?: number;
    readonly more?: object;
  }

  async function subscribe(name: string, replicas: number, need: string | Need): Promise<void> {
    const { cpu, priority = 0, more = {} } = typeof need === "string" ? { cpu: need } : need;
    const labels = { app: name };
    const pod = { metadata: { labels }, spec: { containers: containers({ cpu }) } };
    const metadata = { namespace: "shop", name };
    const template = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      spec: { replicas, selector: { matchLabels: labels }, template: pod },
    };
    const manifest = {
      apiVersion,
      kind: Manifest.kind,
      metadata: { namespace: "clusternet-reserved", name: `deployments.shop.${name}` },
      template,
    };
    await fleet.admin.apply(Manifest, manifest, { fieldManager: "test", force: true }, signal);
    const spec = {
      schedulingStrategy: "Dividing",
      dividingScheduling: { type: "Dynamic", dynamicDividing: { strategy: "Spread" } },
      priority,
      subscribers: [{ clusterAffinity: { matchLabels: { fleet: "yes" } } }],
      feeds: [{ apiVersion: "apps/v1", kind: "Deployment", namespace: "shop", name }],
      ...more,
    };
    await fleet.admin.apply(
      Subscription,
      { apiVersion, kind: Subscription.kind, metadata, spec } as unknown as Subscription,
      { fieldManager: "test", force: true },
      signal,
    );
  }

  const sharesOf = async (name: string): Promise<readonly number[]> => {
    const found = await fleet.admin.get(Subscription, { namespace: "shop", name }, signal);
    const shares = found?.status?.replicas?.[`apps/v1/Deployment/shop/${name}`] ?? [];
    if (shares.length === 0) throw new Error(JSON.stringify(found?.status));
    return shares;
  };

  /** Pods with a node, of each child. */
  const placedOf = (name: string): Promise<readonly number[]> =>
    Promise.all(
      fleet.children.map(async ({ client }) => {
        const { items } = await client.list(Pod, { namespace: "shop", labelSelector: `app=${name}` }, signal);
        return items.filter(({ spec }) => spec.nodeName !== undefined).length;
      }),
    );

  test("each child gets its part, and its kube-scheduler places all of it", async () => {
    // 14 fit into child-1 and 4 into child-2.
    await subscribe("web", 9, "1");
    await eventually("they are shared out", async () => {
      expect(await sharesOf("web")).toEqual([7, 2]);
      return true;
    });
    await eventually("they run", async () => {
      expect(await placedOf("web")).toEqual([7, 2]);
      return true;
    });
  }, 120_000);

  /** What a later test finds evened out: a policy looks once in a minute, at the earliest. */
  test("who comes later gets nothing of what runs", async () => {
    const label = (name: string): Promise<unknown> =>
      fleet.admin.patch(
        ManagedCluster,
        { namespace: name, name },
        { type: "merge", body: { metadata: { labels: { even: "yes" } } } },
        signal,
      );
    const subscribers = [{ clusterAffinity: { matchLabels: { even: "yes" } } }];
    const rebalance = { policy: "CarryOut", intervalSeconds: 60, shownForSeconds: 0, minMovePercent: 1 };
    await label("child-1");
    await subscribe("even", 8, { cpu: "0", more: { subscribers, rebalance } });
    await eventually("it runs", async () => {
      expect([await sharesOf("even"), await placedOf("even")]).toEqual([[8], [8, 0]]);
      return true;
    });
    await label("child-2");
  }, 60_000);

  test("kubectl clusternet asks the children as its user, and shows who may not", async () => {
    const token = await tokenOf(fleet.parent.admin, "clusternet-scheduler");
    const { server, caPem, adminKubeconfig, directory } = fleet.parent;
    const kubeconfig = join(directory, "scheduler.kubeconfig");
    await writeFile(kubeconfig, kubeconfigText({ server, caPem, token }));
    const explained = async (path: string, ...flags: readonly string[]): Promise<string> => {
      let out = "";
      const write = (text: string): void => void (out += text);
      const argv = ["explain", "placement", "web", "-n", "shop", "--kubeconfig", path, ...flags];
      expect([await runCli(argv, { env: {}, write, complain: write }), out]).toEqual([0, expect.any(String)]);
      return out;
    };
    const seen = await explained(kubeconfig);
    expect(seen).toContain("apps/v1/Deployment/shop/web: could take 7 more (1 node: insufficient cpu, 1 node: taint dedicated, ");
    expect(seen).toContain("apps/v1/Deployment/shop/web: could take 2 more");
    expect(seen).toContain("nothing changes");
    expect(await explained(adminKubeconfig)).toContain("capacity unknown: you may not ask it: its agent answers the scheduler");
    expect(await explained(kubeconfig, "--no-capacity")).not.toMatch(/could take \d/);
  }, 60_000);

  test("two at the same time do not get the same room", async () => {
    // 7 and 2 are left.
    await Promise.all([subscribe("a", 5, "1"), subscribe("b", 4, "1")]);
    await eventually("all of them run", async () => {
      const shares = [await sharesOf("a"), await sharesOf("b")];
      const [a, b] = await Promise.all([placedOf("a"), placedOf("b")]);
      if (a[0]! + b[0]! === 0) throw new Error(JSON.stringify(shares));
      expect([a[0]! + b[0]!, a[1]! + b[1]!]).toEqual([7, 2]);
      return true;
    });
  }, 120_000);

  test("what does not fit anywhere is said, and placed when there is room", async () => {
    await subscribe("late", 3, "2");
    await eventually("it says so", async () => {
      const found = await fleet.admin.get(Subscription, { namespace: "shop", name: "late" }, signal);
      const said = found?.status?.conditions?.find(({ type }) => type === "Scheduled");
      if (said?.status === "False" || said?.message.includes("3") === true) return true;
      throw new Error(JSON.stringify(found?.status));
    });
    await addNode(fleet.children[1]!.client, { name: "new", allocatable: { cpu: "8", memory: "8Gi", pods: "20" } });
    await eventually("the child that grew takes all of it", async () => {
      expect(await placedOf("late")).toEqual([0, 3]);
      return true;
    });
  }, 120_000);

  test("what would be placed better by now is shown by kubectl, and moved when it is confirmed", async () => {
    // The child that grew has 2 of its 4 for web free; the other one has 7 of 7 in use.
    const web = { namespace: "shop", name: "web" };
    const kubectl = await kubectlWithPlugin(fleet.parent);
    const shown = JSON.parse(await kubectl("web", "--ask", "-o", "json")) as { readonly hash: string; readonly moves: object[] };
    const feed = "apps/v1/Deployment/shop/web";
    expect(shown.moves).toEqual([{ feed, from: "child-1/child-1", to: "child-2/child-2", replicas: 1 }]);
    expect(await sharesOf("web")).toEqual([7, 2]);
    await expect(kubectl("web", "--confirm", "00000000")).rejects.toThrow(
      /is not rebalanced: What was confirmed is not the plan/,
    );
    expect(await sharesOf("web")).toEqual([7, 2]);
    expect(await kubectl("web", "--confirm", shown.hash)).toContain("confirmed: ");
    await eventually("one has moved, works, and the plan is done", async () => {
      const { status } = (await fleet.admin.get(Subscription, web, signal)) ?? {};
      if (status?.rebalance?.phase !== "Done") throw new Error(JSON.stringify(status?.rebalance));
      expect([await sharesOf("web"), await placedOf("web")]).toEqual([
        [6, 3],
        [6, 3],
      ]);
      return true;
    });
    // Of the others nothing is divided anew, and web is where it would be.
    expect(await kubectl("web", "--ask")).toContain("nothing to move");
  }, 120_000);

  test("a higher priority takes exactly the room that it lacks from lower ones, and runs where their pods have ended", async () => {
    const low = ["web", "a", "b", "late"];
    const running = async (): Promise<number> =>
      (await Promise.all(low.map(placedOf))).flat().reduce((sum, each) => sum + each, 0);
    const before = await running();
    // Each child has one cpu left. (Who begins to lead takes nothing in the first minute.)
    await subscribe("important", 4, { cpu: "1", priority: 100 });
    await eventually(
      "all of it runs",
      async () => {
        expect(await placedOf("important")).toEqual([2, 2]);
        return true;
      },
      { timeoutMs: 150_000 },
    );
    expect(await running()).toBe(before - 2);
    const others = await Promise.all(low.map(async (name) => fleet.admin.get(Subscription, { namespace: "shop", name }, signal)));
    const lost = others.flatMap((other) => other?.status?.preempted ?? []);
    expect(new Set(lost.map(({ by }) => by))).toEqual(new Set(["shop/important (priority 100)"]));
  }, 240_000);

  test("a policy of CarryOut has moved what would be placed better, and no replica was lost on the way", async () => {
    await eventually(
      "the plan is done",
      async () => {
        const found = await fleet.admin.get(Subscription, { namespace: "shop", name: "even" }, signal);
        const { rebalance, conditions = [] } = found?.status ?? {};
        const balanced = conditions.find(({ type }) => type === "Balanced");
        if (rebalance?.phase !== "Done" || balanced?.status !== "True") throw new Error(JSON.stringify({ rebalance, balanced }));
        const [first = 0, second = 0] = await sharesOf("even");
        expect([first + second, second > 0, await placedOf("even")]).toEqual([8, true, [first, second]]);
        return true;
      },
      { timeoutMs: 120_000 },
    );
  }, 150_000);

  test("a child that does not answer is left out with its reason, and loses nothing", async () => {
    const before = await placedOf("web");
    const key = { namespace: "child-2", name: "child-2" };
    await fleet.children[1]!.agent[Symbol.asyncDispose]();
    // Every cpu of child-1 is taken; slots are left.
    await subscribe("more", 1, "0");
    await eventually("it is in the child that answers", async () => {
      expect(await placedOf("more")).toEqual([1, 0]);
      return true;
    });
    expect(await placedOf("web")).toEqual(before);
    expect((await fleet.admin.get(ManagedCluster, key, signal))?.status?.predictorEnabled).toBe(true);
  }, 120_000);
});
