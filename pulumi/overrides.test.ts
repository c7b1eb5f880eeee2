// What the helpers write, is what delivery applies.

import { describe, expect, test } from "@jest/globals";
import * as pulumi from "@pulumi/pulumi";
import { OverrideConfig } from "#api/apps/v1alpha1/override.ts";
import { applyChartOverrides, applyOverrides } from "#delivery/overrides.ts";
import {
  helmChart,
  helmValues,
  jsonPatch,
  mergePatch,
  pointer,
  textJsonPatch,
  textMergePatch,
  type Patch,
} from "#pulumi/overrides.ts";

const object = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "c", labels: { "example.com/tier": "a" } },
  data: { "app.yaml": "level: info # why\nlist: [1]\n" },
};
const text = { path: pointer("data", "app.yaml"), format: "YAML" } as const;
const override = (patches: readonly Patch[]): Parameters<typeof applyOverrides>[1][number] => ({
  apiVersion: "apps.clusternet.io/v1alpha1",
  kind: "Globalization",
  metadata: { name: "g" },
  spec: {
    overridePolicy: "ApplyNow",
    priority: 500,
    feed: { apiVersion: "v1", kind: "ConfigMap", name: "c" },
    overrides: patches.map((each) => OverrideConfig.parse(each) as OverrideConfig),
  },
});
const applied = (...patches: readonly Patch[]): unknown => {
  const result = applyOverrides(object, [override(patches)]);
  return result.ok ? JSON.parse(JSON.stringify(result.object)) : result.problem;
};

describe("each helper", () => {
  test("jsonPatch", () => {
    const path = pointer("metadata", "labels", "example.com/tier");
    expect(applied(jsonPatch([{ op: "replace", path, value: "b" }]))).toMatchObject({
      metadata: { labels: { "example.com/tier": "b" } },
    });
  });

  test("mergePatch", () => {
    expect(applied(mergePatch({ metadata: { labels: { "example.com/tier": null, x: "y" } } }))).toMatchObject({
      metadata: { labels: { x: "y" } },
    });
  });

  test("textMergePatch and textJsonPatch", () => {
    const merged = textMergePatch(text, { level: "debug" });
    const stepped = textJsonPatch(text, [{ op: "add", path: pointer("list", 1), value: 2 }]);
    expect(applied(merged, stepped)).toMatchObject({ data: { "app.yaml": "level: debug # why\nlist: [1, 2]\n" } });
  });

  test("helmValues and helmChart", () => {
    const chart = { apiVersion: "x", kind: "HelmChart", metadata: { name: "db" }, spec: { chart: "mysql", version: "1" } };
    const result = applyChartOverrides({ chart, values: { replicas: 1, old: true } }, [
      override([helmValues({ replicas: 2, old: null }), helmChart({ spec: { version: "2" } })]),
    ]);
    expect(result).toMatchObject({ ok: true, values: { replicas: 2 }, chart: { spec: { chart: "mysql", version: "2" } } });
    expect(result).not.toHaveProperty("values.old");
  });
});

test("a name is kept, and is left out where there is none", () => {
  expect(mergePatch({ a: 1 }, { name: "why" })).toEqual({ name: "why", type: "MergePatch", value: '{"a":1}' });
  expect(mergePatch({ a: 1 })).toEqual({ type: "MergePatch", value: '{"a":1}' });
});

test("a pointer names keys with a slash or a tilde, and positions", () => {
  expect(pointer("a/b", "c~d", "~1", 0, "-")).toBe("/a~1b/c~0d/~01/0/-");
});

test("a bigint keeps every digit", () => {
  expect(mergePatch({ limit: 9223372036854775807n }).value).toBe('{"limit":9223372036854775807}');
});

test("a part may be an output of another resource; then the text is one too", async () => {
  const { value } = mergePatch({ data: { address: pulumi.output("10.0.0.1"), big: 18446744073709551615n } });
  expect(pulumi.Output.isInstance(value)).toBe(true);
  const known = await new Promise((resolve) => pulumi.output(value).apply(resolve));
  expect(known).toBe('{"data":{"address":"10.0.0.1","big":18446744073709551615}}');
});

test("an operation that RFC 6902 does not have does not compile", () => {
  // @ts-expect-error "set" is no operation
  expect(jsonPatch([{ op: "set", path: "/a", value: 1 }]).type).toBe("JSONPatch");
  // @ts-expect-error a replace needs a value
  expect(jsonPatch([{ op: "replace", path: "/a" }]).type).toBe("JSONPatch");
});
