// What a HelmChart's status says of each answer of its repository.

import { expect, test } from "@jest/globals";
import type { HelmChart } from "#api/apps/v1alpha1/helm-chart.ts";
import { planChart, type Lookup } from "./plan.ts";

const NOW = Date.UTC(2030, 0, 1);

function aChart(status?: HelmChart["status"]): HelmChart {
  return {
    apiVersion: "apps.clusternet.io/v1alpha1",
    kind: "HelmChart",
    metadata: { namespace: "shop", name: "web", generation: 2 },
    spec: { repo: "https://charts.example", chart: "web", targetNamespace: "apps", createNamespace: true, timeoutSeconds: 300 },
    ...(status === undefined ? {} : { status }),
  };
}

const found: Lookup = { found: true, version: "1.0.0" };
const down: Lookup = { found: false, reason: "RepositoryUnreachable", message: "charts.example cannot be reached: ECONNREFUSED" };
const missing: Lookup = { found: false, reason: "VersionMissing", message: "no version 1.0.0" };

test.each([
  ["it is there", undefined, found, "Found", "", "True"],
  ["it is not there", undefined, missing, "NotFound", missing.message, "False"],
  ["the repository is down, and it was never found", undefined, down, "NotFound", down.message, "False"],
  ["the repository is down, and it was found", { phase: "Found", observedGeneration: 2 }, down, "Found", down.message, "False"],
  ["the same, but for another spec", { phase: "Found", observedGeneration: 1 }, down, "NotFound", down.message, "False"],
  ["it went away", { phase: "Found", observedGeneration: 2 }, missing, "NotFound", missing.message, "False"],
  ["it came", { phase: "NotFound", observedGeneration: 2 }, found, "Found", "", "True"],
] as const)("%s", (...[, status, lookup, phase, reason, ready]) => {
  const step = planChart(aChart(status), lookup, NOW);
  expect(step.status).toMatchObject({ phase, reason, observedGeneration: 2, conditions: [{ type: "Ready", status: ready }] });
  expect(step.againAfterMs).toBeGreaterThan(0);
});

test("the same answer again is the same status", () => {
  const { status } = planChart(aChart(), missing, NOW);
  expect(planChart(aChart(status), missing, NOW + 60_000).status).toEqual(status);
});
