// Which changes of a Subscription put it into the queue.

import { expect, test } from "@jest/globals";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { BoundDecision } from "#scheduler/decision.ts";
import { OwnBindings } from "#scheduler/own-bindings.ts";
import { subscriptionOf } from "#test/framework/scheduler-story.ts";
import { createWakers } from "./wakers.ts";

const replicas = { "apps/v1/Deployment/shop/web": [2, 1] };
const decision: BoundDecision = { type: "bound", clusters: ["oslo/oslo", "paris/paris"], replicas, verdicts: [] };
const before = subscriptionOf({ subscription: {} });
const written: Subscription = { ...before, status: { bindingClusters: decision.clusters, replicas, specHash: 7 } };

/** What is enqueued when `decided` was expected to be written and the watch brings `object`. */
function wokenBy(
  object: Subscription,
  { decided = decision, previous = before }: { decided?: BoundDecision; previous?: Subscription } = {},
) {
  const own = new OwnBindings();
  own.expect(before, decided);
  const woken: string[] = [];
  const wakers = createWakers(
    { subscriptions: { get: () => object, list: () => [object] }, managedClusters: { list: () => [] } },
    {
      enqueue: ({ metadata }) => void woken.push(metadata.name),
      queue: { remove: () => undefined },
      scheduling: { observe: () => false },
      own,
    },
  );
  return {
    again: (next: Subscription) => (wakers.onSubscription({ type: "updated", object: next, previous: object }), woken),
    woken: (wakers.onSubscription({ type: "updated", object, previous }), woken),
  };
}

test("what was decided and comes back from the server wakes nobody", () => {
  expect(wokenBy(written).woken).toEqual([]);
});

test("a binding that somebody else wrote is decided again, before and after our own", () => {
  const foreign: Subscription = { ...written, status: { ...written.status, bindingClusters: ["oslo/oslo"] } };
  expect(wokenBy(foreign).woken).toEqual(["web"]);
  expect(wokenBy(written).again(foreign)).toEqual(["web"]);
});

test("our own binding that somebody puts back later is decided again", () => {
  const world = wokenBy(written);
  const foreign: Subscription = { ...written, status: { ...written.status, replicas: {} } };
  world.again(foreign);
  expect(world.woken).toEqual(["web"]);
});

test("a spec that changed while its binding was written is decided again", () => {
  const edited = { ...written, metadata: { ...written.metadata, generation: 2 } };
  expect(wokenBy(edited).woken).toEqual(["web"]);
});

test("what is being deleted is looked at, though its binding is ours", () => {
  const deleted = { ...written, metadata: { ...written.metadata, deletionTimestamp: "2030-01-01T00:00:00Z" } };
  expect(wokenBy(deleted).woken).toEqual(["web"]);
});

test.each<[string, Partial<BoundDecision>]>([
  ["failover", { failover: { moves: [] } as unknown as NonNullable<BoundDecision["failover"]> }],
  ["preemption", { preemption: { lost: [] } }],
  ["rebalance", { rebalance: { moved: 0, events: [] } }],
])("%s goes on after each of its steps", (_name, step) => {
  expect(wokenBy(written, { decided: { ...decision, ...step } }).woken).toEqual(["web"]);
});
