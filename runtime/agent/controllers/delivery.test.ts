// The agent's delivery against everything that can be lost: its parent, its watch, its child, its memory. Silence never deletes, a fault
// is said and outlived, and what was decided while nobody looked is carried out afterwards.

import { afterEach, describe, expect, test } from "@jest/globals";
import { Description } from "#api/apps/v1alpha1/description.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { KubeObject, ResourceType } from "#api/meta.ts";
import { ConfigMap } from "#kube/builtin-kinds.ts";
import { ApiError } from "#kube/errors.ts";
import { silentLogger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";
import { createFakeClock, type FakeClock } from "#test/framework/fake-clock.ts";
import { createMemoryCluster, type MemoryCluster } from "#test/framework/memory-cluster.ts";
import { createStubInformer, type StubInformer } from "#test/framework/stub-informer.ts";
import { deliveryControllers } from "./delivery.ts";

type Content = KubeObject & Record<string, unknown>;
const Job: ResourceType = { ...ConfigMap, group: "batch", version: "v1", kind: "Job", plural: "jobs" };
const NAME = "web.shop-generic";
const objectOf = (name: string, colour: string): Content => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace: "shop", name },
  data: { colour },
});
const cluster: ManagedCluster = {
  apiVersion: ManagedCluster.apiVersion,
  kind: ManagedCluster.kind,
  metadata: { namespace: "paris", name: "paris" },
  spec: { clusterId: "id", syncMode: "Pull" },
};

interface Bed {
  readonly parent: MemoryCluster;
  readonly child: MemoryCluster;
  readonly clock: FakeClock;
  readonly descriptions: StubInformer<Description>;
  readonly managedClusters: StubInformer<ManagedCluster>;
  /** The parent's Description with these objects, and the informer told of it. */
  describe(generation: number, objects: readonly Content[], metadata?: Readonly<Record<string, unknown>>): void;
  /** What the parent has, told to the informer. */
  tell(): void;
  stored(): Description;
  start(): void;
  stop(): Promise<void>;
  settle(): Promise<void>;
}

const beds: Bed[] = [];
afterEach(async () => {
  await Promise.all(beds.splice(0).map((bed) => bed.stop()));
});

function bedOf(): Bed {
  const parent = createMemoryCluster([Description]);
  const child = createMemoryCluster([ConfigMap, Job]);
  const clock = createFakeClock();
  const descriptions = createStubInformer(Description);
  const managedClusters = createStubInformer(ManagedCluster);
  managedClusters.listed(cluster);
  const client = child.client;
  let stopping = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  const stored = (): Description => parent.object("Description", NAME) as unknown as Description;
  const bed: Bed = {
    parent,
    child,
    clock,
    descriptions,
    managedClusters,
    stored,
    describe: (generation, objects, metadata = {}) => {
      const raw = objects.map((object) => Buffer.from(JSON.stringify(object)).toString("base64"));
      const { apiVersion, kind } = Description;
      const spec = { deployer: "Generic", raw } as const;
      if (parent.object("Description", NAME) === undefined) {
        parent.make({ apiVersion, kind, metadata: { namespace: "paris", name: NAME }, spec, status: {} }, "test");
      }
      parent.edit("Description", NAME, {
        by: "test",
        change: (object) => {
          Object.assign(object, { spec });
          Object.assign(object.metadata, { generation, ...metadata });
        },
      });
      bed.tell();
    },
    tell: () => {
      descriptions.listed(stored());
    },
    start: () => {
      stopping = new AbortController();
      const controllers = deliveryControllers({
        parent: parent.client,
        child: client,
        childAs: () => client,
        informers: { descriptions, managedClusters },
        events: { record: () => undefined, flush: () => Promise.resolve() },
        clock,
        log: silentLogger,
        metrics: createMetrics(),
      });
      running = Promise.all(controllers.map((controller) => controller.run(stopping.signal)));
    },
    stop: async () => {
      stopping.abort(new Error("stopped"));
      await running;
    },
    settle: async () => {
      // The parent's own echo of each write.
      for (let round = 0; round < 20; round += 1) {
        await clock.advance(100);
        if (parent.object("Description", NAME) !== undefined && descriptions.list().length > 0) bed.tell();
      }
    },
  };
  beds.push(bed);
  return bed;
}

const reason = (bed: Bed): string | undefined => bed.stored().status?.conditions?.find(({ type }) => type === "Applied")?.reason;

test("a delivery writes twice: what will be there, and what came of it", async () => {
  const bed = bedOf();
  bed.start();
  bed.describe(1, [objectOf("settings", "blue")]);
  await bed.settle();
  expect(bed.parent.calls.filter(({ verb }) => verb === "patch")).toHaveLength(2);
  expect(bed.stored().status).toMatchObject({
    phase: "Success",
    manifestStatuses: [{ kind: "ConfigMap", name: "settings", state: "Available" }],
  });
});

test("a Job that the cluster removes when it is done is not run again, and stays as it was last seen", async () => {
  const bed = bedOf();
  bed.start();
  const job: Content = {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { namespace: "shop", name: "migrate" },
    spec: { ttlSecondsAfterFinished: 1 },
    status: { succeeded: 1, conditions: [{ type: "Complete", status: "True" }] },
  };
  bed.describe(1, [job]);
  await bed.settle();
  const before = bed.stored().status?.manifestStatuses;
  expect(before).toMatchObject([{ kind: "Job", name: "migrate" }]);
  bed.child.remove("Job", "migrate");
  await bed.settle();
  await bed.stop();
  bed.start();
  await bed.settle();
  expect(bed.child.object("Job", "migrate")).toBeUndefined();
  expect(bed.stored().status?.manifestStatuses).toEqual(before);
});

async function delivered(): Promise<Bed> {
  const bed = bedOf();
  bed.describe(1, [objectOf("a", "blue"), objectOf("b", "blue")]);
  bed.start();
  await bed.settle();
  expect(reason(bed)).toBe("Applied");
  return bed;
}

describe("silence never deletes", () => {
  test("an empty list after everything was there deletes nothing, and neither does what comes after it", async () => {
    const bed = await delivered();
    const { length } = bed.child.writes();
    bed.descriptions.listed();
    await bed.clock.advance(3_600_000);
    bed.managedClusters.listed();
    await bed.clock.advance(3_600_000);
    bed.managedClusters.listed(cluster);
    bed.tell();
    await bed.settle();
    expect(bed.child.writes().slice(length)).toEqual([]);
  });

  test("a lost parent deletes nothing, and nothing is written for an hour of it", async () => {
    const bed = await delivered();
    const { length } = bed.child.writes();
    bed.parent.fault = () => {
      throw new ApiError({ reason: "Unreachable", code: 0, message: "no route" });
    };
    await bed.clock.advance(3_600_000);
    expect(bed.child.writes().slice(length)).toEqual([]);
  });

  test("a parent that was restored from an old backup deletes nothing that it does not know", async () => {
    const bed = await delivered();
    const backup = structuredClone(bed.stored());
    bed.describe(2, [objectOf("a", "blue"), objectOf("b", "blue"), objectOf("newer", "blue")]);
    await bed.settle();
    expect(bed.child.object("ConfigMap", "newer")).toBeDefined();
    await bed.stop();
    bed.parent.edit("Description", NAME, {
      by: "etcd",
      change: (object) => {
        Object.assign(object, { spec: backup.spec, status: backup.status });
        Object.assign(object.metadata, { generation: 1 });
      },
    });
    bed.start();
    await bed.settle();
    for (const name of ["a", "b", "newer"]) expect(bed.child.object("ConfigMap", name)).toBeDefined();
  });

  test("an agent without its ManagedCluster does not even begin", async () => {
    const bed = bedOf();
    bed.managedClusters.listed();
    bed.describe(1, [objectOf("a", "blue")]);
    bed.start();
    await bed.settle();
    expect(bed.child.calls).toEqual([]);
  });
});

describe("faults", () => {
  test("a child that is away for an hour gets what it missed within a minute, and is not stormed meanwhile", async () => {
    const bed = await delivered();
    bed.child.fault = () => {
      throw new ApiError({ reason: "Unreachable", code: 0, message: "connect ECONNREFUSED" });
    };
    const before = bed.child.calls.length;
    bed.describe(2, [objectOf("a", "green")]);
    for (let minute = 0; minute < 60; minute += 1) {
      await bed.clock.advance(60_000);
      bed.tell();
    }
    expect(reason(bed)).toBe("Unavailable");
    // Some at once, then one a minute.
    expect(bed.child.calls.length - before).toBeLessThan(60 * 2 + 20);
    bed.child.fault = () => undefined;
    await bed.clock.advance(60_000);
    bed.tell();
    await bed.settle();
    expect(reason(bed)).toBe("Applied");
    expect(bed.child.object("ConfigMap", "a")?.["data"]).toEqual({ colour: "green" });
    expect(bed.child.object("ConfigMap", "b")).toBeUndefined();
  });

  test("what Retry-After asks for is waited for", async () => {
    const bed = await delivered();
    const at: number[] = [];
    bed.child.fault = ({ verb }) => {
      if (verb !== "apply") return;
      at.push(bed.clock.monotonic());
      throw new ApiError({ reason: "TooManyRequests", code: 429, message: "wait", retryAfterMs: 90_000 });
    };
    bed.describe(2, [objectOf("a", "green")]);
    for (let second = 0; second < 400; second += 1) {
      await bed.clock.advance(1_000);
      // The echo of its own report must not bring it back sooner.
      bed.tell();
    }
    const waits = at.slice(1).map((time, index) => time - at[index]!);
    expect(waits.length).toBeGreaterThan(1);
    for (const wait of waits) expect(wait).toBeGreaterThanOrEqual(90_000);
  });

  test("an agent that is killed after any of its steps finishes after a restart: every change, every deletion", async () => {
    for (let k = 0; k < 40; k += 1) {
      const bed = await delivered();
      let steps = 0;
      const die = (): void => {
        steps += 1;
        if (steps > k) throw new ApiError({ reason: "Unreachable", code: 0, message: "killed" });
      };
      bed.parent.fault = die;
      bed.child.fault = die;
      bed.describe(2, [objectOf("b", "green"), objectOf("c", "green")]);
      await bed.clock.advance(1);
      await bed.stop();
      bed.parent.fault = () => undefined;
      bed.child.fault = () => undefined;
      bed.tell();
      bed.start();
      await bed.settle();
      expect(reason(bed)).toBe("Applied");
      expect(["a", "b", "c"].map((name) => bed.child.object("ConfigMap", name)?.["data"])).toEqual([
        undefined,
        { colour: "green" },
        { colour: "green" },
      ]);
      bed.describe(2, [objectOf("b", "green"), objectOf("c", "green")], { deletionTimestamp: "2030-01-01T00:00:00Z" });
      await bed.settle();
      expect(["b", "c"].map((name) => bed.child.object("ConfigMap", name))).toEqual([undefined, undefined]);
      expect(bed.stored().status?.conditions?.find(({ type }) => type === "Removed")?.status).toBe("True");
      await bed.stop();
      if (steps <= k) {
        expect(k).toBeGreaterThan(6);
        return;
      }
    }
    throw new Error("It never got through");
  });
});
