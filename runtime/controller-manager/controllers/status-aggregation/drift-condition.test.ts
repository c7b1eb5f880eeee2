// What of the clusters' drift a Subscription shows.

import { expect, test } from "@jest/globals";
import type { Description } from "#api/apps/v1alpha1/description.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { Condition } from "#api/meta.ts";
import { driftConditions } from "./drift-condition.ts";
import type { ClusterReport } from "./plan.ts";

const drifted = (status: "True" | "False"): Condition => ({
  type: "Drifted",
  status,
  reason: "CorrectionContested",
  message: "ConfigMap c was changed",
  lastTransitionTime: "2030-01-01T00:00:00Z",
});
const report = (name: string, ...conditions: readonly Condition[]): ClusterReport => ({
  binding: `${name}/${name}`,
  cluster: undefined,
  base: undefined,
  descriptions: [{ status: { conditions } } as unknown as Description],
});
const subscription = (...conditions: readonly Condition[]): Subscription =>
  ({ status: { conditions } }) as unknown as Subscription;

test("nothing ever drifted: nothing is said", () => {
  expect(driftConditions(subscription(), [report("paris"), report("oslo", drifted("False"))])).toEqual([]);
});

test("some drifted: how many, which, and what", () => {
  expect(driftConditions(subscription(), [report("paris", drifted("True")), report("oslo")])).toEqual([
    {
      type: "Drifted",
      status: "True",
      reason: "CorrectionContested",
      message: "1 of 2 clusters: paris/paris: ConfigMap c was changed",
    },
  ]);
});

test("it is over: the condition says that, too", () => {
  expect(driftConditions(subscription(drifted("True")), [report("paris")])).toMatchObject([{ status: "False" }]);
});
