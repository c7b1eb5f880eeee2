// Strategies as values of a program: what they return is a valid part of a Subscription.

import { expect, test } from "@jest/globals";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { formatProblems, parseObject } from "#api/validation.ts";
import { divideByCapacity, divideByWeight } from "./dividing.ts";

const eu = { matchLabels: { region: "eu" } };

function problemsOf(placement: ReturnType<typeof divideByWeight>): string {
  const { apiVersion, kind } = Subscription;
  const result = parseObject(Subscription, {
    apiVersion,
    kind,
    metadata: { namespace: "shop", name: "web" },
    spec: { ...placement, feeds: [] },
  });
  return result.valid ? "" : formatProblems(result.problems);
}

test("weights become subscribers", () => {
  const placement = divideByWeight({ subscribers: [{ clusterAffinity: eu, weight: 2 }] });
  expect(placement).toEqual({
    schedulingStrategy: "Dividing",
    dividingScheduling: { type: "Static" },
    subscribers: [{ clusterAffinity: eu, weight: 2 }],
  });
  expect(problemsOf(placement)).toBe("");
});

test.each([
  [[1.5], "A weight must be a whole number from 0, not 1.5"],
  [[-1], "A weight must be a whole number from 0, not -1"],
  [[0, 0], "At least one weight must be above 0"],
  [[], "At least one weight must be above 0"],
])("weights %p are refused where they are written", (weights, message) => {
  expect(() => divideByWeight({ subscribers: weights.map((weight) => ({ clusterAffinity: eu, weight })) })).toThrow(message);
});

test("capacity, with everything that can be asked for", () => {
  const placement = divideByCapacity({
    subscribers: [{ clusterAffinity: eu }],
    strategy: "Binpack",
    evenly: [{ over: "region" }, { over: "zone", maxSkew: 2, otherwise: "wait" }],
    preferred: [{ labels: { disk: "ssd" }, weight: 80 }],
    minClusters: 2,
    maxClusters: 3,
  });
  expect(placement.dividingScheduling).toEqual({
    type: "Dynamic",
    dynamicDividing: {
      strategy: "Binpack",
      topologySpreadConstraints: [
        { topologyKey: "region", maxSkew: 1, whenUnsatisfiable: "ScheduleAnyway" },
        { topologyKey: "zone", maxSkew: 2, whenUnsatisfiable: "DoNotSchedule" },
      ],
      preferredClusters: [{ weight: 80, preference: { matchExpressions: [{ key: "disk", operator: "In", values: ["ssd"] }] } }],
      minClusters: 2,
      maxClusters: 3,
    },
  });
  expect(problemsOf(placement)).toBe("");
});

test("by default capacity is spread", () => {
  const placement = divideByCapacity({ subscribers: [{ clusterAffinity: eu }] });
  expect(placement.dividingScheduling).toEqual({ type: "Dynamic", dynamicDividing: { strategy: "Spread" } });
  expect(problemsOf(placement)).toBe("");
  expect(() => divideByCapacity({ subscribers: [], minClusters: 3, maxClusters: 2 })).toThrow(
    "minClusters 3 is above maxClusters 2",
  );
});
