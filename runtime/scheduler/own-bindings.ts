// What this process has just decided: when its own write comes back from the server, nothing has to be decided again.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { keyTextOf } from "#kube/object.ts";
import { deepEqual } from "#std/canonical-json.ts";
import type { BoundDecision, Decision } from "./decision.ts";

interface Expected {
  readonly generation: number | undefined;
  readonly clusters: BoundDecision["clusters"];
  readonly replicas: BoundDecision["replicas"] | undefined;
}

/** At most one expectation for each Subscription; it ends when it is met. */
export class OwnBindings {
  readonly #expected = new Map<string, Expected>();

  /** It is about to be written. The answer and the watch may come in either order. */
  expect(subscription: Subscription, decision: Decision): void {
    if (decision.type !== "bound" || goesOn(decision)) return;
    const { clusters, replicas } = decision;
    this.#expected.set(keyTextOf(subscription), { clusters, replicas, generation: subscription.metadata.generation });
  }

  /** Nothing was written, or the Subscription is gone. */
  forget(key: string): void {
    this.#expected.delete(key);
  }

  /** Its bindings are what was decided for this very spec. */
  recognises(subscription: Subscription): boolean {
    const key = keyTextOf(subscription);
    const expected = this.#expected.get(key);
    if (expected === undefined) return false;
    const { metadata, status } = subscription;
    const isOwn =
      metadata.generation === expected.generation &&
      metadata.deletionTimestamp === undefined &&
      deepEqual(status?.bindingClusters, expected.clusters) &&
      deepEqual(status?.replicas, expected.replicas);
    if (isOwn) this.#expected.delete(key);
    return isOwn;
  }
}

/** What moves in steps counts on being looked at after each. */
function goesOn({ failover, preemption, rebalance }: BoundDecision): boolean {
  return failover !== undefined || preemption !== undefined || rebalance !== undefined;
}
