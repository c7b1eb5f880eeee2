// Which override wins, what each type does, and what is refused, as stories: test/golden/overrides.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { OverrideConfig } from "#api/apps/v1alpha1/override.ts";
import { testGolden } from "#test/framework/golden.ts";
import type { JsonObject } from "./json.ts";
import { parsePatchValue } from "./patch-value.ts";
import { applyChartOverrides, applyOverrides, orderOverrides, problemText, type Override } from "./overrides.ts";

interface Story {
  /** The template, or the HelmChart. */
  readonly object: JsonObject;
  /** Of a HelmChart. */
  readonly values?: JsonObject;
  readonly overrides: readonly {
    readonly kind: "Globalization" | "Localization";
    readonly name: string;
    readonly priority?: number;
    readonly created?: string;
    readonly patches: readonly (Omit<OverrideConfig, "value"> & { readonly value: unknown })[];
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

const storyOf = (lines: readonly string[]): Story => {
  const parsed = parsePatchValue(lines.join("\n"));
  if (!("value" in parsed)) throw new Error(JSON.stringify(parsed));
  return parsed.value as Story;
};

const tell = (lines: readonly string[]): readonly string[] => {
  const story = storyOf(lines);
  const overrides = orderOverrides(overridesOf(story));
  const { object, values } = story;
  const result =
    values === undefined ? applyOverrides(object, overrides) : applyChartOverrides({ chart: object, values }, overrides);
  const steps = result.steps.map(
    ({ override, patch, type, outcome, reason }) =>
      `${override} ${patch} ${type}: ${outcome}${reason === undefined ? "" : ` (${reason})`}`,
  );
  if (!result.ok) return [...steps, problemText(result.problem, "paris")];
  if ("values" in result)
    return [...steps, `values ${JSON.stringify(result.values)}`, `chart ${JSON.stringify(result.chart["spec"])}`];
  return [...steps, ...shown(result.object)];
};

/** A text field of several lines is shown as lines. */
function shown(object: JsonObject): readonly string[] {
  const data = Object.entries((object["data"] ?? {}) as Readonly<Record<string, unknown>>);
  const texts = data.filter((entry): entry is [string, string] => typeof entry[1] === "string" && entry[1].includes("\n"));
  return texts.length === 0
    ? [JSON.stringify(object)]
    : texts.flatMap(([name, text]) => [
        `${name}:`,
        ...text
          .split("\n")
          .slice(0, -1)
          .map((line) => `  ${line}`),
      ]);
}

testGolden("overrides/order.md", tell);
testGolden("overrides/fields.md", tell);
testGolden("overrides/charts.md", tell);

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
