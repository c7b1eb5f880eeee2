// Which part of an object a change is about: most controllers must not wake up for a status or a heartbeat. Pure.

import type { KubeObject } from "#api/meta.ts";
import type { Change } from "#kube/informer.ts";
import { deepEqual } from "#std/canonical-json.ts";

/** Anything but the status (and the bookkeeping of the API server). */
export function changesBeyondStatus<T extends KubeObject>(change: Change<T>): boolean {
  if (change.type !== "updated") return true;
  const { object, previous } = change;
  return (
    object.metadata.generation !== previous.metadata.generation ||
    object.metadata.generation === undefined ||
    object.metadata.deletionTimestamp !== previous.metadata.deletionTimestamp ||
    !deepEqual(object.metadata.labels, previous.metadata.labels) ||
    !deepEqual(object.metadata.annotations, previous.metadata.annotations) ||
    !deepEqual(object.metadata.finalizers, previous.metadata.finalizers)
  );
}

/** The labels changed, or the object came, went or is going. */
export function changesLabels<T extends KubeObject>(change: Change<T>): boolean {
  if (change.type !== "updated") return true;
  const { object, previous } = change;
  return (
    object.metadata.deletionTimestamp !== previous.metadata.deletionTimestamp ||
    !deepEqual(object.metadata.labels, previous.metadata.labels)
  );
}
