// A cluster in memory for tests of what is sent when, with faults between any two requests: objects, field owners, server-side apply,
// finalizers, preconditions. What kube-apiserver really does about an object is tested against kube-apiserver.

import jsonPatch, { type Operation } from "fast-json-patch";
import type { KubeObject, ObjectKey, ResourceType } from "#api/meta.ts";
import type { ApplyOptions, Client, DeleteOptions, PatchOptions } from "#kube/client.ts";
import type { Discovery } from "#kube/discovery.ts";
import { ApiError } from "#kube/errors.ts";
import { preconditionOf } from "#kube/write-if-changed.ts";
import { deepEqual } from "#std/canonical-json.ts";

/** When everything was deleted. */
export const DELETED_AT = "2030-01-01T00:00:00Z";

export interface Call {
  readonly verb: "get" | "create" | "apply" | "dry-run" | "patch" | "delete";
  readonly kind: string;
  readonly name: string;
}

type Json = Record<string, unknown>;

interface Stored {
  object: Json & { metadata: Json };
  /** Manager (`name` or `name:subresource`) -> JSON pointers of the leaves that it owns. */
  readonly owners: Map<string, Set<string>>;
}

export interface MemoryCluster {
  readonly client: Client;
  readonly discovery: Discovery;
  readonly calls: readonly Call[];
  /** Called before each request; what it throws is the answer. */
  fault: (call: Call) => void;
  /** A mutating webhook: sees every applied object. */
  webhook: (object: Json) => void;
  object(kind: string, name: string): (KubeObject & Json) | undefined;
  /** Somebody else, with an update. */
  edit(
    kind: string,
    name: string,
    options: { readonly by: string; readonly change: (object: Json & { metadata: Json }) => void },
  ): void;
  make(object: KubeObject & Json, by: string): void;
  remove(kind: string, name: string): void;
  writes(): readonly string[];
}

const IDENTITY = new Set(["apiVersion", "kind"]);
const METADATA_OWNED = new Set(["labels", "annotations", "finalizers", "ownerReferences"]);

export function createMemoryCluster(kinds: readonly ResourceType[]): MemoryCluster {
  const objects = new Map<string, Stored>();
  const calls: Call[] = [];
  let counter = 0;
  const next = (): string => String((counter += 1));
  const idOf = (kind: string, name: string): string => `${kind}/${name}`;
  const failed = (reason: ApiError["reason"], code: number, message: string): ApiError => new ApiError({ reason, code, message });
  const begin = (verb: Call["verb"], kind: string, name: string): void => {
    const call = { verb, kind, name };
    calls.push(call);
    cluster.fault(call);
  };
  const shown = (stored: Stored): KubeObject & Json => {
    const copy = structuredClone(stored.object);
    copy.metadata["managedFields"] = [...stored.owners].map(([owner, leaves]) => {
      const [manager = "", subresource] = owner.split(":");
      return {
        manager: manager.replace(/^apply\//, ""),
        operation: manager.startsWith("apply/") ? "Apply" : "Update",
        subresource,
        fieldsV1: treeOf(leaves),
      };
    });
    return copy as unknown as KubeObject & Json;
  };
  const check = (stored: Stored, { uid, resourceVersion }: { uid?: unknown; resourceVersion?: unknown }): void => {
    const { metadata } = stored.object;
    if ((uid ?? metadata["uid"]) !== metadata["uid"]) throw failed("Conflict", 409, "the uid is another one");
    if ((resourceVersion ?? metadata["resourceVersion"]) !== metadata["resourceVersion"]) {
      throw failed("Conflict", 409, "the object has been modified");
    }
  };
  const store = (stored: Stored, before: Json | undefined): void => {
    if (before !== undefined && deepEqual(before, stored.object)) return;
    stored.object.metadata["resourceVersion"] = next();
  };

  function apply(object: KubeObject, { fieldManager, force = false, dryRun = false }: ApplyOptions): KubeObject {
    begin(dryRun ? "dry-run" : "apply", object.kind, object.metadata.name);
    const id = idOf(object.kind, object.metadata.name);
    const existing = objects.get(id);
    const wanted = structuredClone(object) as unknown as Stored["object"];
    const manager = `apply/${fieldManager}`;
    const leaves = leavesOf(wanted);
    const stored: Stored = existing === undefined ? { object: fresh(wanted), owners: new Map() } : structuredClone(existing);
    if (existing !== undefined) {
      check(stored, wanted.metadata);
      const conflicts = [...leaves].filter(([path, value]) => {
        const others = [...stored.owners].filter(([owner, owned]) => owner !== manager && owned.has(path));
        return others.length > 0 && !deepEqual(valueAt(stored.object, path), value);
      });
      if (conflicts.length > 0 && !force)
        throw failed("Conflict", 409, `Apply failed with conflicts: ${conflicts.map(([path]) => path).join()}`);
      for (const [path] of conflicts) for (const [owner, owned] of stored.owners) if (owner !== manager) owned.delete(path);
      for (const path of stored.owners.get(manager) ?? []) {
        const isOthers = [...stored.owners].some(([owner, owned]) => owner !== manager && owned.has(path));
        if (!leaves.has(path) && !isOthers) setAt(stored.object, path, undefined);
      }
      for (const [path, value] of leaves) setAt(stored.object, path, value);
    }
    stored.owners.set(manager, new Set(leaves.keys()));
    cluster.webhook(stored.object);
    store(stored, existing?.object);
    if (!dryRun) objects.set(id, stored);
    return shown(stored);
  }

  function fresh(wanted: Stored["object"]): Stored["object"] {
    const { name, namespace, labels, annotations, finalizers } = wanted.metadata;
    const metadata = { name, namespace, labels, annotations, finalizers, uid: `uid-${next()}`, resourceVersion: next() };
    return { ...wanted, metadata: JSON.parse(JSON.stringify(metadata)) as Json };
  }

  function patch(type: ResourceType, key: ObjectKey, { body, type: form }: PatchOptions): KubeObject {
    begin("patch", type.kind, key.name);
    const stored = objects.get(idOf(type.kind, key.name));
    if (stored === undefined) throw failed("NotFound", 404, `${type.plural} "${key.name}" not found`);
    const expected = preconditionOf({ type: form, body });
    const { uid } = form === "merge" ? ((body as { metadata?: Json }).metadata ?? {}) : {};
    check(stored, { ...(uid === undefined ? {} : { uid }), ...(expected === undefined ? {} : { resourceVersion: expected }) });
    const { resourceVersion, generation } = stored.object.metadata;
    const { spec } = stored.object;
    stored.object =
      form === "merge"
        ? (merged(stored.object, body) as Stored["object"])
        : jsonPatch.applyPatch(structuredClone(stored.object), body as Operation[]).newDocument;
    stored.object.metadata["resourceVersion"] = resourceVersion;
    if (typeof generation === "number") {
      stored.object.metadata["generation"] = deepEqual(spec, stored.object["spec"]) ? generation : generation + 1;
    }
    store(stored, undefined);
    return shown(stored);
  }

  function create(object: KubeObject): KubeObject {
    begin("create", object.kind, object.metadata.name);
    const id = idOf(object.kind, object.metadata.name);
    if (objects.has(id)) throw failed("AlreadyExists", 409, `${id} already exists`);
    const stored: Stored = { object: fresh(structuredClone(object) as unknown as Stored["object"]), owners: new Map() };
    stored.object.metadata["generation"] = 1;
    objects.set(id, stored);
    return shown(stored);
  }

  function remove(type: ResourceType, key: ObjectKey, options: DeleteOptions): boolean {
    begin("delete", type.kind, key.name);
    const stored = objects.get(idOf(type.kind, key.name));
    if (stored === undefined) return false;
    check(stored, options);
    if ((stored.object.metadata["finalizers"] as readonly string[] | undefined)?.length) {
      stored.object.metadata["deletionTimestamp"] ??= DELETED_AT;
      store(stored, undefined);
    } else objects.delete(idOf(type.kind, key.name));
    return true;
  }

  const cluster: MemoryCluster = {
    calls,
    fault: () => undefined,
    webhook: () => undefined,
    client: {
      get: (type: ResourceType, { name }: ObjectKey) =>
        attempt(() => {
          begin("get", type.kind, name);
          const stored = objects.get(idOf(type.kind, name));
          return stored === undefined ? undefined : shown(stored);
        }),
      // Discovery.
      request: ({ path }: { readonly path: string }) =>
        attempt(() => {
          const served = kinds.filter(
            ({ group, version }) => path === (group === "" ? `/api/${version}` : `/apis/${group}/${version}`),
          );
          return {
            json: {
              resources: served.map(({ plural, kind, scope }) => ({ name: plural, kind, namespaced: scope === "Namespaced" })),
            },
          };
        }),
      // Watches never tell anything: whoever needs to know looks.
      list: ({ kind }: ResourceType) =>
        attempt(() => ({ items: [...objects.values()].map(shown).filter((each) => each.kind === kind), resourceVersion: "1" })),
      stream: (_request: unknown, signal: AbortSignal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            reject(new Error("aborted"));
          });
        }),
      create: (_type: ResourceType, object: KubeObject) => attempt(() => create(object)),
      apply: (_type: ResourceType, object: KubeObject, options: ApplyOptions) => attempt(() => apply(object, options)),
      patch: (type: ResourceType, key: ObjectKey, options: PatchOptions) => attempt(() => patch(type, key, options)),
      delete: (type: ResourceType, key: ObjectKey, options: DeleteOptions) => attempt(() => remove(type, key, options)),
    } as unknown as Client,
    discovery: {
      resolve: (apiVersion, kind) =>
        Promise.resolve(
          kinds.find(
            (type) => type.kind === kind && (type.group === "" ? type.version : `${type.group}/${type.version}`) === apiVersion,
          ),
        ),
    },
    object: (kind, name) => {
      const stored = objects.get(idOf(kind, name));
      return stored === undefined ? undefined : shown(stored);
    },
    edit: (kind, name, { by, change }) => {
      const stored = objects.get(idOf(kind, name));
      if (stored === undefined) throw new Error(`There is no ${kind} ${name}`);
      const before = leavesOf(stored.object);
      change(stored.object);
      const after = leavesOf(stored.object);
      const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
        (path) => !deepEqual(before.get(path), after.get(path)),
      );
      for (const owned of stored.owners.values()) for (const path of changed) owned.delete(path);
      stored.owners.set(by, new Set([...(stored.owners.get(by) ?? []), ...changed.filter((path) => after.has(path))]));
      store(stored, undefined);
    },
    make: (object, by) => {
      const stored: Stored = { object: fresh(structuredClone(object) as unknown as Stored["object"]), owners: new Map() };
      stored.owners.set(by, new Set(leavesOf(stored.object).keys()));
      objects.set(idOf(object.kind, object.metadata.name), stored);
    },
    remove: (kind, name) => {
      objects.delete(idOf(kind, name));
    },
    writes: () =>
      calls.filter(({ verb }) => verb !== "get" && verb !== "dry-run").map(({ verb, kind, name }) => `${verb} ${kind} ${name}`),
  };
  return cluster;
}

function attempt<T>(work: () => T): Promise<T> {
  return Promise.resolve().then(work);
}

/** JSON pointer -> value of everything that is no object; arrays are atomic. */
function leavesOf(object: Json): Map<string, unknown> {
  const leaves = new Map<string, unknown>();
  const visit = (path: string, value: unknown): void => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      if (value !== undefined) leaves.set(path, value);
      return;
    }
    for (const [name, member] of Object.entries(value))
      visit(`${path}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`, member);
  };
  for (const [name, value] of Object.entries(object)) {
    if (IDENTITY.has(name)) continue;
    if (name !== "metadata") visit(`/${name}`, value);
    else
      for (const [part, member] of Object.entries(value as Json))
        if (METADATA_OWNED.has(part)) visit(`/metadata/${part}`, member);
  }
  return leaves;
}

function steps(path: string): string[] {
  return path
    .slice(1)
    .split("/")
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function valueAt(object: unknown, path: string): unknown {
  return steps(path).reduce<unknown>((value, step) => (value as Json | undefined)?.[step], object);
}

function setAt(object: Json, path: string, value: unknown): void {
  const all = steps(path);
  const last = all.pop() ?? "";
  const parent = all.reduce<Json>((inside, step) => (inside[step] ??= {}) as Json, object);
  if (value === undefined) Reflect.deleteProperty(parent, last);
  else parent[last] = value;
}

function treeOf(leaves: ReadonlySet<string>): Json {
  const tree: Json = {};
  for (const path of leaves) steps(path).reduce<Json>((inside, step) => (inside[`f:${step}`] ??= {}) as Json, tree);
  return tree;
}

function merged(current: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const base = typeof current === "object" && current !== null && !Array.isArray(current) ? (current as Json) : {};
  const result: Json = { ...base };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(result, name);
    else if (value !== undefined) result[name] = merged(base[name], value);
  }
  return result;
}
