// Which deletions wait for a silent cluster without end.

import { expect, test } from "@jest/globals";
import type { Move } from "#api/apps/v1alpha1/failover.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { clustersOf, subscriptionOf } from "#test/framework/scheduler-story.ts";
import { changesMoves, isLeftByFailover } from "./left-by-failover.ts";

const [paris] = clustersOf({ clusters: { paris: {} }, subscription: {} });

function moved(moves: readonly Partial<Move>[], isDeleting = false): Subscription {
  const subscription = subscriptionOf({ subscription: {} });
  const deletion = isDeleting ? { deletionTimestamp: "2030-01-01T00:00:00Z" } : {};
  const failover = moves.map((move): Move => ({ cluster: "paris/paris", phase: "Left", since: "", reason: "", ...move }));
  return { ...subscription, metadata: { ...subscription.metadata, ...deletion }, status: { failover } };
}

test.each([
  { it: "left", subscriptions: [moved([{}])], expected: true },
  { it: "being left", subscriptions: [moved([{ phase: "Leaving" }])], expected: false },
  { it: "another cluster", subscriptions: [moved([{ cluster: "oslo/oslo" }])], expected: false },
  { it: "never left", subscriptions: [subscriptionOf({ subscription: {} })], expected: false },
  { it: "of a Subscription that goes", subscriptions: [moved([{}], true)], expected: false },
  { it: "of a Subscription that is gone", subscriptions: [], expected: false },
])("$it: $expected", ({ subscriptions, expected }) => {
  expect(isLeftByFailover(subscriptions, paris)).toBe(expected);
});

test("a move that is over, and the Subscription's deletion, are looked at", () => {
  const previous = moved([{}]);
  expect(changesMoves({ type: "updated", object: moved([]), previous })).toBe(true);
  expect(changesMoves({ type: "updated", object: moved([{}], true), previous })).toBe(true);
  expect(changesMoves({ type: "updated", object: moved([{}]), previous })).toBe(false);
});
