// What a Subscription says about clusters that were left with objects.

import { expect, test } from "@jest/globals";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { withObjectsLeft } from "./objects-left.ts";

const subscription = { metadata: { name: "web", generation: 3 }, status: {} } as unknown as Subscription;
const after = (before: Subscription, namespace: string, message: string): Subscription => ({
  ...before,
  status: { conditions: withObjectsLeft(before, { namespace, message, now: 0 }) },
});
const linesOf = ({ status }: Subscription): readonly string[] => status?.conditions?.[0]?.message.split("\n") ?? [];

test("one line per cluster, the newest about each, and not more than a person reads", () => {
  const first = after(subscription, "paris", "Left: ConfigMap a");
  expect(first.status?.conditions).toMatchObject([{ type: "ObjectsLeft", status: "True", observedGeneration: 3 }]);
  const second = after(after(first, "oslo", "Left: ConfigMap a"), "paris", "Left: ConfigMap b");
  expect(linesOf(second)).toEqual(["oslo: Left: ConfigMap a", "paris: Left: ConfigMap b"]);
  const many = Array.from({ length: 40 }, (_, index) => `child-${String(index)}`);
  const last = many.reduce((before, namespace) => after(before, namespace, "Left"), subscription);
  expect(linesOf(last)).toHaveLength(20);
  expect(linesOf(last).at(-1)).toBe("child-39: Left");
});
