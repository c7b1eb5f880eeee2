// Sets and reads status conditions. Pure.

import { CONDITION_MESSAGE_LENGTH_MAX, type Condition } from "#api/meta.ts";

export type NewCondition = Omit<Condition, "lastTransitionTime">;

/**
 * The conditions with this one in it. The same array when nothing changed; lastTransitionTime moves only when the status does.
 * A message that is too long is cut. `now` is milliseconds since the epoch.
 */
export function setCondition(
  conditions: readonly Condition[] | undefined,
  stated: NewCondition,
  now: number,
): readonly Condition[] {
  const condition = { ...stated, message: shortened(stated.message) };
  const existing = conditions?.find(({ type }) => type === condition.type);
  if (conditions !== undefined && existing !== undefined && isSame(existing, condition)) return conditions;
  const lastTransitionTime = existing?.status === condition.status ? existing.lastTransitionTime : rfc3339(now);
  const replacement: Condition = { ...condition, lastTransitionTime };
  if (existing === undefined) return [...(conditions ?? []), replacement];
  return (conditions ?? []).map((other) => (other.type === condition.type ? replacement : other));
}

/** Half of a character would come back from kube-apiserver as another one, and be written again for ever. */
function shortened(message: string): string {
  if (message.length <= CONDITION_MESSAGE_LENGTH_MAX) return message;
  return `${message.slice(0, CONDITION_MESSAGE_LENGTH_MAX - 1).toWellFormed()}…`;
}

export function findCondition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/** Also of kinds whose conditions say less than ours. */
export function isConditionTrue(
  conditions: readonly { readonly type: string; readonly status: string }[] | undefined,
  type: string,
): boolean {
  return conditions?.find((condition) => condition.type === type)?.status === "True";
}

/** metav1.Time: whole seconds, as kube-apiserver writes it, so that what we send compares equal to what we read. */
export function rfc3339(now: number): string {
  return `${new Date(now).toISOString().slice(0, 19)}Z`;
}

function isSame(a: Condition, b: NewCondition): boolean {
  return (
    a.status === b.status && a.reason === b.reason && a.message === b.message && a.observedGeneration === b.observedGeneration
  );
}
