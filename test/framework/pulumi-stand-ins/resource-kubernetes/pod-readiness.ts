// When a Pod counts as ready, and what is wrong with one that does not.

import { listField, namespaceOf, nameOf, stringField } from "./kubernetes-object.ts";
import type { JsonObject } from "./property-values.ts";
import type { Readiness } from "./readiness-check.ts";

export function podReadiness(pod: JsonObject): Readiness {
  if (stringField(pod, "status", "phase") === "Succeeded") return { ready: true };
  const held = new Set(
    listField(pod, "status", "conditions")
      .filter((condition) => stringField(condition, "status") === "True")
      .map((condition) => stringField(condition, "type")),
  );
  if (["PodScheduled", "Initialized", "Ready"].every((type) => held.has(type))) return { ready: true };
  const messages = podMessages(pod);
  return { ready: false, messages: messages.length === 0 ? [`Pod "${nameOf(pod)}" is not ready`] : messages };
}

export function podMessages(pod: JsonObject): readonly string[] {
  const prefix = `[Pod ${namespaceOf(pod)}/${nameOf(pod)}]: `;
  const conditions = listField(pod, "status", "conditions");
  const unscheduled = conditions.find(
    (condition) => stringField(condition, "type") === "PodScheduled" && stringField(condition, "status") === "False",
  );
  if (unscheduled !== undefined)
    return [`${prefix}${stringField(unscheduled, "reason")}: ${stringField(unscheduled, "message")}`];
  const unready = conditions.find(
    (condition) => stringField(condition, "type") === "Ready" && stringField(condition, "status") === "False",
  );
  const containers = [...listField(pod, "status", "initContainerStatuses"), ...listField(pod, "status", "containerStatuses")];
  return [
    ...(unready === undefined || stringField(unready, "message") === "" ? [] : [prefix + stringField(unready, "message")]),
    ...containers.flatMap((container) => containerMessages(container).map((message) => prefix + message)),
  ];
}

function containerMessages(container: JsonObject): readonly string[] {
  for (const state of ["waiting", "terminated"] as const) {
    const reason = stringField(container, "state", state, "reason");
    if (reason === "" || reason === "Completed" || reason === "ContainerCreating" || reason === "PodInitializing") continue;
    return [
      `container "${stringField(container, "name")}" ${state} with reason "${reason}": ${stringField(container, "state", state, "message")}`,
    ];
  }
  return [];
}
