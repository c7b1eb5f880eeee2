// What is applied in which order, and what is pruned.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { InventoryEntry } from "#api/apps/v1alpha1/description.ts";
import type { KubeObject } from "#api/meta.ts";
import { entryOf, markedObject, planDelivery, planRemoval, type Phase } from "./plan.ts";

const an = (kind: string, name = kind.toLowerCase(), namespace = "shop"): KubeObject => ({
  apiVersion: "v1",
  kind,
  metadata: { name, namespace },
});
const shown = (phases: readonly Phase<{ readonly kind: string }>[]): readonly string[] =>
  phases.map(({ name, items }) => `${name}: ${items.map(({ kind }) => kind).join(" ")}`);

const kinds = [
  "Deployment",
  "ConfigMap",
  "Namespace",
  "Widget",
  "Role",
  "CustomResourceDefinition",
  "Ingress",
  "Service",
  "Secret",
];

describe("planDelivery", () => {
  test("applies what others stand on first, and deletes in the opposite order", () => {
    const objects = kinds.map((kind) => an(kind));
    const order = [
      "namespaces: Namespace",
      "definitions: CustomResourceDefinition",
      "access: Role",
      "configuration: ConfigMap Secret",
      "objects: Widget Service",
      "workloads: Deployment",
      "consumers: Ingress",
    ];
    expect(shown(planDelivery(objects, []).apply)).toEqual(order);
    expect(shown(planDelivery([], objects.map(entryOf)).delete)).toEqual(order.toReversed());
  });

  test("prunes only what the inventory names and nobody wants any more", () => {
    const plan = planDelivery(
      [an("ConfigMap", "kept"), an("ConfigMap", "new")],
      [entryOf(an("ConfigMap", "kept")), { ...entryOf(an("Secret", "old")), uid: "u" }],
    );
    expect(plan.delete).toEqual([{ name: "configuration", items: [{ ...entryOf(an("Secret", "old")), uid: "u" }] }]);
    expect(plan.added).toEqual([entryOf(an("ConfigMap", "new"))]);
  });

  const entry = fc.record({
    kind: fc.constantFrom(...kinds),
    name: fc.constantFrom("a", "b", "c"),
    namespace: fc.constantFrom("x", "y"),
  });
  const objects = fc
    .uniqueArray(entry, { selector: ({ kind, name, namespace }) => `${kind}/${namespace}/${name}` })
    .map((entries) => entries.map(({ kind, name, namespace }) => an(kind, name, namespace)));
  const text = ({ kind, namespace = "", name }: InventoryEntry): string => `${kind}/${namespace}/${name}`;
  const items = <T>(phases: readonly Phase<T>[]): readonly T[] => phases.flatMap((phase) => phase.items);

  test("every wanted object is applied once, nothing wanted is deleted, and nothing unrecorded is", () => {
    fc.assert(
      fc.property(objects, objects, (wanted, recorded) => {
        const inventory = recorded.map(entryOf);
        const plan = planDelivery(wanted, inventory);
        const deleted = new Set(items(plan.delete).map(text));
        expect(
          items(plan.apply)
            .map((object) => text(entryOf(object)))
            .toSorted(),
        ).toEqual(wanted.map((object) => text(entryOf(object))).toSorted());
        expect(wanted.some((object) => deleted.has(text(entryOf(object))))).toBe(false);
        expect([...deleted].every((each) => inventory.map(text).includes(each))).toBe(true);
        const namespaceLast = items(plan.delete).map(({ kind }) => kind === "Namespace");
        expect(namespaceLast.toSorted()).toEqual(namespaceLast);
      }),
    );
  });

  test("a removal takes what is recorded and what was only described", () => {
    expect(shown(planRemoval([an("Deployment"), an("Secret")], [entryOf(an("Secret"))]))).toEqual([
      "workloads: Deployment",
      "configuration: Secret",
    ]);
  });
});

test("a delivered object says whose it is, and carries no other tool's record", () => {
  const annotations = {
    "kubectl.kubernetes.io/last-applied-configuration": "{}",
    mine: "yes",
    "apps.clusternet.io/owned-by-description": "forged.owner",
  };
  const marked = markedObject({ ...an("ConfigMap"), metadata: { name: "a", namespace: "b", annotations } }, "child-1.web");
  expect(marked.metadata.annotations).toEqual({ mine: "yes", "apps.clusternet.io/owned-by-description": "child-1.web" });
  expect(marked.metadata.labels).toEqual({ "clusternet.io/created-by": "clusternet-hub" });
});
