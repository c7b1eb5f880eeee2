// A new CustomResourceDefinition takes its cluster a moment; before that its objects are refused.

import type { ObjectKey } from "#api/meta.ts";
import { CustomResourceDefinition } from "#kube/builtin-kinds.ts";
import type { Client } from "#kube/client.ts";
import { isConditionTrue } from "#kube/conditions.ts";
import type { Clock } from "#std/clock.ts";

const POLL_MS = 100;

export interface EstablishedOptions {
  readonly child: Client;
  readonly clock: Clock;
  readonly limitMs: number;
}

/** false: not in time. A cluster that does not answer is asked again. Rejects when the signal aborts. */
export async function isEstablishedInTime(
  key: ObjectKey,
  { child, clock, limitMs }: EstablishedOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const deadline = clock.monotonic() + limitMs;
  for (;;) {
    const live = await child.get(CustomResourceDefinition, key, signal).catch(() => undefined);
    if (isConditionTrue(live?.status?.conditions, "Established")) return true;
    signal.throwIfAborted();
    if (clock.monotonic() > deadline) return false;
    await clock.sleep(POLL_MS, signal);
  }
}
