// The command line of the test bed, and what its program waits for.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import * as pulumi from "@pulumi/pulumi";
import { stringify } from "yaml";
import { recordResources } from "#test/framework/recorded-resources.ts";
import { parseTestbedOptions } from "#tools/testbed.ts";

test("parseTestbedOptions reads children, directory and bare", () => {
  expect(parseTestbedOptions(["--children", "3", "--dir", "/d", "--bare"])).toEqual({ children: 3, directory: "/d", bare: true });
  expect(parseTestbedOptions([])).toEqual({ children: 2, directory: resolve(".testbed"), bare: false });
});

test.each(["-1", "two", "1.5", "1000"])("parseTestbedOptions refuses %s children", (children) => {
  expect(() => parseTestbedOptions([`--children=${children}`])).toThrow(/--children: Expected a whole number from 0 to 50, got /);
});

/** The program loads the whole Kubernetes SDK: two seconds on an idle machine. */
const LOADING_MS_MAX = 60_000;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "clusternet-testbed-test-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
  pulumi.runtime.setAllConfig({});
});

test(
  "without a child the program of the first example makes the parent, and waits for no delivery",
  async () => {
    writeFileSync(join(directory, "parent.kubeconfig"), aKubeconfig());
    pulumi.runtime.setAllConfig({
      "project:kubeconfigs": directory,
      "project:children": "",
      "project:bootstrapSecret": "a secret of 24 characters",
    });
    const example = resolve(import.meta.dirname, "..", "examples", "01-first-fleet", "index.ts");
    const recorded = await recordResources(() => import(example));
    expect(recorded.filter(({ type }) => type === "clusternet:index:ChildCluster")).toEqual([]);
    const shop = recorded.find(({ type }) => type === "kubernetes:apps.clusternet.io/v1alpha1:Subscription");
    expect(shop?.inputs["metadata"]).toMatchObject({ name: "shop" });
    expect(JSON.stringify(shop?.inputs["metadata"])).not.toContain("waitFor");
  },
  LOADING_MS_MAX,
);

function aKubeconfig(): string {
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "parent",
    clusters: [{ name: "parent", cluster: { server: "https://parent.example:6443" } }],
    users: [{ name: "admin", user: { token: "t" } }],
    contexts: [{ name: "parent", context: { cluster: "parent", user: "admin" } }],
  });
}
