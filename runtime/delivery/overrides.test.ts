// Which override wins, and what is refused, as stories: test/golden/overrides/order.md.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { parse } from "yaml";
import { testGolden } from "#test/framework/golden.ts";
import type { JsonObject } from "./json.ts";
import { applyOverrides, orderOverrides, problemText, type Override } from "./overrides.ts";

interface Story {
  readonly object: JsonObject;
  readonly overrides: readonly {
    readonly kind: "Globalization" | "Localization";
    readonly name: string;
    readonly priority?: number;
    readonly created?: string;
    readonly patches: readonly { readonly name?: string; readonly type: "JSONPatch"; readonly value: unknown }[];
  }[];
}

const overridesOf = ({ overrides }: Story): Override[] =>
  overrides.map(({ kind, name, priority = 500, created = "2030-01-01T00:00:00Z", patches }) => ({
    apiVersion: "apps.clusternet.io/v1alpha1",
    kind,
    metadata: { name, creationTimestamp: created, ...(kind === "Localization" ? { namespace: "paris" } : {}) },
    spec: {
      overridePolicy: "ApplyNow",
      priority,
      feed: { apiVersion: "v1", kind: "ConfigMap", name: "c" },
      overrides: patches.map(({ value, ...rest }) => ({
        ...rest,
        value: typeof value === "string" ? value : JSON.stringify(value),
      })),
    },
  }));

testGolden("overrides/order.md", (lines) => {
  const story = parse(lines.join("\n")) as Story;
  const result = applyOverrides(story.object, orderOverrides(overridesOf(story)));
  const steps = result.steps.map(
    ({ override, patch, type, outcome, reason }) =>
      `${override} ${patch} ${type}: ${outcome}${reason === undefined ? "" : ` (${reason})`}`,
  );
  return [...steps, result.ok ? JSON.stringify(result.object) : problemText(result.problem, "paris")];
});

test("the order is total: the same overrides give the same result, however they arrive", () => {
  const override = fc.record({
    kind: fc.constantFrom("Globalization" as const, "Localization" as const),
    name: fc.constantFrom("a", "b", "c", "d"),
    priority: fc.constantFrom(0, 500, 1000),
    created: fc.constantFrom("2030-01-01T00:00:00Z", "2030-01-01T00:01:00Z"),
  });
  const unique = fc.uniqueArray(override, { selector: ({ kind, name }) => `${kind}/${name}`, maxLength: 6 });
  fc.assert(
    fc.property(unique, fc.infiniteStream(fc.nat()), (overrides, random) => {
      const story = { object: {}, overrides: overrides.map((each) => ({ ...each, patches: [] })) };
      const ordered = orderOverrides(overridesOf(story));
      const shuffled = overridesOf(story)
        .map((each) => [random.next().value, each] as const)
        .toSorted(([a], [b]) => a - b)
        .map(([, each]) => each);
      expect(orderOverrides(shuffled)).toEqual(ordered);
    }),
  );
});
