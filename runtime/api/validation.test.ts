// What a user reads when an object is wrong: the field, the cause, the fix.

import { describe, expect, test } from "@jest/globals";

import { Base } from "./apps/v1alpha1/base.ts";
import { HelmRelease } from "./apps/v1alpha1/helm-release.ts";
import { Subscription } from "./apps/v1alpha1/subscription.ts";
import { ClusterRegistrationRequest } from "./clusters/v1beta1/cluster-registration-request.ts";
import type { Kind } from "./define-kind.ts";
import { kinds } from "./kinds.ts";
import { formatProblems, parseField, parseObject } from "./validation.ts";

const feed = { apiVersion: "v1", kind: "ConfigMap", namespace: "foo", name: "web" };
const spec = { subscribers: [{ clusterAffinity: {} }], feeds: [feed] };

function subscription(changes: object): object {
  return {
    apiVersion: Subscription.apiVersion,
    kind: "Subscription",
    metadata: { name: "a", namespace: "b" },
    spec: { ...spec, ...changes },
  };
}

function problemsOf(kind: Kind, value: unknown): string {
  const result = parseObject(kind, value);
  return result.valid ? "" : formatProblems(result.problems);
}

describe.each(kinds.map((kind) => [kind.kind, kind] as const))("examples of %s", (_, kind) => {
  test.each(kind.examples.map(({ title, object }) => [title, object] as const))("%s", (_title, object) => {
    expect(problemsOf(kind, object)).toBe("");
  });
});

test("fills in defaults and drops undefined", () => {
  const result = parseObject(Subscription, subscription({ priority: undefined, dividingScheduling: {} }));
  expect(result).toMatchObject({
    valid: true,
    value: { spec: { schedulerName: "default", schedulingStrategy: "Replication", dividingScheduling: { type: "Static" } } },
  });
});

test.each(["PreemptLowerPriority", "PreemptNever", "Never"])("preemptionPolicy %s", (preemptionPolicy) => {
  expect(problemsOf(Subscription, subscription({ preemptionPolicy }))).toBe("");
});

describe("names the field, the cause and the fix", () => {
  test.each<[object, string]>([
    [{ feeds: undefined }, "spec.feeds: is missing. Write a list: What these clusters get."],
    [{ feeds: [{ ...feed, name: 3 }] }, "spec.feeds[0].name: is 3, not a string. Write a string: Name of the object."],
    [{ feeds: {} }, "spec.feeds: is an object, not a list. Write a list: What these clusters get."],
    [{ schedulingStrategy: "dividing" }, 'spec.schedulingStrategy: is "dividing", which is not allowed. Use Dividing'],
    [{ schedulingStrategy: "X" }, 'spec.schedulingStrategy: is "X", which is not allowed. Use one of Replication, Dividing'],
    [
      { subscribers: [{ clusterAffinity: {}, weight: -1 }] },
      "spec.subscribers[0].weight: is -1, which is too little. Use at least 0",
    ],
    [{ subscriber: [] }, "spec.subscriber: is not a field of this kind. Use subscribers, or remove it"],
    [
      { feeds: [{ ...feed, nameSpace: "x" }] },
      "spec.feeds[0].nameSpace: is not a field of this kind. Use namespace, or remove it",
    ],
    [
      { subscribers: [{ clusterAffinity: { matchLabels: { "a/b": 1 } } }] },
      'spec.subscribers[0].clusterAffinity.matchLabels["a/b"]: is 1, not a string. Write a string',
    ],
  ])("%j", (changes, expected) => {
    expect(problemsOf(Subscription, subscription(changes))).toBe(expected);
  });

  test("metadata", () => {
    expect(
      problemsOf(Base, { apiVersion: Base.apiVersion, kind: "Base", metadata: { name: "A_" }, spec: { feeds: [] } }),
    ).toMatch(
      /^metadata\.name: is "A_", which does not have the right form\. Write .*\nmetadata\.namespace: is missing\. Write .*$/,
    );
    const request = { apiVersion: ClusterRegistrationRequest.apiVersion, kind: "ClusterRegistrationRequest" };
    const clusterId = "dc91021d-2361-4f6d-a404-7c33b9e01118";
    expect(
      problemsOf(ClusterRegistrationRequest, { ...request, metadata: { name: "a", namespace: "b" }, spec: { clusterId } }),
    ).toBe('metadata.namespace: is "b", which does not have the right form. Remove it: objects of this kind are in no namespace');
  });

  test("another kind", () => {
    expect(
      problemsOf(Base, { apiVersion: "v1", kind: "Base", metadata: { name: "a", namespace: "b" }, spec: { feeds: [] } }),
    ).toBe('apiVersion: is "v1", which is not allowed. Use apps.clusternet.io/v1alpha1');
    expect(problemsOf(Base, 3)).toContain("is 3, not an object");
  });

  test.each(["%%%", "abc", "ab=c", "a==="])("bytes %j", (overrides) => {
    const result = parseField(HelmRelease, "spec", { repo: "https://x", chart: "a", targetNamespace: "b", overrides });
    expect(result).toMatchObject({
      valid: false,
      problems: [{ path: "spec.overrides", fix: expect.stringContaining("base64") }],
    });
  });

  test("of one field only", () => {
    expect(parseField(Subscription, "spec", { ...spec, feeds: 1 })).toMatchObject({
      valid: false,
      problems: [{ path: "spec.feeds" }],
    });
    expect(parseField(Subscription, "spec", spec)).toMatchObject({ valid: true, value: { schedulerName: "default" } });
  });
});

test("bytes are not shown, and other values only in part", () => {
  const secret = "s3cr3t!";
  const chart = { repo: "https://x", chart: "a", targetNamespace: "b", overrides: secret };
  const release = {
    apiVersion: HelmRelease.apiVersion,
    kind: "HelmRelease",
    metadata: { name: "a", namespace: "b" },
    spec: chart,
  };
  expect(problemsOf(HelmRelease, release)).toBe(
    "spec.overrides: is not base64. Write base64: A-Z, a-z, 0-9, + and / in groups of four, the last one padded with =",
  );
  expect(problemsOf(Subscription, subscription({ schedulingStrategy: "s".repeat(200) }))).not.toContain("s".repeat(100));
});
