// A delivered Description stays so: what the cluster changed is put back, or reported, as spec.delivery.drift says.
//
// (DRI-1) Who watches the cluster finds drift; who delivers puts it back. In Push the agent finds and says it in condition Drifted, the
//         parent delivers anew.
// (DRI-2) Nothing is put back that an apply would not change, nor for ever: a change that comes back each time is reported as contested.
// (DRI-3) Every correction leaves an Event.

import { Description, type InventoryEntry } from "#api/apps/v1alpha1/description.ts";
import { feedKey } from "#api/apps/v1alpha1/feed.ts";
import { normalEventReasons, warningEventReasons } from "#api/event-reasons.ts";
import { conditionTypes } from "#api/names.ts";
import type { Client } from "#kube/client.ts";
import { findCondition, isConditionTrue, setCondition } from "#kube/conditions.ts";
import { after, done, type Result } from "#kube/controller.ts";
import type { EventRecorder } from "#kube/events.ts";
import { patchStatusIfChanged } from "#kube/write-if-changed.ts";
import type { Logger } from "#std/log.ts";
import { applyObject } from "./apply-object.ts";
import type { CorrectionBackoff } from "./correction-backoff.ts";
import { DeliveryError } from "./delivery-error.ts";
import { driftText, type Drifted } from "./drift.ts";
import { findDrift, type DriftedObject, type DriftFound, type DriftOptions } from "./drift-check.ts";
import { ownerText } from "./names.ts";
import { policyOf } from "./policy.ts";
import type { ObjectProblem } from "./problems.ts";

/** A change that comes back is put back so often at once; then it looks like a fight with another controller. */
const FREE_CORRECTIONS = 3;

export interface KeepOptions extends DriftOptions {
  readonly parent: Client;
  readonly events: EventRecorder;
  readonly log: Logger;
  /** False: somebody else puts back what we find (DRI-1). */
  readonly isDeliverer: boolean;
  readonly backoff: CorrectionBackoff;
}

export type DriftReason =
  | "AsDescribed"
  /** Found; whoever delivers will put it back, or the policy is only to report. */
  | "Drifted"
  /** Put back several times, and changed again each time. */
  | "CorrectionContested"
  | "CorrectionFailed";

export async function keepDescribed(options: KeepOptions, signal: AbortSignal): Promise<Result> {
  const { description, isDeliverer } = options;
  const { drift } = policyOf(description.spec);
  if (drift === "Off")
    return say({ status: "False", reason: "AsDescribed", message: "Drift is not looked for" }, options, signal);
  const found = await findDrift(options, signal);
  if (found.drifted.length === 0) {
    await say(
      { status: "False", reason: "AsDescribed", message: "Nothing differs", inventory: found.inventory },
      options,
      signal,
    );
    if (found.problems.length > 0) throw new DeliveryError(found.problems);
    return done;
  }
  if (drift === "Report" || !isDeliverer) return report(found, options, signal);
  return correct(found, options, signal);
}

async function report({ drifted, inventory }: DriftFound, options: KeepOptions, signal: AbortSignal): Promise<Result> {
  const message = driftText(drifted);
  const { description, events } = options;
  const known = findCondition(description.status?.conditions, conditionTypes.drifted);
  await say({ status: "True", reason: "Drifted", message, inventory }, options, signal);
  if (known?.status !== "True" || known.message !== message) {
    events.record(description, { type: "Warning", reason: warningEventReasons.drifted, message });
  }
  return done;
}

async function correct(found: DriftFound, options: KeepOptions, signal: AbortSignal): Promise<Result> {
  const { description, backoff, clock } = options;
  const keyOfDrift = ({ object }: Drifted): string => `${ownerText(description)} ${feedKey(object)}`;
  const waits = found.drifted.map((drifted) => ({
    drifted,
    waitMs: backoff.take(keyOfDrift(drifted), { now: clock.monotonic(), free: FREE_CORRECTIONS }),
  }));
  const contested = waits.filter(({ waitMs }) => waitMs > 0);
  const corrected: InventoryEntry[] = [];
  const problems: ObjectProblem[] = [...found.problems];
  for (const { drifted } of waits.filter(({ waitMs }) => waitMs === 0)) {
    const result = await correctOne(drifted, options, signal);
    if (result.problem === undefined) corrected.push(result.entry);
    else problems.push(result.problem);
  }
  const entries = new Map(corrected.map((entry) => [feedKey(entry), entry]));
  const inventory = found.inventory.map((entry) => entries.get(feedKey(entry)) ?? entry);
  if (problems.length > 0) {
    const message = problems.map(({ message: each }) => each).join("; ");
    await say({ status: "True", reason: "CorrectionFailed", message, inventory }, options, signal);
    throw new DeliveryError(problems);
  }
  if (contested.length === 0)
    return say({ status: "False", reason: "AsDescribed", message: "Nothing differs", inventory }, options, signal);
  const times = Math.max(...contested.map(({ drifted }) => backoff.count(keyOfDrift(drifted))));
  const message = `Put back ${String(times)} times, and changed again each time: ${driftText(contested.map(({ drifted }) => drifted))}`;
  await say({ status: "True", reason: "CorrectionContested", message, inventory }, options, signal);
  return after(Math.min(...contested.map(({ waitMs }) => waitMs)));
}

async function correctOne(
  drifted: DriftedObject,
  options: KeepOptions,
  signal: AbortSignal,
): Promise<Awaited<ReturnType<typeof applyObject>>> {
  const { description, events, log } = options;
  const { wanted, entry, rules } = drifted;
  const result = await applyObject({ object: wanted, entry, rules }, options, signal);
  if (result.problem !== undefined) return result;
  const message = `${driftText([drifted])}; put back`;
  events.record(description, { type: "Normal", reason: normalEventReasons.driftCorrected, message });
  log.info("drift.corrected", { kind: drifted.object.kind, name: drifted.object.name, how: drifted.how });
  return result;
}

interface Said {
  readonly status: "True" | "False";
  readonly reason: DriftReason;
  readonly message: string;
  readonly inventory?: readonly InventoryEntry[];
}

/** A Description that never drifted has no such condition. */
async function say(
  { status, reason, message, inventory }: Said,
  { description, parent, clock }: KeepOptions,
  signal: AbortSignal,
): Promise<Result> {
  const { conditions } = description.status ?? {};
  const isNews = status === "True" || isConditionTrue(conditions, conditionTypes.drifted);
  const observedGeneration = description.metadata.generation ?? 0;
  const condition = { type: conditionTypes.drifted, status, reason, message, observedGeneration };
  const wanted = {
    ...(inventory === undefined ? {} : { inventory }),
    ...(isNews ? { conditions: setCondition(conditions, condition, clock.now()) } : {}),
  };
  await patchStatusIfChanged(parent, { type: Description, object: description, status: wanted }, signal);
  return done;
}
