// Makes one cluster match one Description: server-side apply in phases, then prune by inventory; or removes what was delivered.
//
// (DEL-1) An object is recorded in the inventory before it is applied, so that a crash between the two loses nothing.
// (DEL-2) Only what the inventory (or, at removal, the Description) names is deleted, only with the uid that was looked at, and only
//         while its owner mark is ours.
// (DEL-3) Nothing is pruned while something could not be applied: the old object may be what still works.
// (DEL-4) An object that another existing Description owns is a conflict with both names, never a fight.
// (DEL-5) A namespace or a definition that was there before is never deleted: what is in it is not ours.
// (DEL-6) Nothing is deleted that another part of the same Base describes: before anything is, the parent is asked, not a cache. What
//         moved stays recorded until the other part has recorded it, so that who was there before us is never forgotten.

import type { Description, InventoryEntry } from "#api/apps/v1alpha1/description.ts";
import { feedKey } from "#api/apps/v1alpha1/feed.ts";
import type { KubeObject } from "#api/meta.ts";
import { CustomResourceDefinition } from "#kube/builtin-kinds.ts";
import { keyOf } from "#kube/object.ts";
import { inParallel } from "#std/in-parallel.ts";
import { applyObject, type ChildOptions, type Outcome } from "./apply-object.ts";
import type { Delivery, Removal } from "./description-status.ts";
import { isEstablishedInTime } from "./established.ts";
import { ignoreRules } from "./ignored-fields.ts";
import { isJsonObject } from "./json.ts";
import { claimsOf, recordedByOthers } from "./parts.ts";
import { entryOf, planDelivery, planRemoval, type Phase } from "./plan.ts";
import type { ObjectProblem } from "./problems.ts";
import { removeObject } from "./remove-object.ts";
import { decodeRaw } from "./render.ts";

/** Requests to one child at a time for one Description. */
const OBJECTS_AT_A_TIME = 8;

/** How long a new CustomResourceDefinition may take until its objects can be created. */
const ESTABLISH_WAIT_MS = 10_000;

export interface PartOptions extends ChildOptions {
  /** The other Descriptions of the same Base, as far as they are known. */
  readonly siblings: readonly Description[];
  /** All of them as they are now, itself too (DEL-6). */
  askParts(signal: AbortSignal): Promise<readonly Description[]>;
}

export interface DeliverOptions extends PartOptions {
  /** Writes the inventory to the Description's status (DEL-1). */
  recordInventory(inventory: readonly InventoryEntry[], signal: AbortSignal): Promise<void>;
}

export async function deliver(options: DeliverOptions, signal: AbortSignal): Promise<Delivery> {
  const { description } = options;
  const { objects, problems: unreadable } = describedObjects(description);
  const inventory = description.status?.inventory ?? [];
  const plan = planDelivery(objects, inventory);
  const elsewhere = recordedByOthers(options.siblings);
  const added = plan.added.map((entry) => elsewhere.get(feedKey(entry)) ?? entry);
  const known = [...inventory, ...added];
  if (added.length > 0) await options.recordInventory(known, signal);

  const outcomes = await applyAll({ phases: plan.apply, known }, options, signal);
  const applyProblems = [...unreadable, ...outcomes.flatMap(({ problem }) => (problem === undefined ? [] : [problem]))];
  const applied = new Map(outcomes.map(({ entry, problem }) => [feedKey(entry), problem === undefined ? entry : undefined]));
  const present = known.map((entry) => applied.get(feedKey(entry)) ?? entry);
  const live = outcomes.flatMap((outcome) => (outcome.live === undefined ? [] : [outcome.live]));
  if (applyProblems.length > 0) return { inventory: present, live, problems: applyProblems };

  const { phases, awaited } = await withoutMoved(plan.delete, options, signal);
  const pruned = await removeAll(phases, options, signal);
  const unwanted = new Set(plan.delete.flatMap(({ items }) => items.map(feedKey)));
  const stillThere = new Set([...pruned.remaining, ...pruned.problems.map(({ object }) => object), ...awaited].map(feedKey));
  return {
    inventory: present.filter((entry) => !unwanted.has(feedKey(entry)) || stillThere.has(feedKey(entry))),
    live,
    problems: pruned.problems,
  };
}

/** Removes everything that the Description made; says what is still there. */
export async function removeDelivered(options: PartOptions, signal: AbortSignal): Promise<Removal> {
  const { objects } = describedObjects(options.description);
  const plan = planRemoval(objects, options.description.status?.inventory ?? []);
  const { phases, awaited } = await withoutMoved(plan, options, signal);
  const { remaining, problems } = await removeAll(phases, options, signal);
  return { remaining: [...remaining, ...awaited], problems };
}

interface Unmoved {
  readonly phases: readonly Phase<InventoryEntry>[];
  /** Described elsewhere, and not recorded there yet. */
  readonly awaited: readonly InventoryEntry[];
}

/** DEL-6 */
async function withoutMoved(
  phases: readonly Phase<InventoryEntry>[],
  options: PartOptions,
  signal: AbortSignal,
): Promise<Unmoved> {
  if (phases.length === 0) return { phases, awaited: [] };
  const { described, recorded } = claimsOf(await options.askParts(signal), options.description);
  const moved = phases.flatMap(({ items }) => items).filter((entry) => described.has(feedKey(entry)));
  return {
    phases: phases.map(({ name, items }) => ({ name, items: items.filter((entry) => !described.has(feedKey(entry))) })),
    awaited: moved.filter((entry) => !recorded.has(feedKey(entry))),
  };
}

export function describedObjects(description: Description): {
  readonly objects: readonly KubeObject[];
  readonly problems: readonly ObjectProblem[];
} {
  const parsed = (description.spec.raw ?? []).map((raw) => decodeRaw(raw));
  const objects = parsed.flatMap((value) => (isKubeObject(value) ? [value] : []));
  const unreadable = parsed.length - objects.length;
  if (unreadable === 0) return { objects, problems: [] };
  const object = { apiVersion: "", kind: "Description", name: description.metadata.name };
  const message = `${String(unreadable)} entries of spec.raw are no Kubernetes objects`;
  return { objects, problems: [{ object, reason: "Invalid", message }] };
}

function isKubeObject(value: unknown): value is KubeObject {
  if (!isJsonObject(value) || typeof value["apiVersion"] !== "string" || typeof value["kind"] !== "string") return false;
  return isJsonObject(value["metadata"]) && typeof value["metadata"]["name"] === "string";
}

/** Stops early when the child asks to wait or does not answer: the rest would only add to its trouble. */
async function applyAll(
  { phases, known: entries }: { readonly phases: readonly Phase<KubeObject>[]; readonly known: readonly InventoryEntry[] },
  options: ChildOptions,
  signal: AbortSignal,
): Promise<Outcome[]> {
  const { description } = options;
  const known = new Map(entries.map((entry) => [feedKey(entry), entry]));
  const rules = ignoreRules(
    phases.flatMap(({ items }) => items),
    description.spec.delivery ?? {},
  );
  const outcomes: Outcome[] = [];
  for (const { name, items } of phases) {
    for (const some of chunks(items)) {
      signal.throwIfAborted();
      const applied = some.map((object) =>
        applyObject({ object, entry: known.get(feedKey(entryOf(object))), rules }, options, signal),
      );
      outcomes.push(...(await Promise.all(applied)));
      if (outcomes.some(({ problem }) => problem?.reason === "Unavailable")) return outcomes;
    }
    if (name === "definitions") outcomes.push(...(await waitForDefinitions(items, options, signal)));
  }
  return outcomes;
}

/** The definitions that are not established in time. */
async function waitForDefinitions(
  items: readonly KubeObject[],
  { child, clock }: ChildOptions,
  signal: AbortSignal,
): Promise<readonly Outcome[]> {
  const late: Outcome[] = [];
  for (const definition of items.filter(({ kind }) => kind === CustomResourceDefinition.kind)) {
    if (await isEstablishedInTime(keyOf(definition), { child, clock, limitMs: ESTABLISH_WAIT_MS }, signal)) continue;
    const entry = entryOf(definition);
    const message = `is not established after ${String(ESTABLISH_WAIT_MS)} ms`;
    late.push({ entry, problem: { object: entry, reason: "Failed", message } });
  }
  return late;
}

async function removeAll(phases: readonly Phase<InventoryEntry>[], options: ChildOptions, signal: AbortSignal): Promise<Removal> {
  const remaining: InventoryEntry[] = [];
  const problems: ObjectProblem[] = [];
  const work = (entry: InventoryEntry): ReturnType<typeof removeObject> => removeObject(entry, options, signal);
  for (const { items } of phases) {
    for (const result of await inParallel(items, { atATime: OBJECTS_AT_A_TIME, work }, signal)) {
      if (result.type === "remaining") remaining.push(result.entry);
      if (result.type === "failed") problems.push(result.problem);
    }
  }
  return { remaining, problems };
}

function chunks<T>(items: readonly T[]): readonly (readonly T[])[] {
  const count = Math.ceil(items.length / OBJECTS_AT_A_TIME);
  return Array.from({ length: count }, (_, index) => items.slice(index * OBJECTS_AT_A_TIME, (index + 1) * OBJECTS_AT_A_TIME));
}
