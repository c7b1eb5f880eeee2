// What was delivered stays so: what the cluster changed is put back, or reported, as spec.delivery.drift says. For Descriptions and for
// HelmReleases; how drift is found and put back is theirs.
//
// (DRI-1) Who watches the cluster finds drift; who delivers puts it back. In Push the agent finds and says it in condition Drifted, the
//         parent delivers anew.
// (DRI-2) Nothing is put back that an apply would not change, nor for ever: a change that comes back each time is reported as contested.
// (DRI-3) Every correction leaves an Event.

import type { InventoryEntry } from "#api/apps/v1alpha1/description.ts";
import { feedKey } from "#api/apps/v1alpha1/feed.ts";
import type { Condition, KubeObject, ResourceType } from "#api/meta.ts";
import type { DeliveryPolicy } from "#api/apps/v1alpha1/delivery-policy.ts";
import { normalEventReasons, warningEventReasons } from "#api/event-reasons.ts";
import { conditionTypes } from "#api/names.ts";
import type { Client } from "#kube/client.ts";
import { findCondition, isConditionTrue, setCondition } from "#kube/conditions.ts";
import { after, done, type Result } from "#kube/controller.ts";
import type { EventRecorder } from "#kube/events.ts";
import { keyTextOf } from "#kube/object.ts";
import { patchStatusIfChanged } from "#kube/write-if-changed.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { CorrectionBackoff } from "./correction-backoff.ts";
import { DeliveryError } from "./delivery-error.ts";
import { driftText, type Drifted } from "./drift.ts";
import { policyOf } from "./policy.ts";
import type { ObjectProblem } from "./problems.ts";

/** A change that comes back is put back so often at once; then it looks like a fight with another controller. */
const FREE_CORRECTIONS = 3;

export interface KeepDeps {
  readonly parent: Client;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  /** False: somebody else puts back what we find (DRI-1). */
  readonly isDeliverer: boolean;
  readonly backoff: CorrectionBackoff;
}

/** The object on the parent that says what was delivered. */
export type Described = KubeObject & {
  readonly spec: { readonly delivery?: DeliveryPolicy | undefined };
  readonly status?: { readonly conditions?: readonly Condition[] | undefined } | undefined;
};

export interface DriftSearch<D extends Drifted> {
  readonly drifted: readonly D[];
  readonly problems: readonly ObjectProblem[];
}

export interface Correction {
  readonly problem?: ObjectProblem;
  /** What is there now, for whoever keeps an inventory. */
  readonly entry?: InventoryEntry;
}

export interface Delivered<T extends Described, D extends Drifted> {
  readonly type: ResourceType<T>;
  readonly object: T;
  find(signal: AbortSignal): Promise<DriftSearch<D>>;
  putBack(drifted: D, signal: AbortSignal): Promise<Correction>;
  /** Further members of the status: an inventory with what was made anew. */
  statusWith?(corrected: readonly InventoryEntry[]): object;
}

export type DriftReason =
  | "AsDescribed"
  /** Found; whoever delivers will put it back, or the policy is only to report. */
  | "Drifted"
  /** Put back several times, and changed again each time. */
  | "CorrectionContested"
  | "CorrectionFailed";

export async function keepAsDelivered<T extends Described, D extends Drifted>(
  delivered: Delivered<T, D>,
  deps: KeepDeps,
  signal: AbortSignal,
): Promise<Result> {
  const { drift } = policyOf(delivered.object.spec);
  const context = { delivered, deps };
  if (drift === "Off")
    return say({ status: "False", reason: "AsDescribed", message: "Drift is not looked for" }, context, signal);
  const found = await delivered.find(signal);
  const more = delivered.statusWith?.([]) ?? {};
  if (found.drifted.length === 0) {
    await say({ status: "False", reason: "AsDescribed", message: "Nothing differs", more }, context, signal);
    if (found.problems.length > 0) throw new DeliveryError(found.problems);
    return done;
  }
  if (drift === "Report" || !deps.isDeliverer) return report(found.drifted, { ...context, more }, signal);
  return correct(found, context, signal);
}

interface Context<T extends Described, D extends Drifted> {
  readonly delivered: Delivered<T, D>;
  readonly deps: KeepDeps;
}

async function report<T extends Described, D extends Drifted>(
  drifted: readonly D[],
  context: Context<T, D> & { readonly more: object },
  signal: AbortSignal,
): Promise<Result> {
  const message = driftText(drifted);
  const { object } = context.delivered;
  const known = findCondition(object.status?.conditions, conditionTypes.drifted);
  await say({ status: "True", reason: "Drifted", message, more: context.more }, context, signal);
  if (known?.status !== "True" || known.message !== message) {
    context.deps.events.record(object, { type: "Warning", reason: warningEventReasons.drifted, message });
  }
  return done;
}

async function correct<T extends Described, D extends Drifted>(
  found: DriftSearch<D>,
  context: Context<T, D>,
  signal: AbortSignal,
): Promise<Result> {
  const { delivered, deps } = context;
  const { backoff, clock } = deps;
  const keyOfDrift = ({ object }: Drifted): string => `${keyTextOf(delivered.object)} ${feedKey(object)}`;
  const waits = found.drifted.map((drifted) => ({
    drifted,
    waitMs: backoff.take(keyOfDrift(drifted), { now: clock.monotonic(), free: FREE_CORRECTIONS }),
  }));
  const contested = waits.filter(({ waitMs }) => waitMs > 0);
  const corrected: InventoryEntry[] = [];
  const problems: ObjectProblem[] = [...found.problems];
  for (const { drifted } of waits.filter(({ waitMs }) => waitMs === 0)) {
    const { problem, entry } = await correctOne(drifted, context, signal);
    if (problem !== undefined) problems.push(problem);
    else if (entry !== undefined) corrected.push(entry);
  }
  const more = delivered.statusWith?.(corrected) ?? {};
  if (problems.length > 0) {
    const message = problems.map(({ message: each }) => each).join("; ");
    await say({ status: "True", reason: "CorrectionFailed", message, more }, context, signal);
    throw new DeliveryError(problems);
  }
  if (contested.length === 0)
    return say({ status: "False", reason: "AsDescribed", message: "Nothing differs", more }, context, signal);
  const times = Math.max(...contested.map(({ drifted }) => backoff.count(keyOfDrift(drifted))));
  const message = `Put back ${String(times)} times, and changed again each time: ${driftText(contested.map(({ drifted }) => drifted))}`;
  await say({ status: "True", reason: "CorrectionContested", message, more }, context, signal);
  return after(Math.min(...contested.map(({ waitMs }) => waitMs)));
}

async function correctOne<T extends Described, D extends Drifted>(
  drifted: D,
  { delivered, deps: { events, log } }: Context<T, D>,
  signal: AbortSignal,
): Promise<Correction> {
  const result = await delivered.putBack(drifted, signal);
  if (result.problem !== undefined) return result;
  const message = `${driftText([drifted])}; put back`;
  events.record(delivered.object, { type: "Normal", reason: normalEventReasons.driftCorrected, message });
  log.info("drift.corrected", { kind: drifted.object.kind, name: drifted.object.name, how: drifted.how });
  return result;
}

interface Said {
  readonly status: "True" | "False";
  readonly reason: DriftReason;
  readonly message: string;
  readonly more?: object;
}

/** What never drifted has no such condition. */
async function say<T extends Described, D extends Drifted>(
  { status, reason, message, more = {} }: Said,
  { delivered: { type, object }, deps: { parent, clock } }: Context<T, D>,
  signal: AbortSignal,
): Promise<Result> {
  const { conditions } = object.status ?? {};
  const isNews = status === "True" || isConditionTrue(conditions, conditionTypes.drifted);
  const observedGeneration = object.metadata.generation ?? 0;
  const condition = { type: conditionTypes.drifted, status, reason, message, observedGeneration };
  const wanted = { ...more, ...(isNews ? { conditions: setCondition(conditions, condition, clock.now()) } : {}) };
  await patchStatusIfChanged(parent, { type, object, status: wanted }, signal);
  return done;
}
