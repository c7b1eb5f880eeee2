// Kinds as resources: what their status says is an output from the start, though no program can write it.

import { expect, test } from "@jest/globals";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { conditionOf, Subscription } from "#pulumi/components/kinds.ts";
import { recordResources } from "#test/framework/recorded-resources.ts";

const spec = { subscribers: [{ clusterAffinity: {} }], feeds: [{ apiVersion: "v1", kind: "ConfigMap", name: "x" }] };

async function seen<T>(read: (subscription: InstanceType<typeof Subscription>) => pulumi.Output<T>): Promise<T | undefined> {
  let value: T | undefined;
  const resources = await recordResources(() => {
    const provider = new k8s.Provider("p", { kubeconfig: "x" });
    const subscription = new Subscription("web", { metadata: { name: "web" }, spec }, { provider });
    read(subscription).apply((known) => (value = known));
  });
  expect(Object.keys(resources.find(({ name }) => name === "web")?.inputs ?? {})).not.toContain("status");
  return value;
}

test("status is an output before anything is deployed, and is no input", async () => {
  expect(await seen(({ status }) => status.apply((known) => [known]))).toEqual([undefined]);
});

test("a condition is one of the status", async () => {
  const conditions = [
    { type: "Delivered", status: "True", reason: "Delivered", message: "In 2 of 2 clusters", lastTransitionTime: "" },
    { type: "Available", status: "False", reason: "Failed", message: "In 1 of 2 clusters", lastTransitionTime: "" },
  ] as const;
  const resource = { status: pulumi.output({ conditions }) };
  expect(await seen(() => conditionOf(resource, "Available"))).toEqual(conditions[1]);
  expect(await seen(() => conditionOf(resource, "Drifted").apply((found) => found ?? "none"))).toBe("none");
  expect(await seen(({ status }) => conditionOf({ status }, "Available").apply((found) => found ?? "none"))).toBe("none");
});
