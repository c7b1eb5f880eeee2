// planRemoval: the next step of a deregistration.
import { expect, test } from "@jest/globals";
import type { Base } from "#api/apps/v1alpha1/base.ts";
import type { Description } from "#api/apps/v1alpha1/description.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { planRemoval } from "./plan.ts";

const aCluster = (ready: "True" | "Unknown" | "False" | undefined): ManagedCluster => ({
  apiVersion: "clusters.clusternet.io/v1beta1",
  kind: "ManagedCluster",
  metadata: { name: "paris", namespace: "paris-home", deletionTimestamp: "2026-01-01T00:00:00Z" },
  spec: { clusterId: "x", syncMode: "Pull" },
  status:
    ready === undefined
      ? {}
      : { conditions: [{ type: "Ready", status: ready, reason: "R", message: "m", lastTransitionTime: "2026-01-01T00:00:00Z" }] },
});
const metadata = (deleting: boolean) => ({
  name: "web.default",
  namespace: "paris-home",
  ...(deleting ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
});
const aBase = (deleting: boolean): Base => ({
  apiVersion: "apps.clusternet.io/v1alpha1",
  kind: "Base",
  metadata: metadata(deleting),
  spec: { feeds: [] },
});
const aDescription = (deleting: boolean): Description => ({
  apiVersion: "apps.clusternet.io/v1alpha1",
  kind: "Description",
  metadata: metadata(deleting),
  spec: { deployer: "Generic" },
});

const cases = [
  { it: "asks for what is live", ready: "True", account: true, bases: [false], descriptions: [false], step: "withdraw" },
  { it: "waits for a reachable child", ready: "True", account: true, bases: [true], descriptions: [true], step: "wait" },
  { it: "gives up on a silent child", ready: "Unknown", account: true, bases: [true], descriptions: [true], step: "give-up" },
  { it: "gives up on an unhealthy child", ready: "False", account: true, bases: [], descriptions: [true], step: "give-up" },
  {
    it: "gives up on a child that never reported",
    ready: undefined,
    account: true,
    bases: [true],
    descriptions: [],
    step: "give-up",
  },
  {
    it: "gives up on a child whose account is gone",
    ready: "True",
    account: false,
    bases: [],
    descriptions: [true],
    step: "give-up",
  },
  {
    it: "never gives up before it has asked",
    ready: "Unknown",
    account: true,
    bases: [false],
    descriptions: [true],
    step: "withdraw",
  },
  { it: "erases when nothing is left", ready: "True", account: true, bases: [], descriptions: [], step: "erase" },
] as const;

test.each(cases)("$it", ({ ready, account, bases, descriptions, step }) => {
  const facts = {
    cluster: aCluster(ready),
    hasAccount: account,
    bases: bases.map(aBase),
    descriptions: descriptions.map(aDescription),
  };
  expect(planRemoval(facts).type).toBe(step);
});

test("says what stays in a silent child once, not again for the Bases of a second pass", () => {
  const facts = { cluster: aCluster("Unknown"), hasAccount: true, bases: [aBase(true)], descriptions: [aDescription(true)] };
  expect(planRemoval(facts)).toMatchObject({ type: "give-up", message: expect.stringMatching(/stays there: web\.default$/) });
  expect(planRemoval({ ...facts, descriptions: [] })).toMatchObject({ type: "give-up", message: undefined });
});

test("names the objects that stay, not only what delivered them", () => {
  const entry = (name: string, origin?: "Skipped") => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    namespace: "shop",
    name,
    ...(origin === undefined ? {} : { origin }),
  });
  const inventory = ["a", "b", "c", "d", "e", "f", "g"].map((name) => entry(name)).concat(entry("foreign", "Skipped"));
  const description = { ...aDescription(true), status: { inventory } };
  const step = planRemoval({ cluster: aCluster("Unknown"), hasAccount: true, bases: [], descriptions: [description] });
  expect(step).toMatchObject({
    message: expect.stringMatching(
      /stays there: web\.default \(ConfigMap shop\/a, .*, ConfigMap shop\/e, and 2 more\)$/,
    ) as unknown,
  });
});
