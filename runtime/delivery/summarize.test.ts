// When a delivered object works, and which numbers are shown.

import { expect, test } from "@jest/globals";
import { parseInterpreters } from "./interpreters.ts";
import { manifestStatusOf, replicaStatusOf, reportedHealth } from "./summarize.ts";

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
test("a report holds the object's status, whether it works, and the numbers that upstream shows", () => {
  const status = manifestStatusOf(deployment(2, working));
  expect(status).toEqual({
    apiVersion: "apps/v1",
    kind: "Deployment",
    namespace: "shop",
    name: "web",
    available: true,
    state: "Available",
    observedStatus: working,
  });
  expect(replicaStatusOf(status)).toEqual({
    observedGeneration: 2,
    replicas: 2,
    updatedReplicas: 2,
    readyReplicas: 2,
    availableReplicas: 2,
  });
  expect(replicaStatusOf({ ...status, apiVersion: "example.com/v1" })).toBeUndefined();
});

test("what an interpreter says counts more than what the agent said, and that more than the status alone", () => {
  const status = manifestStatusOf(deployment(2, { ...working, phase: "Broken" }));
  const only = (fields: readonly string[]): typeof status =>
    Object.fromEntries(Object.entries(status).filter(([field]) => !fields.includes(field))) as unknown as typeof status;
  const none = new Map();
  expect(reportedHealth(status, none)).toEqual({ state: "Available", message: "" });
  expect(reportedHealth({ ...status, state: "Failed", message: "m" }, none)).toEqual({ state: "Failed", message: "m" });
  // An agent of an older version, and one of upstream.
  expect(reportedHealth({ ...only(["state"]), available: false }, none)).toEqual({ state: "Progressing", message: "" });
  expect(reportedHealth(only(["state", "available"]), none)).toEqual({ state: "Available", message: "" });
  const { interpreters } = parseInterpreters({
    web: "{apiVersion: apps/v1, kind: Deployment, health: [{state: Failed, path: /status/phase, in: [Broken]}]}",
  });
  expect(reportedHealth(status, interpreters)).toEqual({ state: "Failed", message: "/status/phase is Broken" });
});
