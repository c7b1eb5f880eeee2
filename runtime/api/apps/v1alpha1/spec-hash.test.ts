// status.specHash must equal what upstream's scheduler writes.

import { expect, test } from "@jest/globals";
import { specHash } from "./spec-hash.ts";
import type { Subscription } from "./subscription.ts";

const spec: Subscription["spec"] = {
  feeds: [{ name: "bar", namespace: "foo", apiVersion: "abc.com/v1", kind: "Demo" }],
  subscribers: [{ clusterAffinity: { matchLabels: { "cluster-name": "abc" } } }],
  schedulingStrategy: "Replication",
  schedulerName: "default",
} as unknown as Subscription["spec"]; // without preemptionPolicy, as in the vector

test("the hash of upstream's vector", () => {
  expect(specHash(spec)).toBe(2608449479);
});

test("any change of the spec changes it, the order of its fields does not", () => {
  const reordered = Object.fromEntries(Object.entries(spec).reverse()) as unknown as Subscription["spec"];
  expect(specHash(reordered)).toBe(2608449479);
  expect(specHash({ ...spec, feeds: [] })).not.toBe(2608449479);
  expect(specHash({ ...spec, priority: 0 })).not.toBe(2608449479);
  expect(specHash({ ...spec, extension: true } as unknown as Subscription["spec"])).not.toBe(2608449479);
});

test("what Go leaves out changes nothing", () => {
  const selecting = (clusterAffinity: object): number => specHash({ ...spec, subscribers: [{ clusterAffinity }] });
  expect(selecting({ matchLabels: {} })).toBe(selecting({}));
  expect(selecting({ matchLabels: {}, matchExpressions: [] })).toBe(selecting({}));
  expect(selecting({ matchLabels: { a: "" } })).not.toBe(selecting({}));
});
