// Applies one object of a Description to its cluster: whose it is, whether it may be taken over, and what in it is left alone.

import type { Description, InventoryEntry } from "#api/apps/v1alpha1/description.ts";
import type { KubeObject, ObjectKey, ResourceType } from "#api/meta.ts";
import { annotations } from "#api/names.ts";
import type { Client } from "#kube/client.ts";
import type { Discovery } from "#kube/discovery.ts";
import { isConflict } from "#kube/errors.ts";
import { keyOf } from "#kube/object.ts";
import type { Clock } from "#std/clock.ts";
import { compareText } from "#std/compare-text.ts";
import type { AppliedMemory } from "./applied-memory.ts";
import { autoscaledPaths, ignoredPaths, withLiveValues, withoutPaths, type IgnoreRule } from "./ignored-fields.ts";
import { fieldManagerOf, ownerText, parseOwner } from "./names.ts";
import { entryOf, isContainer, markedObject } from "./plan.ts";
import { policyOf } from "./policy.ts";
import { problemOfError, type ObjectProblem } from "./problems.ts";

export interface ChildOptions {
  /** The child, as the identity that childIdentityOf() names. */
  readonly child: Client;
  readonly discovery: Discovery;
  readonly description: Description;
  /** Is this Description there (and not being deleted)? Decides whether its mark on an object still counts. */
  ownerExists(owner: ObjectKey): boolean;
  readonly clock: Clock;
  /** Where somebody watches the objects: what the child made of each. */
  readonly memory?: AppliedMemory | undefined;
}

export interface Wanted {
  readonly object: KubeObject;
  /** What the inventory says about it. */
  readonly entry: InventoryEntry | undefined;
  readonly rules: readonly IgnoreRule[];
}

export interface Outcome {
  readonly entry: InventoryEntry;
  readonly problem?: ObjectProblem;
  /** As it is now. */
  readonly live?: KubeObject;
}

export async function applyObject(wanted: Wanted, options: ChildOptions, signal: AbortSignal): Promise<Outcome> {
  const entry = entryOf(wanted.object);
  try {
    const type = await options.discovery.resolve(entry.apiVersion, entry.kind, signal);
    const refuse = (reason: ObjectProblem["reason"], message: string): Outcome => ({
      entry,
      problem: { object: entry, reason, message },
    });
    if (type === undefined) return refuse("UnknownKind", `the cluster does not know ${entry.apiVersion} ${entry.kind}`);
    if (type.scope === "Namespaced" && entry.namespace === undefined) return refuse("NamespaceMissing", "needs a namespace");
    const result = await applyOwned({ ...wanted, type }, options, signal);
    switch (result.type) {
      case "refused":
        return refuse(result.reason, result.message);
      case "skipped":
        return { entry: { ...entry, origin: "Skipped" } };
      case "applied": {
        const { uid } = result.live.metadata;
        const origin = result.adopted ? ({ origin: "Adopted" } as const) : {};
        return { entry: { ...entry, ...(uid === undefined ? {} : { uid }), ...origin }, live: result.live };
      }
      default:
        return result satisfies never;
    }
  } catch (error) {
    if (signal.aborted) throw error;
    return { entry, problem: problemOfError(entry, error) };
  }
}

type Result =
  | { readonly type: "applied"; readonly live: KubeObject; readonly adopted: boolean }
  | { readonly type: "skipped" }
  | { readonly type: "refused"; readonly reason: ObjectProblem["reason"]; readonly message: string };

type Typed = Wanted & { readonly type: ResourceType };

async function applyOwned(wanted: Typed, options: ChildOptions, signal: AbortSignal): Promise<Result> {
  const { type, object, entry, rules } = wanted;
  const { child, description } = options;
  const { adoption } = policyOf(description.spec);
  // A namespace that was there before holds what is not ours: that must be known when it is no longer wanted.
  const mustLook =
    adoption !== "Adopt" || ignoredPaths(object, rules).length > 0 || (isContainer(object) && entry?.uid === undefined);
  const looked = mustLook ? await child.get(type, keyOf(object), signal) : undefined;
  const verdict = looked === undefined ? undefined : judge(looked, { entry, options });
  if (verdict !== undefined && verdict.type !== "ours") return verdict;
  const adopted = entry?.origin === "Adopted" || verdict?.isForeign === true;
  try {
    return { type: "applied", live: await send({ ...wanted, live: looked, force: false }, options, signal), adopted };
  } catch (error) {
    if (!isConflict(error)) throw error;
    // The owner mark is a field too, so another Description that holds the object always shows up as a conflict.
    const live = await child.get(type, keyOf(object), signal);
    if (live === undefined) throw error;
    const now = judge(live, { entry, options });
    if (now.type !== "ours") return now;
    return { type: "applied", live: await send({ ...wanted, live, force: true }, options, signal), adopted };
  }
}

type Sent = Typed & { readonly live: KubeObject | undefined; readonly force: boolean };

async function send({ type, object, rules, live, force }: Sent, options: ChildOptions, signal: AbortSignal): Promise<KubeObject> {
  const { child, description, memory } = options;
  const { body, compared } = appliedBody(object, { live, rules, description });
  const answer = await child.apply(type, body, { fieldManager: fieldManagerOf(description), force }, signal);
  memory?.remember(ownerText(description), { wanted: compared, live: answer });
  return answer;
}

export interface BodyOptions {
  readonly live: KubeObject | undefined;
  readonly rules: readonly IgnoreRule[];
  readonly description: Description;
}

/** `body` is what is sent, `compared` what of it has to stay so. */
export function appliedBody(
  object: KubeObject,
  { live, rules, description }: BodyOptions,
): { readonly body: KubeObject; readonly compared: KubeObject } {
  const paths = [...ignoredPaths(object, rules), ...(live === undefined ? [] : autoscaledPaths(live))];
  const marked = markedObject(object, ownerText(description));
  const compared = withoutPaths(marked, paths);
  if (live === undefined || paths.length === 0) return { body: marked, compared };
  const body = withLiveValues(marked, { live, paths });
  // Values that were read may not overwrite newer ones: who sets them does so at any time.
  const { resourceVersion } = live.metadata;
  return { body: resourceVersion === undefined ? body : { ...body, metadata: { ...body.metadata, resourceVersion } }, compared };
}

/** Whose the object that is there is. An owner mark counts while its Description exists. */
export function judge(
  live: KubeObject,
  { entry, options }: { readonly entry: InventoryEntry | undefined; readonly options: ChildOptions },
): { readonly type: "ours"; readonly isForeign: boolean } | Exclude<Result, { readonly type: "applied" }> {
  const { description } = options;
  const mark = live.metadata.annotations?.[annotations.ownedByDescription];
  const mine = ownerText(description);
  if (mark === mine) return { type: "ours", isForeign: false };
  const owner = mark === undefined ? undefined : parseOwner(mark);
  if (owner !== undefined && options.ownerExists(owner)) {
    const { namespace = "", name } = description.metadata;
    const message = `is owned by Description ${owner.namespace ?? ""}/${owner.name}, so Description ${namespace}/${name} leaves it alone`;
    return { type: "refused", reason: "OwnedByOther", message };
  }
  // The mark was taken off an object that we made.
  const isKnown = entry?.uid !== undefined && entry.uid === live.metadata.uid;
  if (isKnown) return { type: "ours", isForeign: false };
  switch (policyOf(description.spec).adoption) {
    case "Adopt":
      return { type: "ours", isForeign: true };
    case "Skip":
      return { type: "skipped" };
    case "Fail":
      return {
        type: "refused",
        reason: "NotAdopted",
        message: `is there already and was not delivered (last changed by ${lastManager(live)}); spec.delivery.adoption is Fail`,
      };
  }
}

/** Who changed the object last, as far as the API server knows. */
export function lastManager({ metadata }: KubeObject, except = ""): string {
  const { managedFields = [] } = metadata as {
    readonly managedFields?: readonly { manager?: string; time?: string; subresource?: string }[];
  };
  const others = managedFields.filter(({ manager, subresource = "" }) => manager !== except && subresource !== "status");
  const newest = others.toSorted((a, b) => compareText(a.time ?? "", b.time ?? "")).at(-1);
  return newest?.manager ?? "somebody";
}
