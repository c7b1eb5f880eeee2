// One reconcile of a Description, for pull and push alike: deliver or remove, then say so in its status.

import { Description } from "#api/apps/v1alpha1/description.ts";
import type { ObjectKey } from "#api/meta.ts";
import { normalEventReasons, warningEventReasons } from "#api/event-reasons.ts";
import { conditionTypes } from "#api/names.ts";
import type { Client } from "#kube/client.ts";
import { findCondition, isConditionTrue } from "#kube/conditions.ts";
import { after, done, type Result } from "#kube/controller.ts";
import type { Discovery } from "#kube/discovery.ts";
import type { EventRecorder } from "#kube/events.ts";
import { keyTextOf } from "#kube/object.ts";
import { patchStatusIfChanged } from "#kube/write-if-changed.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import { deliver, removeDelivered, type PartOptions } from "./deliver.ts";
import { deliveredStatus, deliveredText, isDelivered, removalStatus, type Delivery } from "./description-status.ts";
import type { AppliedMemory } from "./applied-memory.ts";
import type { CorrectionBackoff } from "./correction-backoff.ts";
import { DeliveryError } from "./delivery-error.ts";
import { askParts, isItsTurn } from "./parts.ts";
import { policyOf } from "./policy.ts";
import { problemsText } from "./problems.ts";

/** While something in the child holds an object that is being deleted. */
const REMAINING_POLL_MS = 1_000;

/** Different reports about one Description that are corrected at once. */
const FREE_REPORTS = 5;

/** Whether the agent still says that something differs, after it was put back. */
const CORRECTED_POLL_MS = 15_000;

/** How long until a part looks again whether those before it have had their turn. */
const TURN_POLL_MS = 500;

export interface CarryOutDeps {
  readonly parent: Client;
  /** The other Descriptions of the same Base, as cached. */
  readonly siblings: readonly Description[];
  readonly child: Client;
  readonly discovery: Discovery;
  ownerExists(owner: ObjectKey): boolean;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  /** Where the child is watched. */
  readonly memory?: AppliedMemory;
  /** How often drift that the agent reported is corrected from here. */
  readonly backoff?: CorrectionBackoff;
}

export async function carryOut(description: Description, deps: CarryOutDeps, signal: AbortSignal): Promise<Result> {
  if (description.metadata.deletionTimestamp !== undefined) return remove(description, deps, signal);
  const drift = isDelivered(description) ? reportedDrift(description) : undefined;
  if (isDelivered(description)) {
    const waitMs = drift === undefined ? undefined : correctionWait(description, { drift, deps });
    if (waitMs === undefined) return done;
    if (waitMs > 0) return after(waitMs);
  }
  if (!isItsTurn(description, deps.siblings, deps.clock.now())) return after(TURN_POLL_MS);
  let current = description;
  const writeStatus = async (status: NonNullable<Description["status"]>): Promise<void> => {
    current = await patchStatusIfChanged(deps.parent, { type: Description, object: current, status }, signal);
  };
  const recordInventory = (inventory: Delivery["inventory"]): Promise<void> => writeStatus({ inventory });
  const delivery = await deliver({ ...partOptions(description, deps), recordInventory }, signal);
  await writeStatus(deliveredStatus({ ...current, metadata: description.metadata }, delivery, deps.clock.now()));
  announce(description, { delivery, drift, deps });
  if (delivery.problems.length > 0) throw new DeliveryError(delivery.problems);
  deps.log.info("description.delivered", { objects: delivery.inventory.length, generation: description.metadata.generation });
  return drift === undefined ? done : after(CORRECTED_POLL_MS);
}

function partOptions(description: Description, deps: CarryOutDeps): CarryOutDeps & PartOptions {
  return { ...deps, description, askParts: (signal) => askParts(description, deps.parent, signal) };
}

/** Once for each report; and whoever changes something else each time is met ever more slowly, too. */
function correctionWait(
  description: Description,
  { drift, deps: { backoff, clock } }: { readonly drift: string; readonly deps: CarryOutDeps },
): number | undefined {
  const owner = keyTextOf(description);
  const now = clock.monotonic();
  const waitMs = backoff?.take(`${owner} ${drift}`, { now, free: 1 });
  return waitMs === 0 ? backoff?.take(owner, { now, free: FREE_REPORTS }) : waitMs;
}

/** What the agent, which watches the child, says in Push: to be put back from here. */
function reportedDrift({ spec, status }: Description): string | undefined {
  const drifted = findCondition(status?.conditions, conditionTypes.drifted);
  return drifted?.status === "True" && policyOf(spec).drift === "Correct" ? drifted.message : undefined;
}

interface Announced {
  readonly delivery: Delivery;
  readonly drift: string | undefined;
  readonly deps: CarryOutDeps;
}

function announce(description: Description, { delivery, drift, deps: { events } }: Announced): void {
  if (delivery.problems.length > 0) {
    const reason = warningEventReasons.unSuccessfullyDeployed;
    events.record(description, { type: "Warning", reason, message: problemsText(delivery.problems) });
  } else if (drift === undefined) {
    const reason = normalEventReasons.successfullyDeployed;
    events.record(description, { type: "Normal", reason, message: deliveredText(delivery) });
  } else events.record(description, { type: "Normal", reason: normalEventReasons.driftCorrected, message: `${drift}; put back` });
}

async function remove(description: Description, deps: CarryOutDeps, signal: AbortSignal): Promise<Result> {
  if (isConditionTrue(description.status?.conditions, conditionTypes.removed)) return done;
  const removal = await removeDelivered(partOptions(description, deps), signal);
  const status = removalStatus(description, removal, deps.clock.now());
  await patchStatusIfChanged(deps.parent, { type: Description, object: description, status }, signal);
  if (removal.problems.length > 0) {
    const message = problemsText(removal.problems);
    deps.events.record(description, { type: "Warning", reason: warningEventReasons.failedDeletingDescription, message });
    throw new DeliveryError(removal.problems);
  }
  if (removal.remaining.length > 0) return after(REMAINING_POLL_MS);
  deps.log.info("description.removed", {});
  return done;
}
