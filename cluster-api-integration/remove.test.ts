// What is taken away for a Cluster that goes, also one that was deleted while it was joining, and what is left alone.

import { beforeEach, describe, expect, test } from "@jest/globals";
import { annotations } from "#api/names.ts";
import type { KubeObject, ObjectKey, ResourceType } from "#api/meta.ts";
import type { Client, DeleteOptions } from "#kube/client.ts";
import { objectPath } from "#kube/paths.ts";
import { silentLogger } from "#std/log.ts";
import type { CapiCluster } from "./contract.ts";
import type { InstallShell } from "./install.ts";
import { removeAgent, removePlaces } from "./remove.ts";

const SYSTEM = "clusternet-system";
const GRANT = `/api/v1/namespaces/${SYSTEM}/configmaps/clusternet-join-oslo`;
const ACCOUNT = "/api/v1/namespaces/clusternet-joining/serviceaccounts/clusternet-join-oslo";
const PLACE = "/api/v1/namespaces/clusternet-oslo";
const { signal } = new AbortController();

/** The parent: what is there by path, and what happened in order. An object with a finalizer is only marked by its deletion. */
let objects: Map<string, KubeObject>;
let happened: string[];

beforeEach(() => {
  objects = new Map();
  happened = [];
});

function put(path: string, { madeFor = "default/oslo", finalizers = [] as string[] } = {}): void {
  const metadata = { name: "x", uid: `uid of ${path}`, finalizers, annotations: { [annotations.clusterApiCluster]: madeFor } };
  objects.set(path, { apiVersion: "v1", kind: "Any", metadata });
}

const parent = {
  get: <T extends KubeObject>(type: ResourceType<T>, key: ObjectKey) =>
    Promise.resolve(objects.get(objectPath(type, key)) as T | undefined),
  // eslint-disable-next-line max-params -- as the client has it
  delete: (type: ResourceType, key: ObjectKey, { uid = "" }: DeleteOptions, _signal: AbortSignal) => {
    const path = objectPath(type, key);
    const object = objects.get(path);
    happened.push(`delete ${path}${uid === object?.metadata.uid ? "" : " without its uid"}`);
    if (object?.metadata.finalizers?.length === 0) objects.delete(path);
    return Promise.resolve(object !== undefined);
  },
} as unknown as Client;

const uninstall = (): Promise<void> => {
  happened.push("uninstall");
  return Promise.resolve();
};
const remove = (): Promise<boolean> => removePlaces("default/oslo", { client: parent, namespace: SYSTEM, uninstall }, signal);

describe("The place on the parent", () => {
  test("goes in this order: permission, agent, account, namespace", async () => {
    for (const path of [GRANT, ACCOUNT, PLACE]) put(path);
    expect(await remove()).toBe(true);
    expect(happened).toEqual([`delete ${GRANT}`, "uninstall", `delete ${ACCOUNT}`, `delete ${PLACE}`]);
  });

  test("stays while the child is being deregistered, with the agent that cleans up", async () => {
    put(GRANT, { finalizers: ["apps.clusternet.io/finalizer"] });
    for (const path of [ACCOUNT, PLACE]) put(path);
    expect(await remove()).toBe(false);
    expect(happened).toEqual([`delete ${GRANT}`]);
  });

  test("of a Cluster that was deleted before it had a permission to join goes all the same", async () => {
    for (const path of [ACCOUNT, PLACE]) put(path);
    expect(await remove()).toBe(true);
    expect(happened).toEqual(["uninstall", `delete ${ACCOUNT}`, `delete ${PLACE}`]);
  });

  test("of another Cluster, or of a program, with the same name stays", async () => {
    for (const path of [GRANT, ACCOUNT, PLACE]) put(path, { madeFor: "other/oslo" });
    expect(await remove()).toBe(true);
    expect(happened).toEqual(["uninstall"]);
    expect(objects.size).toBe(3);
  });
});

describe("The agent in a cluster without a way in", () => {
  const SECRET = "/api/v1/namespaces/default/secrets/oslo-kubeconfig";
  const shell = {
    client: parent,
    namespace: SYSTEM,
    log: silentLogger,
    events: {
      record: (_object: KubeObject, note: { message: string }) => happened.push(note.message),
      flush: () => Promise.resolve(),
    },
  } as unknown as InstallShell;
  const cluster = (deletionTimestamp?: string): CapiCluster => ({
    apiVersion: "cluster.x-k8s.io/v1beta2",
    kind: "Cluster",
    metadata: { namespace: "default", name: "oslo", ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }) },
  });
  const putUnusableSecret = (): void => {
    put(SECRET);
    objects.set(SECRET, {
      ...objects.get(SECRET),
      data: { value: Buffer.from("users: [").toString("base64") },
    } as unknown as KubeObject);
  };

  test.each([
    ["a Cluster that is being deleted, and its kubeconfig with it", "2026-01-01T00:00:00Z", false],
    ["a Cluster that is being deleted, with a kubeconfig that will not do", "2026-01-01T00:00:00Z", true],
    ["a Cluster that stays, but has no kubeconfig any more", undefined, false],
  ])("of %s is left, and that is said", async (_what, deletionTimestamp, isSecretThere) => {
    if (isSecretThere) putUnusableSecret();
    await removeAgent(cluster(deletionTimestamp), shell, signal);
    expect(happened).toEqual([expect.stringMatching(/^Left the agent where it is, .*: Secret oslo-kubeconfig /)]);
  });

  test("of a Cluster that stays, with a kubeconfig that will not do, is tried again", async () => {
    putUnusableSecret();
    await expect(removeAgent(cluster(), shell, signal)).rejects.toThrow(/cannot be used: it is not YAML/);
    expect(happened).toEqual([expect.stringMatching(/^The agent is not removed, which is tried again: /)]);
  });
});
