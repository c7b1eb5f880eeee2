// Looks whether a cluster still has what a Description delivered. Writes nothing: where it is not sure, it asks the API server what an
// apply would change (a dry run), so that defaults, normal forms and webhooks are never taken for drift.

import type { InventoryEntry } from "#api/apps/v1alpha1/description.ts";
import { inParallel } from "#std/in-parallel.ts";
import { feedKey } from "#api/apps/v1alpha1/feed.ts";
import type { KubeObject, ResourceType } from "#api/meta.ts";
import { ApiError } from "#kube/errors.ts";
import { isApplied, project, withoutIdentity } from "#kube/owned-fields.ts";
import { keyOf } from "#kube/object.ts";
import { appliedBody, judge, lastManager, type ChildOptions } from "./apply-object.ts";
import { describedObjects } from "./deliver.ts";
import type { AppliedMemory } from "./applied-memory.ts";
import { fieldChanges, removesItself, type Drifted } from "./drift.ts";
import { ignoreRules, type IgnoreRule } from "./ignored-fields.ts";
import { fieldManagerOf, ownerText } from "./names.ts";
import { entryOf } from "./plan.ts";
import { problemOfError, type ObjectProblem } from "./problems.ts";

/** Requests to one child at a time for one Description. */
const OBJECTS_AT_A_TIME = 8;

export interface DriftOptions extends ChildOptions {
  readonly memory: AppliedMemory;
  /** The object as a watch knows it; undefined: it does not. */
  cached(entry: InventoryEntry): KubeObject | undefined;
}

export interface DriftedObject extends Drifted {
  readonly wanted: KubeObject;
  readonly entry: InventoryEntry | undefined;
  readonly rules: readonly IgnoreRule[];
}

export interface DriftFound {
  readonly drifted: readonly DriftedObject[];
  readonly problems: readonly ObjectProblem[];
  /** The inventory with the uids that are there: something recreated what is ours. */
  readonly inventory: readonly InventoryEntry[];
}

export async function findDrift(options: DriftOptions, signal: AbortSignal): Promise<DriftFound> {
  const { description } = options;
  const { objects } = describedObjects(description);
  const inventory = description.status?.inventory ?? [];
  const known = new Map(inventory.map((entry) => [feedKey(entry), entry]));
  const rules = ignoreRules(objects, description.spec.delivery ?? {});
  const work = (object: KubeObject): Promise<Look> =>
    lookSafely({ wanted: object, entry: known.get(feedKey(entryOf(object))), rules }, options, signal);
  const looks = await inParallel(objects, { atATime: OBJECTS_AT_A_TIME, work }, signal);
  const uids = new Map(looks.flatMap((look) => (look.type === "ours" ? [[feedKey(look.entry), look.entry]] : [])));
  return {
    drifted: looks.flatMap((look) => (look.type === "drifted" ? [look.drifted] : [])),
    problems: looks.flatMap((look) => (look.type === "problem" ? [look.problem] : [])),
    inventory: inventory.map((entry) => uids.get(feedKey(entry)) ?? entry),
  };
}

type Look =
  | { readonly type: "fine" }
  /** Fine, and the inventory names another uid. */
  | { readonly type: "ours"; readonly entry: InventoryEntry }
  | { readonly type: "drifted"; readonly drifted: DriftedObject }
  | { readonly type: "problem"; readonly problem: ObjectProblem };

interface Subject {
  readonly wanted: KubeObject;
  readonly entry: InventoryEntry | undefined;
  readonly rules: readonly IgnoreRule[];
}

const fine: Look = { type: "fine" };

async function lookSafely(subject: Subject, options: DriftOptions, signal: AbortSignal): Promise<Look> {
  try {
    return await look(subject, options, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    return { type: "problem", problem: problemOfError(entryOf(subject.wanted), error) };
  }
}

async function look(subject: Subject, options: DriftOptions, signal: AbortSignal): Promise<Look> {
  const { wanted, entry, rules } = subject;
  if (entry?.origin === "Skipped") return fine;
  const { child, description, discovery, memory } = options;
  const owner = ownerText(description);
  const drifted = (rest: Pick<Drifted, "how" | "fields"> & { readonly by?: string }): Look => ({
    type: "drifted",
    drifted: { object: entryOf(wanted), ...subject, ...rest },
  });
  const cached = options.cached(entryOf(wanted));
  if (cached !== undefined && cached.metadata.uid === entry?.uid) {
    const { compared } = appliedBody(wanted, { live: undefined, rules, description });
    if (memory.isAsApplied(owner, { wanted: compared, live: cached })) return fine;
  }
  const { apiVersion, kind } = wanted;
  const type = await discovery.resolve(apiVersion, kind, signal);
  const live = type === undefined ? undefined : await child.get(type, keyOf(wanted), signal);
  if (type === undefined || live === undefined) return removesItself(wanted) ? fine : drifted({ how: "deleted", fields: [] });
  // It will be gone soon; then it is put back.
  if (live.metadata.deletionTimestamp !== undefined) return fine;
  const verdict = judge(live, { entry, options });
  if (verdict.type === "ours" && verdict.isForeign) return drifted({ how: "replaced", by: lastManager(live), fields: [] });
  if (verdict.type === "skipped") return fine;
  const object = entryOf(wanted);
  if (verdict.type === "refused") return { type: "problem", problem: { object, ...verdict } };
  const changes = await changesOf({ ...subject, type, live }, options, signal);
  if (changes.length > 0) return drifted({ how: "changed", by: lastManager(live, fieldManagerOf(description)), fields: changes });
  const { uid } = live.metadata;
  return entry === undefined || uid === undefined || entry.uid === uid ? fine : { type: "ours", entry: { ...entry, uid } };
}

type Found = Subject & { readonly type: ResourceType; readonly live: KubeObject };

/** What an apply would put back. */
async function changesOf(
  { wanted, rules, type, live }: Found,
  { child, description, memory }: DriftOptions,
  signal: AbortSignal,
): Promise<Drifted["fields"]> {
  const owner = ownerText(description);
  const fieldManager = fieldManagerOf(description);
  const { body, compared } = appliedBody(wanted, { live, rules, description });
  if (memory.isAsApplied(owner, { wanted: compared, live })) return [];
  const answer = isApplied({ wanted: body, live, manager: fieldManager })
    ? live
    : await dryRun(() => child.apply(type, body, { fieldManager, force: true, dryRun: true }, signal), body);
  const content = withoutIdentity(compared);
  const changes = fieldChanges(project(content, answer), project(content, live));
  if (changes.length === 0) memory.remember(owner, { wanted: compared, live });
  return changes;
}

/** A webhook that cannot be asked without effect: then what we want is taken for what would be. */
async function dryRun(apply: () => Promise<KubeObject>, body: KubeObject): Promise<KubeObject> {
  try {
    return await apply();
  } catch (error) {
    if (error instanceof ApiError && error.reason === "BadRequest" && /dry.?run/i.test(error.message)) return body;
    throw error;
  }
}
