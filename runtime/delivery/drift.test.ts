// What changes in a cluster is put back or reported, by the policy; defaults, webhooks and other owners are no drift; no fight, no secret.

import { describe, expect, test } from "@jest/globals";
import type { DeliveryPolicy } from "#api/apps/v1alpha1/delivery-policy.ts";
import { Description } from "#api/apps/v1alpha1/description.ts";
import type { Condition, KubeObject, ResourceType } from "#api/meta.ts";
import { ConfigMap, Deployment, Secret } from "#kube/builtin-kinds.ts";
import { ApiError } from "#kube/errors.ts";
import type { EventNote } from "#kube/event-aggregation.ts";
import { silentLogger } from "#std/log.ts";
import { createFakeClock, type FakeClock } from "#test/framework/fake-clock.ts";
import { createMemoryCluster, type MemoryCluster } from "#test/framework/memory-cluster.ts";
import { AppliedMemory } from "./applied-memory.ts";
import { carryOut } from "./carry-out.ts";
import { CorrectionBackoff } from "./correction-backoff.ts";
import { driftText, fieldChanges } from "./drift.ts";
import { keepDescribed } from "./keep-described.ts";

const { signal } = new AbortController();
const Job: ResourceType = { ...Deployment, group: "batch", version: "v1", kind: "Job", plural: "jobs" };
type Content = KubeObject & Record<string, unknown>;
const settings: Content = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace: "shop", name: "settings" },
  data: { colour: "blue" },
};
const secret: Content = { ...settings, kind: "Secret", metadata: { namespace: "shop", name: "key" }, data: { pin: "MTIzNA==" } };
const deployment: Content = {
  ...settings,
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { namespace: "shop", name: "web" },
  data: undefined,
  spec: { replicas: 2, image: "a" },
};

interface Bed {
  readonly child: MemoryCluster;
  readonly events: EventNote[];
  readonly clock: FakeClock;
  /** Agent and parent of today; a new one has forgotten everything. */
  restart(): void;
  look(): Promise<number | undefined>;
  push(): Promise<number | undefined>;
  drifted(): Condition | undefined;
  inventory(): unknown;
}

async function bedOf(objects: readonly Content[], delivery: DeliveryPolicy = {}, isDeliverer = true): Promise<Bed> {
  const child = createMemoryCluster([ConfigMap, Secret, Deployment, Job]);
  const parent = createMemoryCluster([Description]);
  const events: EventNote[] = [];
  const clock = createFakeClock();
  let memory = new AppliedMemory();
  let backoff = new CorrectionBackoff();
  const pushing = new CorrectionBackoff();
  const raw = objects.map((object) => Buffer.from(JSON.stringify(object)).toString("base64"));
  const { apiVersion, kind } = Description;
  const spec = { deployer: "Generic", raw, delivery } as const;
  parent.make({ apiVersion, kind, metadata: { namespace: "paris", name: "web.shop-generic" }, spec, status: {} }, "test");
  const description = (): Description => {
    const stored = parent.object("Description", "web.shop-generic") as unknown as Description;
    return { ...stored, metadata: { ...stored.metadata, generation: 1 } };
  };
  const shared = {
    parent: parent.client,
    child: child.client,
    discovery: child.discovery,
    siblings: [],
    ownerExists: () => false,
    events: { record: (_object: KubeObject, note: EventNote) => void events.push(note), flush: () => Promise.resolve() },
    clock,
    log: silentLogger,
  };
  const delay = (result: { readonly type: string; readonly delayMs?: number }): number | undefined => result.delayMs;
  await carryOut(description(), { ...shared, ...(isDeliverer ? { memory } : {}) }, signal);
  events.length = 0;
  const bed: Bed = {
    child,
    events,
    clock,
    restart: () => {
      memory = new AppliedMemory();
      backoff = new CorrectionBackoff();
    },
    look: async () =>
      delay(
        await keepDescribed(
          {
            ...shared,
            description: description(),
            memory,
            backoff,
            isDeliverer,
            cached: ({ kind: of, name }) => {
              const found = child.object(of, name);
              return found === undefined ? undefined : { ...found, metadata: { ...found.metadata, managedFields: undefined } };
            },
          },
          signal,
        ),
      ),
    push: async () => delay(await carryOut(description(), { ...shared, backoff: pushing }, signal)),
    drifted: () => description().status?.conditions?.find(({ type }) => type === "Drifted"),
    inventory: () => description().status?.inventory,
  };
  return bed;
}

const paint = ({ child }: Bed, colour: string): void => {
  child.edit("ConfigMap", "settings", { by: "kubectl-edit", change: (object) => (object["data"] = { colour, own: "1" }) });
};
const dataOf = ({ child }: Bed): unknown => child.object("ConfigMap", "settings")?.["data"];

describe("Correct", () => {
  test("puts an edit back, leaves what we never spoke of, and tells it once", async () => {
    const bed = await bedOf([settings]);
    paint(bed, "red");
    await bed.look();
    expect(dataOf(bed)).toEqual({ colour: "blue", own: "1" });
    expect(bed.events).toEqual([
      {
        type: "Normal",
        reason: "DriftCorrected",
        message: "ConfigMap shop/settings was changed by kubectl-edit: /data/colour is red instead of blue; put back",
      },
    ]);
    expect(bed.drifted()).toBeUndefined();
  });

  test("makes a deleted object again, and remembers its uid so that it can still be removed", async () => {
    const bed = await bedOf([settings]);
    bed.child.remove("ConfigMap", "settings");
    await bed.look();
    const { uid } = bed.child.object("ConfigMap", "settings")!.metadata;
    expect(bed.inventory()).toMatchObject([{ name: "settings", uid }]);
    expect(bed.events[0]?.message).toBe("ConfigMap shop/settings was deleted; put back");
  });

  test("does not run a Job again that the cluster removed because it was done", async () => {
    const job: Content = {
      ...settings,
      apiVersion: "batch/v1",
      kind: "Job",
      data: undefined,
      spec: { ttlSecondsAfterFinished: 60 },
    };
    const kept: Content = { ...job, metadata: { namespace: "shop", name: "kept" }, spec: {} };
    const bed = await bedOf([job, kept]);
    bed.child.remove("Job", "settings");
    bed.child.remove("Job", "kept");
    await bed.look();
    expect([bed.child.object("Job", "settings"), bed.child.object("Job", "kept")]).toEqual([undefined, expect.anything()]);
  });

  test("takes over what somebody put in its place, by the adoption policy", async () => {
    const bed = await bedOf([settings]);
    bed.child.make({ ...settings, data: { colour: "red" } }, "helm");
    await bed.look();
    expect(dataOf(bed)).toEqual({ colour: "blue" });
    expect(bed.events[0]?.message).toBe("ConfigMap shop/settings was replaced by helm; put back");
  });

  test("a settled cluster costs no request at all; after a restart a read per object, and no write", async () => {
    const bed = await bedOf([settings, deployment]);
    const before = bed.child.calls.length;
    await bed.look();
    expect(bed.child.calls.length).toBe(before);
    bed.restart();
    await bed.look();
    expect(bed.child.calls.slice(before).map(({ verb }) => verb)).toEqual(["get", "get"]);
    await bed.look();
    expect(bed.child.calls.length).toBe(before + 2);
  });

  test("what a webhook makes of an object is no drift, also after a restart", async () => {
    const bed = await bedOf([deployment]);
    bed.child.webhook = (object) => (object["spec"] = { replicas: 2, image: "registry.example.com/a", defaulted: true });
    bed.child.edit("Deployment", "web", {
      by: "webhook",
      change: (object) => (object["spec"] = { replicas: 2, image: "registry.example.com/a", defaulted: true }),
    });
    bed.restart();
    const { length } = bed.child.writes();
    for (let round = 0; round < 3; round += 1) await bed.look();
    expect(bed.child.writes()).toHaveLength(length);
    expect(bed.events).toEqual([]);
    expect(bed.child.calls.filter(({ verb }) => verb === "dry-run")).toHaveLength(1);
  });

  test("what an autoscaler sets, and what the policy lists, is no drift", async () => {
    for (const [by, delivery] of [
      ["kube-controller-manager:scale", {}],
      ["kubectl-edit", { ignoreFields: [{ kind: "Deployment", paths: ["/spec/replicas"] }] }],
    ] as const) {
      const bed = await bedOf([deployment], delivery);
      bed.child.edit("Deployment", "web", { by, change: (object) => (object["spec"] = { replicas: 9, image: "a" }) });
      const { length } = bed.child.writes();
      await bed.look();
      expect(bed.child.writes()).toHaveLength(length);
      expect(bed.events).toEqual([]);
    }
  });

  test("who changes it back each time is met ever more slowly, and the condition says so", async () => {
    const bed = await bedOf([settings]);
    const waits: (number | undefined)[] = [];
    for (let round = 0; round < 5; round += 1) {
      paint(bed, `red${String(round)}`);
      waits.push(await bed.look());
    }
    expect(waits).toEqual([undefined, undefined, undefined, 10_000, 10_000]);
    expect(bed.drifted()).toMatchObject({
      status: "True",
      reason: "CorrectionContested",
      message:
        "Put back 3 times, and changed again each time: ConfigMap shop/settings was changed by kubectl-edit: /data/colour is red4 instead of blue",
    });
    await bed.clock.advance(10_000);
    expect(await bed.look()).toBeUndefined();
    expect(bed.drifted()).toMatchObject({ status: "False", reason: "AsDescribed" });
    expect(dataOf(bed)).toMatchObject({ colour: "blue" });
  });

  test("what cannot be put back is said, and tried again", async () => {
    const bed = await bedOf([settings]);
    paint(bed, "red");
    bed.child.fault = ({ verb }) => {
      if (verb === "apply") throw new ApiError({ reason: "Forbidden", code: 403, message: "no right" });
    };
    await expect(bed.look()).rejects.toThrow("ConfigMap shop/settings: no right");
    expect(bed.drifted()).toMatchObject({ status: "True", reason: "CorrectionFailed", message: "no right" });
  });
});

describe("Report and Off", () => {
  test("Report sets a condition and changes nothing; it goes when the cluster is as described again", async () => {
    const bed = await bedOf([settings], { drift: "Report" });
    paint(bed, "red");
    await bed.look();
    await bed.look();
    expect(dataOf(bed)).toMatchObject({ colour: "red" });
    expect(bed.drifted()).toMatchObject({ status: "True", reason: "Drifted" });
    expect(bed.events.map(({ type, reason }) => `${type} ${reason}`)).toEqual(["Warning Drifted"]);
    paint(bed, "blue");
    await bed.look();
    expect(bed.drifted()).toMatchObject({ status: "False" });
  });

  test("Off does not even look", async () => {
    const bed = await bedOf([settings], { drift: "Off" });
    paint(bed, "red");
    const before = bed.child.calls.length;
    await bed.look();
    expect(bed.child.calls.length).toBe(before);
  });
});

describe("Push", () => {
  test("the agent reports, the parent delivers anew once, then waits for the agent's next word", async () => {
    const bed = await bedOf([settings], {}, false);
    paint(bed, "red");
    expect(await bed.push()).toBeUndefined();
    await bed.look();
    expect(bed.drifted()).toMatchObject({ status: "True", reason: "Drifted" });
    expect(await bed.push()).toBe(15_000);
    expect(dataOf(bed)).toEqual({ colour: "blue", own: "1" });
    expect(bed.events.map(({ reason }) => reason)).toEqual(["Drifted", "DriftCorrected"]);
    expect(await bed.push()).toBe(10_000);
    await bed.look();
    expect(bed.drifted()).toMatchObject({ status: "False" });
    expect(await bed.push()).toBeUndefined();
  });
});

describe("what is told", () => {
  test("no value of a Secret, nor of what looks like a credential", async () => {
    const bed = await bedOf([secret]);
    bed.child.edit("Secret", "key", { by: "x", change: (object) => (object["data"] = { pin: "OTk5OQ==" }) });
    await bed.look();
    expect(bed.events[0]?.message).toBe("Secret shop/key was changed by x: /data/pin differs; put back");
    const object = { apiVersion: "v1", kind: "ConfigMap", name: "c" };
    const fields = fieldChanges({ data: { password: "hunter2" } }, { data: { password: "hunter3" } });
    expect(driftText([{ object, how: "changed", fields }])).toBe("ConfigMap c was changed: /data/password differs");
  });

  test("elements of lists by their names, long values and long lists cut", () => {
    const containers = (image: string): unknown => ({ containers: [{ name: "side" }, { name: "main", image }] });
    const object = { apiVersion: "apps/v1", kind: "Deployment", name: "d" };
    const text = (fields: ReturnType<typeof fieldChanges>): string => driftText([{ object, how: "changed", fields }]);
    expect(text(fieldChanges(containers("a"), containers("b")))).toBe(
      "Deployment d was changed: /containers/main/image is b instead of a",
    );
    expect(text(fieldChanges({ a: "x".repeat(500) }, {}))).toBe(
      "Deployment d was changed: /a is absent instead of a text of 500 characters",
    );
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`f${String(index)}`, index]));
    expect(text(fieldChanges(many, {})).length).toBeLessThan(300);
    const drifted = Array.from(
      { length: 30 },
      (_, index) => ({ object: { ...object, name: `d${String(index)}` }, how: "deleted", fields: [] }) as const,
    );
    expect(driftText(drifted)).toMatch(/d4 was deleted; and 25 more$/);
  });
});
