// When a delivered object works, and which numbers are shown.

import { expect, test } from "@jest/globals";
import { isAvailable, isReportedAvailable, manifestStatusOf, replicaStatusOf } from "./summarize.ts";

const deployment = (generation: number, status: Record<string, unknown>): never =>
  ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "shop", generation },
    spec: { replicas: 2 },
    status,
  }) as never;
const working = {
  observedGeneration: 2,
  replicas: 2,
  updatedReplicas: 2,
  readyReplicas: 2,
  availableReplicas: 2,
  conditions: [{ type: "Available", status: "True" }],
};
const of = (kind: string, apiVersion: string, status?: Record<string, unknown>): never =>
  ({ apiVersion, kind, metadata: { name: "x", generation: 1 }, ...(status === undefined ? {} : { status }) }) as never;

test.each([
  ["a Deployment whose replicas are all new and available", deployment(2, working), true],
  ["one whose newest spec its controller has not seen", deployment(3, working), false],
  ["one in the middle of a rollout", deployment(2, { ...working, updatedReplicas: 1 }), false],
  ["one without a status", deployment(1, {}), false],
  ["a ConfigMap", of("ConfigMap", "v1"), true],
  ["a running Job", of("Job", "batch/v1", { active: 1 }), true],
  ["a failed Job", of("Job", "batch/v1", { conditions: [{ type: "Failed", status: "True" }] }), false],
  ["a Pod that is not ready", of("Pod", "v1", { phase: "Running" }), false],
  ["a StatefulSet whose controller has not looked yet", of("StatefulSet", "apps/v1", {}), false],
  [
    "a DaemonSet on every node",
    of("DaemonSet", "apps/v1", {
      observedGeneration: 1,
      desiredNumberScheduled: 3,
      numberAvailable: 3,
      updatedNumberScheduled: 3,
    }),
    true,
  ],
  ["a custom Deployment of another group", of("Deployment", "example.com/v1"), true],
])("%s: available is %j", (_what, object, expected) => {
  expect(isAvailable(object)).toBe(expected);
});

test("a report holds the object's status, whether it works, and the numbers that upstream shows", () => {
  const status = manifestStatusOf(deployment(2, working));
  expect(status).toEqual({
    apiVersion: "apps/v1",
    kind: "Deployment",
    namespace: "shop",
    name: "web",
    available: true,
    observedStatus: working,
  });
  expect(replicaStatusOf(status)).toEqual({
    observedGeneration: 2,
    replicas: 2,
    updatedReplicas: 2,
    readyReplicas: 2,
    availableReplicas: 2,
  });
  const upstream = Object.fromEntries(Object.entries(status).filter(([field]) => field !== "available"));
  expect(isReportedAvailable(upstream as typeof status)).toBe(true);
  expect(replicaStatusOf({ ...status, apiVersion: "example.com/v1" })).toBeUndefined();
});
