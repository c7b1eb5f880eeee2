// What is done with a release in each state that helm may have left it: test/golden/helm/release.md; and who keeps one.

import { expect, test } from "@jest/globals";
import { parse } from "yaml";
import type { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import { testGolden } from "#test/framework/golden.ts";
import { isReleased, isWantedByAnother, planRelease, releaseHash, releaseOwner, type ObservedRelease } from "./release-plan.ts";

const spec: HelmRelease["spec"] = {
  repo: "https://charts.example",
  chart: "web",
  version: "1.0.0",
  targetNamespace: "apps",
  releaseName: "web",
  createNamespace: true,
  timeoutSeconds: 300,
};

function aRelease(
  name: string,
  changes: Partial<HelmRelease["spec"]> = {},
  creationTimestamp = "2030-01-01T00:00:00Z",
): HelmRelease {
  const metadata = { namespace: "paris", name, creationTimestamp, generation: 1 };
  return { apiVersion: "apps.clusternet.io/v1alpha1", kind: "HelmRelease", metadata, spec: { ...spec, ...changes } };
}

testGolden("helm/release.md", (lines) => {
  const { status, revision = 1, ...options } = parse(lines.join("\n")) as Partial<ObservedRelease> & Partial<HelmRelease["spec"]>;
  const steps = planRelease(status === undefined ? undefined : { status, revision }, { ...spec, ...options });
  return steps.map(({ type, reason }) => `${type}: ${reason}`);
});

test.each([
  ["version", { version: "1.0.1" }, false],
  ["values", { overrides: "eyJhIjoxfQ==" }, false],
  ["name of the release", { releaseName: "other" }, false],
  ["an option that changes what is applied", { skipCRDs: true }, false],
  ["how long to wait", { timeoutSeconds: 1, wait: true, atomic: true }, true],
  ["the pull secret", { chartPullSecret: { name: "other" } }, true],
] as const)("another %s: still released is %p", (_what, changes, still) => {
  const before = aRelease("a");
  const status = { phase: "deployed", releasedHash: releaseHash(before) } as const;
  expect(isReleased({ ...aRelease("a", changes), status })).toBe(still);
});

test("a release that failed is not released, whatever its hash", () => {
  const release = aRelease("a");
  expect(isReleased({ ...release, status: { phase: "failed", releasedHash: releaseHash(release) } })).toBe(false);
});

test("of two HelmReleases for one release the older keeps it, and it is uninstalled for nobody", () => {
  const older = aRelease("z", {}, "2029-01-01T00:00:00Z");
  const younger = aRelease("a");
  const elsewhere = aRelease("c", { targetNamespace: "other" }, "2028-01-01T00:00:00Z");
  const all = [older, younger, elsewhere];
  expect(releaseOwner(younger, all)).toBe(older);
  expect(releaseOwner(older, all)).toBeUndefined();
  expect(isWantedByAnother("apps/web", younger, all)).toBe(true);
  expect(isWantedByAnother("other/web", elsewhere, all)).toBe(false);
});
