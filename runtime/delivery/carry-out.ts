// One reconcile of a Description, for pull and push alike: deliver or remove, then say so in its status.

import { Description } from "#api/apps/v1alpha1/description.ts";
import type { ObjectKey } from "#api/meta.ts";
import { normalEventReasons, warningEventReasons } from "#api/event-reasons.ts";
import { conditionTypes } from "#api/names.ts";
import type { Client } from "#kube/client.ts";
import { isConditionTrue } from "#kube/conditions.ts";
import { after, done, type Result } from "#kube/controller.ts";
import type { Discovery } from "#kube/discovery.ts";
import type { EventRecorder } from "#kube/events.ts";
import { patchStatusIfChanged } from "#kube/write-if-changed.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import { deliver, removeDelivered } from "./deliver.ts";
import { deliveredStatus, isDelivered, problemsText, removalStatus, type ObjectProblem } from "./description-status.ts";

/** While something in the child holds an object that is being deleted. */
const REMAINING_POLL_MS = 1_000;

export interface CarryOutDeps {
  readonly parent: Client;
  readonly child: Client;
  readonly discovery: Discovery;
  ownerExists(owner: ObjectKey): boolean;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The child did not take everything. The status says what; the controller tries again, later each time. */
export class DeliveryError extends Error {
  override readonly name = "DeliveryError";

  constructor(problems: readonly ObjectProblem[]) {
    super(problemsText(problems));
  }
}

export async function carryOut(description: Description, deps: CarryOutDeps, signal: AbortSignal): Promise<Result> {
  if (description.metadata.deletionTimestamp !== undefined) return remove(description, deps, signal);
  if (isDelivered(description)) return done;
  let current = description;
  const writeStatus = async (status: NonNullable<Description["status"]>): Promise<void> => {
    current = await patchStatusIfChanged(deps.parent, { type: Description, object: current, status }, signal);
  };
  const delivery = await deliver({ ...deps, description, recordInventory: (inventory) => writeStatus({ inventory }) }, signal);
  await writeStatus(deliveredStatus({ ...current, metadata: description.metadata }, delivery, deps.clock.now()));
  const failed = delivery.problems.length > 0;
  deps.events.record(description, {
    type: failed ? "Warning" : "Normal",
    reason: failed ? warningEventReasons.unSuccessfullyDeployed : normalEventReasons.successfullyDeployed,
    message: failed ? problemsText(delivery.problems) : `${String(delivery.inventory.length)} objects are as described`,
  });
  if (failed) throw new DeliveryError(delivery.problems);
  deps.log.info("description.delivered", { objects: delivery.inventory.length, generation: description.metadata.generation });
  return done;
}

async function remove(description: Description, deps: CarryOutDeps, signal: AbortSignal): Promise<Result> {
  if (isConditionTrue(description.status?.conditions, conditionTypes.removed)) return done;
  const removal = await removeDelivered({ ...deps, description }, signal);
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
