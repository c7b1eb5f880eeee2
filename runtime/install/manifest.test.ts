import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { guessPlural, manifestName, manifestObject } from "./manifest.ts";

const options = { reservedNamespace: "clusternet-reserved" };

test.each([
  [{ plural: "deployments", namespace: "bar", name: "foo" }, "deployments.bar.foo"],
  [{ plural: "clusterroles", name: "foo" }, "clusterroles.foo"],
  [{ plural: "clusterroles", namespace: "", name: "a.b" }, "clusterroles.a.b"],
])("a Manifest of %j is called %s", (object, name) => {
  expect(manifestName(object)).toBe(name);
});

test("names that a Manifest cannot have stay valid, readable and apart from what they look like", () => {
  const names = ["a:b", "a.b", "a-b", "A:b", "a:b:", "a::b", ":", "x".repeat(253)];
  const made = names.map((name) => manifestName({ plural: "clusterroles", name }));
  expect(new Set(made).size).toBe(names.length);
  expect(made[0]).toMatch(/^0\.clusterroles\.a-b\.[0-9a-f]{32}$/);
});

test("no two objects of one resource share a Manifest, and every name is a valid one", () => {
  const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?$/);
  const name = fc.oneof(
    label,
    fc.stringMatching(/^[-a-zA-Z0-9:.]{1,12}$/),
    fc.tuple(label, label).map(([a, b]) => `${a}.${b}`),
  );
  const object = fc.record({ plural: fc.constantFrom("roles", "widgets"), namespace: label, name });
  fc.assert(
    fc.property(object, object, (one, other) => {
      const [a, b] = [manifestName(one), manifestName(other)];
      expect(a).toMatch(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/);
      expect(a.length).toBeLessThanOrEqual(253);
      expect(a === b).toBe(JSON.stringify(one) === JSON.stringify(other));
    }),
  );
});

test("carries the template's labels and says where it came from", () => {
  const template = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "shop", labels: { app: "web" } },
  };
  const manifest = manifestObject(template, { ...options, allowSubscriptionsFrom: ["a", "b"] });
  expect(manifest).toEqual({
    apiVersion: "apps.clusternet.io/v1alpha1",
    kind: "Manifest",
    metadata: {
      name: "deployments.shop.web",
      namespace: "clusternet-reserved",
      labels: {
        app: "web",
        "clusternet.io/created-by": "clusternet-hub",
        "apps.clusternet.io/config.group": "apps",
        "apps.clusternet.io/config.version": "v1",
        "apps.clusternet.io/config.kind": "Deployment",
        "apps.clusternet.io/config.name": "web",
        "apps.clusternet.io/config.namespace": "shop",
      },
      annotations: { "apps.clusternet.io/allow-subscriptions-from": "a,b" },
    },
    template,
  });
});

test("a cluster-scoped object of the core group has an empty group and namespace; a name no label can hold is left out", () => {
  const labelsOf = (apiVersion: string, kind: string, name: string): object =>
    manifestObject({ apiVersion, kind, metadata: { name } }, options).metadata.labels ?? {};
  expect(labelsOf("v1", "Namespace", "shop")).toMatchObject({
    "apps.clusternet.io/config.group": "",
    "apps.clusternet.io/config.namespace": "",
    "apps.clusternet.io/config.version": "v1",
  });
  expect(labelsOf("rbac.authorization.k8s.io/v1", "ClusterRole", "system:foo")).not.toHaveProperty([
    "apps.clusternet.io/config.name",
  ]);
});

test.each([
  ["Ingress", "ingresses"],
  ["NetworkPolicy", "networkpolicies"],
  ["Endpoints", "endpoints"],
  ["Deployment", "deployments"],
])("%s objects are %s", (kind, plural) => {
  expect(guessPlural(kind)).toBe(plural);
});
