// What delivery does to a cluster: whose objects it takes, leaves, and lets go; and what it says when something is in the way.

import { describe, expect, test } from "@jest/globals";
import type { DeliveryPolicy } from "#api/apps/v1alpha1/delivery-policy.ts";
import type { Description, InventoryEntry } from "#api/apps/v1alpha1/description.ts";
import type { KubeObject } from "#api/meta.ts";
import { ConfigMap, Deployment, Namespace, Secret } from "#kube/builtin-kinds.ts";
import { ApiError } from "#kube/errors.ts";
import { createFakeClock } from "#test/framework/fake-clock.ts";
import { createMemoryCluster, type Call, type MemoryCluster } from "#test/framework/memory-cluster.ts";
import { deliver, removeDelivered } from "./deliver.ts";
import type { Delivery, Removal } from "./description-status.ts";
import { problemsText } from "./problems.ts";

const { signal } = new AbortController();
const kinds = [ConfigMap, Secret, Namespace, Deployment];
type Content = KubeObject & Record<string, unknown>;
const a = (kind: string, name: string, content: Record<string, unknown> = {}): Content => ({
  apiVersion: kind === "Deployment" ? "apps/v1" : "v1",
  kind,
  metadata: { name, ...(kind === "Namespace" ? {} : { namespace: "shop" }) },
  ...content,
});
const settings = a("ConfigMap", "settings", { data: { colour: "blue" } });

const describe_ = (
  objects: readonly KubeObject[],
  delivery?: DeliveryPolicy,
  inventory?: readonly InventoryEntry[],
): Description => ({
  apiVersion: "apps.clusternet.io/v1alpha1",
  kind: "Description",
  metadata: { namespace: "paris", name: "web.shop-generic", uid: "d", generation: 1 },
  spec: {
    deployer: "Generic",
    raw: objects.map((object) => Buffer.from(JSON.stringify(object)).toString("base64")),
    ...(delivery === undefined ? {} : { delivery }),
  },
  ...(inventory === undefined ? {} : { status: { inventory } }),
});

interface Bed {
  readonly cluster: MemoryCluster;
  recorded: readonly InventoryEntry[];
  deliver(description: Description): Promise<Delivery>;
  remove(description: Description): Promise<Removal>;
}

function bedOf(owners: readonly string[] = []): Bed {
  const cluster = createMemoryCluster(kinds);
  const { client: child, discovery } = cluster;
  const options = {
    child,
    discovery,
    ownerExists: ({ name }: { name: string }) => owners.includes(name),
    clock: createFakeClock(),
    siblings: [],
    askParts: () => Promise.resolve([]),
  };
  const bed: Bed = {
    cluster,
    recorded: [],
    deliver: (description) =>
      deliver(
        { ...options, description, recordInventory: (inventory) => Promise.resolve(void (bed.recorded = inventory)) },
        signal,
      ),
    remove: (description) => removeDelivered({ ...options, description }, signal),
  };
  return bed;
}
const dataOf = ({ cluster }: Bed, name = "settings"): unknown => cluster.object("ConfigMap", name)?.["data"];
const foreign = { ...settings, data: { colour: "red", own: "yes" } };
const mark = "apps.clusternet.io/owned-by-description";

describe("an object that is there before", () => {
  test("is taken over by default", async () => {
    const bed = bedOf();
    bed.cluster.make(foreign, "helm");
    expect((await bed.deliver(describe_([settings]))).problems).toEqual([]);
    expect(dataOf(bed)).toEqual({ colour: "blue", own: "yes" });
  });

  test("is not touched with Fail, and the problem says who made it", async () => {
    const bed = bedOf();
    bed.cluster.make(foreign, "helm");
    const { problems } = await bed.deliver(describe_([settings], { adoption: "Fail" }));
    expect(problemsText(problems)).toBe(
      "ConfigMap shop/settings: is there already and was not delivered (last changed by helm); spec.delivery.adoption is Fail",
    );
    expect(problems[0]?.reason).toBe("NotAdopted");
    expect(bed.cluster.writes()).toEqual([]);
  });

  test("is left alone with Skip, counts as delivered, and is not deleted in the end", async () => {
    const bed = bedOf();
    bed.cluster.make(foreign, "helm");
    const description = describe_([settings], { adoption: "Skip" });
    const { problems, inventory } = await bed.deliver(description);
    expect(problems).toEqual([]);
    expect(inventory).toEqual([{ apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name: "settings", origin: "Skipped" }]);
    await bed.remove({ ...description, status: { inventory } });
    expect(bed.cluster.writes()).toEqual([]);
  });

  test.each(["Fail", "Skip"] as const)("does not stand in the way of what it delivered itself (%s)", async (adoption) => {
    const bed = bedOf();
    const { inventory } = await bed.deliver(describe_([settings], { adoption }));
    bed.cluster.edit("ConfigMap", "settings", { by: "kubectl", change: ({ metadata }) => (metadata["annotations"] = {}) });
    const changed = { ...settings, data: { colour: "green" } };
    expect((await bed.deliver(describe_([changed], { adoption }, inventory))).problems).toEqual([]);
    expect(dataOf(bed)).toEqual({ colour: "green" });
  });

  test("belongs to another Description: a conflict with both names under every policy, and no fight", async () => {
    for (const adoption of ["Adopt", "Fail", "Skip"] as const) {
      const bed = bedOf(["other.shop-generic"]);
      bed.cluster.make(
        { ...foreign, metadata: { ...foreign.metadata, annotations: { [mark]: "paris.other.shop-generic" } } },
        "x",
      );
      const { problems } = await bed.deliver(describe_([settings], { adoption }));
      expect(problemsText(problems)).toContain(
        "is owned by Description paris/other.shop-generic, so Description paris/web.shop-generic leaves it alone",
      );
      expect(dataOf(bed)).toEqual({ colour: "red", own: "yes" });
    }
  });

  test("belonged to a Description that is gone: is taken over", async () => {
    const bed = bedOf();
    bed.cluster.make({ ...foreign, metadata: { ...foreign.metadata, annotations: { [mark]: "paris.other.shop-generic" } } }, "x");
    expect((await bed.deliver(describe_([settings]))).problems).toEqual([]);
    expect(bed.cluster.object("ConfigMap", "settings")?.metadata.annotations?.[mark]).toBe("paris.web.shop-generic");
  });

  test("is a namespace: stays when nobody wants it any more, without our marks", async () => {
    const bed = bedOf();
    bed.cluster.make(a("Namespace", "shop"), "kubectl");
    const description = describe_([a("Namespace", "shop"), a("Namespace", "new")]);
    const { inventory } = await bed.deliver(description);
    expect(inventory.map(({ name, origin }) => `${name} ${origin ?? "made"}`)).toEqual(["shop Adopted", "new made"]);
    expect(await bed.remove({ ...description, status: { inventory } })).toEqual({ remaining: [], problems: [] });
    expect(bed.cluster.object("Namespace", "new")).toBeUndefined();
    expect(bed.cluster.object("Namespace", "shop")?.metadata.annotations).toEqual({});
  });
});

describe("fields that belong to somebody else", () => {
  const deployment = (replicas: number, image = "a"): Content => a("Deployment", "web", { spec: { replicas, image } });
  const specOf = ({ cluster }: Bed): unknown => cluster.object("Deployment", "web")?.["spec"];
  const scale = ({ cluster }: Bed, by: string): void => {
    cluster.edit("Deployment", "web", { by, change: (object) => ((object["spec"] as Record<string, unknown>)["replicas"] = 7) });
  };

  test("that the policy lists are set once and left alone from then on", async () => {
    const bed = bedOf();
    const delivery: DeliveryPolicy = { ignoreFields: [{ kind: "Deployment", paths: ["/spec/replicas"] }] };
    const { inventory } = await bed.deliver(describe_([deployment(2)], delivery));
    expect(specOf(bed)).toEqual({ replicas: 2, image: "a" });
    scale(bed, "kubectl");
    expect((await bed.deliver(describe_([deployment(2, "b")], delivery, inventory))).problems).toEqual([]);
    expect(specOf(bed)).toEqual({ replicas: 7, image: "b" });
  });

  test("replicas that an autoscaler set stay, also with a new template; those that a person set do not", async () => {
    for (const [by, replicas] of [
      ["kube-controller-manager:scale", 7],
      ["kubectl:scale", 2],
    ] as const) {
      const bed = bedOf();
      const { inventory } = await bed.deliver(describe_([deployment(2)]));
      scale(bed, by);
      expect((await bed.deliver(describe_([deployment(2, "b")], {}, inventory))).problems).toEqual([]);
      expect(specOf(bed)).toEqual({ replicas, image: "b" });
    }
  });

  test("replicas that a delivered autoscaler will set are its own from the start", async () => {
    const bed = bedOf();
    const autoscaler = {
      apiVersion: "autoscaling/v2",
      kind: "HorizontalPodAutoscaler",
      metadata: { name: "web", namespace: "shop" },
      spec: { scaleTargetRef: { kind: "Deployment", name: "web" } },
    };
    const { inventory } = await bed.deliver(describe_([deployment(2), autoscaler]));
    scale(bed, "somebody");
    await bed.deliver(describe_([deployment(2, "b"), autoscaler], {}, inventory));
    expect(specOf(bed)).toEqual({ replicas: 7, image: "b" });
  });
});

describe("objects that are no longer wanted", () => {
  test("stay with Retain, without our marks, and nobody deletes them later", async () => {
    const bed = bedOf();
    const first = describe_([settings, a("Secret", "old")], { onDelete: "Retain" });
    const { inventory } = await bed.deliver(first);
    const pruned = await bed.deliver(describe_([settings], { onDelete: "Retain" }, inventory));
    expect(pruned.inventory.map(({ name }) => name)).toEqual(["settings"]);
    expect(bed.cluster.object("Secret", "old")?.metadata).toMatchObject({ labels: {}, annotations: {} });
    await bed.remove(describe_([settings], { onDelete: "Retain" }, pruned.inventory));
    expect(dataOf(bed)).toEqual({ colour: "blue" });
    // The policy is gone, the inventory old: still not ours to delete.
    await bed.remove(describe_([settings], {}, inventory));
    expect(dataOf(bed)).toEqual({ colour: "blue" });
    expect(bed.cluster.object("Secret", "old")).toBeDefined();
  });

  test("are not deleted when the inventory is older than what is there, as after a restored backup", async () => {
    const bed = bedOf();
    const { inventory } = await bed.deliver(describe_([settings]));
    bed.cluster.remove("ConfigMap", "settings");
    await bed.deliver(describe_([settings]));
    expect(await bed.remove(describe_([settings], {}, inventory))).toEqual({ remaining: [], problems: [] });
    expect(dataOf(bed)).toEqual({ colour: "blue" });
  });
});

describe("what is in the way is said", () => {
  const answers: readonly (readonly [string, ApiError["reason"], number, string, string])[] = [
    [
      "a permission",
      "Forbidden",
      403,
      'configmaps "settings" is forbidden: User "d" cannot patch resource "configmaps"',
      "Forbidden",
    ],
    [
      "a quota",
      "Forbidden",
      403,
      'configmaps "settings" is forbidden: exceeded quota: small, requested: count=1',
      "QuotaExceeded",
    ],
    ["a dying namespace", "Forbidden", 403, "unable to create: namespace shop is being terminated", "NamespaceTerminating"],
    ["a webhook", "Forbidden", 403, 'admission webhook "policy.example.com" denied the request: no', "RefusedByAdmission"],
    ["a dead webhook", "InternalError", 500, 'failed calling webhook "policy.example.com": timeout', "WebhookUnavailable"],
    ["an invalid object", "Invalid", 422, 'ConfigMap "settings" is invalid: data: Invalid value', "Invalid"],
    ["no namespace", "NotFound", 404, 'namespaces "shop" not found', "NamespaceMissing"],
    ["a server in trouble", "TooManyRequests", 429, "please try again later", "Unavailable"],
    ["no answer", "Unreachable", 0, "connect ECONNREFUSED", "Unavailable"],
  ];
  test.each(answers)("%s", async (...[, reason, code, message, expected]) => {
    const bed = bedOf();
    bed.cluster.fault = ({ verb }) => {
      if (verb === "apply") throw new ApiError({ reason, code, message });
    };
    const { problems } = await bed.deliver(describe_([settings]));
    expect(problems).toMatchObject([{ reason: expected, message, object: { name: "settings" } }]);
  });

  test("an unknown kind and a missing namespace", async () => {
    const widget = { apiVersion: "example.com/v1", kind: "Widget", metadata: { name: "w" } };
    const { problems } = await bedOf().deliver(
      describe_([widget, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" } }]),
    );
    expect(problems.map(({ reason, message }) => `${reason}: ${message}`).toSorted()).toEqual([
      "NamespaceMissing: needs a namespace",
      "UnknownKind: the cluster does not know example.com/v1 Widget",
    ]);
  });

  test("a storm: the rest is not even tried, and what Retry-After asks for is passed on", async () => {
    const bed = bedOf();
    const many = Array.from({ length: 50 }, (_, index) => a("ConfigMap", `c${String(index)}`));
    bed.cluster.fault = ({ verb }) => {
      if (verb === "apply") throw new ApiError({ reason: "TooManyRequests", code: 429, message: "wait", retryAfterMs: 7_000 });
    };
    const { problems, inventory } = await bed.deliver(describe_(many));
    expect(problems.length).toBeLessThanOrEqual(8);
    expect(problems[0]?.retryAfterMs).toBe(7_000);
    expect(inventory).toHaveLength(50);
  });

  test("nothing is pruned while something could not be applied", async () => {
    const bed = bedOf();
    const { inventory } = await bed.deliver(describe_([settings]));
    bed.cluster.fault = ({ name }) => {
      if (name === "new") throw new ApiError({ reason: "Invalid", code: 422, message: "no" });
    };
    const result = await bed.deliver(describe_([a("ConfigMap", "new")], {}, inventory));
    expect(result.inventory.map(({ name }) => name)).toEqual(["settings", "new"]);
    expect(dataOf(bed)).toBeDefined();
  });
});

describe("a deliverer that dies between any two steps", () => {
  class Killed extends Error {}
  const objects = [a("Namespace", "own"), settings, a("Secret", "key"), a("Deployment", "web")];
  /** Dies at step `k`, before or after the request was carried out on the way; then another takes over with what was recorded. */
  async function dieAt(
    k: number,
    work: (bed: Bed, inventory: readonly InventoryEntry[]) => Promise<unknown>,
  ): Promise<Bed | undefined> {
    const bed = bedOf();
    const first = describe_([...objects, a("ConfigMap", "leaving")]);
    const { inventory } = await bed.deliver(first);
    let step = 0;
    const die = (_call: Call): void => {
      step += 1;
      if (step > k) throw new Killed(`at step ${String(k)}`);
    };
    bed.cluster.fault = die;
    await work(bed, inventory).catch(() => undefined);
    bed.cluster.fault = () => undefined;
    return step > k ? bed : undefined;
  }

  test("finishes a change after a restart, and deletes nothing that is wanted", async () => {
    const second = [...objects.slice(1), a("ConfigMap", "arriving")];
    for (let k = 0; ; k += 1) {
      let inventory: readonly InventoryEntry[] = [];
      const bed = await dieAt(k, async (dying, known) => {
        inventory = known;
        await dying.deliver(describe_(second, {}, known));
      });
      if (bed === undefined) {
        expect(k).toBeGreaterThan(5);
        return;
      }
      const recorded = bed.recorded.length > 0 ? bed.recorded : inventory;
      const after = await bed.deliver(describe_(second, {}, recorded));
      expect(after.problems).toEqual([]);
      for (const { kind, metadata } of second) expect(bed.cluster.object(kind, metadata.name)).toBeDefined();
      for (const gone of ["Namespace own", "ConfigMap leaving"]) {
        const [kind = "", name = ""] = gone.split(" ");
        expect(bed.cluster.object(kind, name)).toBeUndefined();
      }
    }
  });

  test("finishes a removal after a restart", async () => {
    for (let k = 0; ; k += 1) {
      let inventory: readonly InventoryEntry[] = [];
      const bed = await dieAt(k, async (dying, known) => {
        inventory = known;
        await dying.remove(describe_(objects, {}, known));
      });
      if (bed === undefined) {
        expect(k).toBeGreaterThan(10);
        return;
      }
      expect(await bed.remove(describe_(objects, {}, inventory))).toEqual({ remaining: [], problems: [] });
      for (const { kind, metadata } of objects) expect(bed.cluster.object(kind, metadata.name)).toBeUndefined();
    }
  });
});
