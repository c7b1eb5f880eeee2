// Makes one cluster match one Description: server-side apply in phases, then prune by inventory; or removes what was delivered.
//
// (DEL-1) An object is recorded in the inventory before it is applied, so that a crash between the two loses nothing.
// (DEL-2) Only what the inventory (or, at removal, the Description) names is deleted, only with the uid that was looked at, and only
//         while its owner mark is ours.
// (DEL-3) Nothing is pruned while something could not be applied: the old object may be what still works.
// (DEL-4) An object that another existing Description owns is a conflict with both names, never a fight.

import type { Description, InventoryEntry } from "#api/apps/v1alpha1/description.ts";
import type { KubeObject, ObjectKey, ResourceType } from "#api/meta.ts";
import { annotations } from "#api/names.ts";
import { CustomResourceDefinition } from "#kube/builtin-kinds.ts";
import type { Client } from "#kube/client.ts";
import type { Discovery } from "#kube/discovery.ts";
import { isConflict } from "#kube/errors.ts";
import { keyOf } from "#kube/object.ts";
import type { Clock } from "#std/clock.ts";
import { errorChain } from "#std/errors.ts";
import type { Delivery, ObjectProblem, Removal } from "./description-status.ts";
import { isJsonObject } from "./json.ts";
import { fieldManagerOf, ownerText, parseOwner } from "./names.ts";
import { entryOf, markedObject, planDelivery, planRemoval, type Phase } from "./plan.ts";
import { decodeRaw } from "./render.ts";

/** Requests to one child at a time for one Description. */
const OBJECTS_AT_A_TIME = 8;

/** How long a new CustomResourceDefinition may take until its objects can be created. */
const ESTABLISH_WAIT_MS = 10_000;
const ESTABLISH_POLL_MS = 100;

export interface DeliverOptions {
  /** The child, as the identity that childIdentityOf() names. */
  readonly child: Client;
  readonly discovery: Discovery;
  readonly description: Description;
  /** Is this Description there (and not being deleted)? Decides whether its mark on an object still counts. */
  ownerExists(owner: ObjectKey): boolean;
  /** Writes the inventory to the Description's status (DEL-1). */
  recordInventory(inventory: readonly InventoryEntry[], signal: AbortSignal): Promise<void>;
  readonly clock: Clock;
}

export async function deliver(options: DeliverOptions, signal: AbortSignal): Promise<Delivery> {
  const { description } = options;
  const { objects, problems: unreadable } = describedObjects(description);
  const inventory = description.status?.inventory ?? [];
  const plan = planDelivery(objects, inventory);
  if (plan.added.length > 0) await options.recordInventory([...inventory, ...plan.added], signal);

  const outcomes: Outcome[] = [];
  for (const { name, items } of plan.apply) {
    outcomes.push(...(await inParallel(items, (object) => applyOne(object, options, signal), signal)));
    if (name === "definitions") outcomes.push(...(await waitForDefinitions(items, options, signal)));
  }
  const applyProblems = [...unreadable, ...outcomes.flatMap(({ problem }) => (problem === undefined ? [] : [problem]))];
  const applied = new Map(outcomes.map((outcome) => [entryKey(outcome.entry), outcome.entry]));
  const present = [...inventory, ...plan.added].map((entry) => applied.get(entryKey(entry)) ?? entry);
  if (applyProblems.length > 0) return { inventory: present, problems: applyProblems };

  const pruned = await deleteAll(plan.delete, options, signal);
  const unwanted = new Set(plan.delete.flatMap(({ items }) => items.map(entryKey)));
  const stillThere = new Set([...pruned.remaining, ...pruned.problems.map(({ object }) => object)].map(entryKey));
  return {
    inventory: present.filter((entry) => !unwanted.has(entryKey(entry)) || stillThere.has(entryKey(entry))),
    problems: pruned.problems,
  };
}

/** Deletes everything that the Description made; says what is still there. */
export function removeDelivered(options: Omit<DeliverOptions, "recordInventory">, signal: AbortSignal): Promise<Removal> {
  const { objects } = describedObjects(options.description);
  return deleteAll(planRemoval(objects, options.description.status?.inventory ?? []), options, signal);
}

interface Outcome {
  readonly entry: InventoryEntry;
  readonly problem?: ObjectProblem;
}

type ChildOptions = Omit<DeliverOptions, "recordInventory">;

function describedObjects(description: Description): {
  readonly objects: readonly KubeObject[];
  readonly problems: readonly ObjectProblem[];
} {
  const parsed = (description.spec.raw ?? []).map((raw) => decodeRaw(raw));
  const objects = parsed.flatMap((value) => (isKubeObject(value) ? [value] : []));
  const unreadable = parsed.length - objects.length;
  if (unreadable === 0) return { objects, problems: [] };
  const object = { apiVersion: "", kind: "Description", name: description.metadata.name };
  return { objects, problems: [{ object, message: `${String(unreadable)} entries of spec.raw are no Kubernetes objects` }] };
}

function isKubeObject(value: unknown): value is KubeObject {
  if (!isJsonObject(value) || typeof value["apiVersion"] !== "string" || typeof value["kind"] !== "string") return false;
  return isJsonObject(value["metadata"]) && typeof value["metadata"]["name"] === "string";
}

async function applyOne(object: KubeObject, options: ChildOptions, signal: AbortSignal): Promise<Outcome> {
  const entry = entryOf(object);
  try {
    const type = await options.discovery.resolve(object.apiVersion, object.kind, signal);
    if (type === undefined) return failure(entry, `the cluster does not know ${object.apiVersion} ${object.kind}`);
    if (type.scope === "Namespaced" && entry.namespace === undefined) return failure(entry, "needs a namespace");
    const applied = await applyOwned({ type, object: markedObject(object, ownerText(options.description)) }, options, signal);
    if (typeof applied === "string") return failure(entry, applied);
    const { uid } = applied.metadata;
    return { entry: uid === undefined ? entry : { ...entry, uid } };
  } catch (error) {
    if (signal.aborted) throw error;
    return failure(entry, errorChain(error));
  }
}

/** The object as it is now, or why it is not ours to apply (DEL-4). */
async function applyOwned(
  { type, object }: { readonly type: ResourceType; readonly object: KubeObject },
  { child, description, ownerExists }: ChildOptions,
  signal: AbortSignal,
): Promise<KubeObject | string> {
  const fieldManager = fieldManagerOf(description);
  try {
    return await child.apply(type, object, { fieldManager, force: false }, signal);
  } catch (error) {
    if (!isConflict(error)) throw error;
    // The owner mark is a field too, so another Description that holds the object always shows up as a conflict.
    const live = await child.get(type, keyOf(object), signal);
    const owner = live?.metadata.annotations?.[annotations.ownedByDescription];
    const key = owner === undefined || owner === ownerText(description) ? undefined : parseOwner(owner);
    if (key !== undefined && ownerExists(key)) {
      return `is owned by Description ${key.namespace ?? ""}/${key.name}, so Description ${description.metadata.namespace ?? ""}/${description.metadata.name} leaves it alone`;
    }
    return child.apply(type, object, { fieldManager, force: true }, signal);
  }
}

async function waitForDefinitions(
  items: readonly KubeObject[],
  { child, clock }: ChildOptions,
  signal: AbortSignal,
): Promise<readonly Outcome[]> {
  const definitions = items.filter(({ kind }) => kind === CustomResourceDefinition.kind);
  const deadline = clock.monotonic() + ESTABLISH_WAIT_MS;
  return inParallel(
    definitions,
    async (definition) => {
      for (;;) {
        const live = await child.get(CustomResourceDefinition, keyOf(definition), signal).catch(() => undefined);
        const established = live?.status?.conditions?.some(({ type, status }) => type === "Established" && status === "True");
        const entry = entryOf(definition);
        if (established === true)
          return { entry: live?.metadata.uid === undefined ? entry : { ...entry, uid: live.metadata.uid } };
        signal.throwIfAborted();
        if (clock.monotonic() > deadline) return failure(entry, `is not established after ${String(ESTABLISH_WAIT_MS)} ms`);
        await clock.sleep(ESTABLISH_POLL_MS, signal);
      }
    },
    signal,
  );
}

async function deleteAll(phases: readonly Phase<InventoryEntry>[], options: ChildOptions, signal: AbortSignal): Promise<Removal> {
  const remaining: InventoryEntry[] = [];
  const problems: ObjectProblem[] = [];
  for (const { items } of phases) {
    const left = await inParallel(items, (entry) => deleteOne(entry, options, signal), signal);
    for (const result of left) {
      if (result.type === "remaining") remaining.push(result.entry);
      if (result.type === "failed") problems.push({ object: result.entry, message: result.message });
    }
  }
  return { remaining, problems };
}

type Deletion =
  | { readonly type: "gone" }
  | { readonly type: "remaining"; readonly entry: InventoryEntry }
  | { readonly type: "failed"; readonly entry: InventoryEntry; readonly message: string };

const gone: Deletion = { type: "gone" };

async function deleteOne(
  entry: InventoryEntry,
  { child, discovery, description }: ChildOptions,
  signal: AbortSignal,
): Promise<Deletion> {
  try {
    const type = await discovery.resolve(entry.apiVersion, entry.kind, signal);
    // Its kind is gone, and its objects with it.
    if (type === undefined) return gone;
    const key: ObjectKey =
      entry.namespace === undefined ? { name: entry.name } : { namespace: entry.namespace, name: entry.name };
    const live = await child.get(type, key, signal);
    const uid = live?.metadata.uid;
    if (live === undefined || uid === undefined || !isOurs(live, entry, description)) return gone;
    if (live.metadata.deletionTimestamp === undefined) {
      await child.delete(type, key, { propagationPolicy: "Background", uid }, signal);
      const after = await child.get(type, key, signal);
      if (after?.metadata.uid !== uid) return gone;
    }
    return { type: "remaining", entry };
  } catch (error) {
    if (signal.aborted) throw error;
    // Replaced between the look and the delete: look again.
    if (isConflict(error)) return { type: "remaining", entry };
    return { type: "failed", entry, message: errorChain(error) };
  }
}

/** DEL-2: another object under the same name, or one that another Description took over, is not ours to delete. */
function isOurs(live: KubeObject, entry: InventoryEntry, description: Description): boolean {
  if (entry.uid !== undefined && entry.uid !== live.metadata.uid) return false;
  return live.metadata.annotations?.[annotations.ownedByDescription] === ownerText(description);
}

function failure(entry: InventoryEntry, message: string): Outcome {
  return { entry, problem: { object: entry, message } };
}

function entryKey({ apiVersion, kind, namespace = "", name }: InventoryEntry): string {
  return `${apiVersion}/${kind}/${namespace}/${name}`;
}

async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>, signal: AbortSignal): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < items.length; start += OBJECTS_AT_A_TIME) {
    signal.throwIfAborted();
    results.push(...(await Promise.all(items.slice(start, start + OBJECTS_AT_A_TIME).map(work))));
  }
  return results;
}
