// One HelmRelease against a helm that only pretends: what is run, what is written, and that failures stay cheap.

import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import type { Client, PatchOptions } from "#kube/client.ts";
import { silentLogger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";
import { createFakeClock } from "#test/framework/fake-clock.ts";
import { createReleaseRunner, type ReleaseDeps } from "./carry-out-release.ts";
import { ChartError } from "./charts/chart-error.ts";
import { createHelm, type Helm } from "./helm-process.ts";

const never = new AbortController().signal;
let directory: string;
let helm: Helm;
let stored: HelmRelease;
let writes: number;

/** Says what `answers` holds for its command, and logs its arguments. */
const script = (path: string): string => `#!/bin/sh
echo "$@" >> ${path}/runs
case "$1" in
  version) echo v3.22.0 ;;
  status) if [ -e ${path}/state ]; then cat ${path}/state; else echo "Error: release: not found" >&2; exit 1; fi ;;
  uninstall) rm -f ${path}/state ;;
  *) cat > ${path}/values; if [ -e ${path}/broken ]; then echo "Error: INSTALLATION FAILED: it is broken" >&2; exit 1; fi
     echo '{"version":1,"info":{"status":"deployed","description":"Install complete"}}' | tee ${path}/state ;;
esac
`;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "clusternet-helm-test-"));
  await writeFile(join(directory, "helm"), script(directory));
  await chmod(join(directory, "helm"), 0o755);
  helm = await createHelm({ binary: join(directory, "helm"), searchPath: "/usr/bin:/bin", metrics: createMetrics() });
});

afterAll(async () => {
  await helm[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

beforeEach(async () => {
  for (const name of ["state", "broken", "runs"]) await rm(join(directory, name), { force: true });
  writes = 0;
  stored = aRelease();
});

function aRelease(): HelmRelease {
  return {
    apiVersion: "apps.clusternet.io/v1alpha1",
    kind: "HelmRelease",
    metadata: { namespace: "paris", name: "web.shop-helm-shop-web", uid: "u", generation: 1 },
    spec: {
      repo: "https://charts.example",
      chart: "web",
      version: "1.0.0",
      targetNamespace: "apps",
      releaseName: "web",
      createNamespace: true,
      timeoutSeconds: 60,
      overrides: Buffer.from('{"password":"hunter2"}').toString("base64"),
    },
  };
}

const parent = {
  get: () => Promise.resolve(stored),
  patch: (_type: unknown, _key: unknown, { body }: PatchOptions) => {
    writes += 1;
    stored = { ...stored, status: { ...stored.status, ...(body as HelmRelease).status } };
    return Promise.resolve(stored);
  },
} as unknown as Client;

function deps(changes: Partial<ReleaseDeps> = {}): ReleaseDeps {
  return {
    parent,
    child: {} as Client,
    helm,
    proxy: {
      open: () =>
        Promise.resolve({
          kubeconfig: "/dev/null",
          server: "http://127.0.0.1:1/ticket",
          [Symbol.asyncDispose]: () => Promise.resolve(),
        }),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    },
    charts: {
      get: () => Promise.resolve({ path: "/chart.tgz", version: "1.0.0", digest: "d", [Symbol.dispose]: () => undefined }),
    },
    accessOf: () => Promise.resolve({ plainHttp: false }),
    others: () => [],
    events: { record: () => undefined, flush: () => Promise.resolve() },
    clock: createFakeClock(),
    log: silentLogger,
    ...changes,
  };
}

const runs = async (): Promise<readonly string[]> =>
  (await readFile(join(directory, "runs"), "utf8").catch(() => ""))
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("version"));

test("a release is installed once; then nothing is run and nothing is written", async () => {
  const runner = createReleaseRunner();
  await runner.carryOut(stored, deps(), never);
  expect(stored.status).toMatchObject({ phase: "deployed", releasedAs: "apps/web", chartVersion: "1.0.0", version: 1 });
  expect((await runs()).map((line) => line.split(" ", 1)[0])).toEqual(["status", "install"]);
  const before = { writes, runs: await runs() };
  await runner.carryOut(stored, deps(), never);
  expect({ writes, runs: await runs() }).toEqual(before);
});

test("an object that is older than what we wrote does not run helm again", async () => {
  const runner = createReleaseRunner();
  const old = stored;
  await runner.carryOut(old, deps(), never);
  const before = await runs();
  await runner.carryOut(old, deps(), never);
  expect(await runs()).toEqual(before);
});

test("values go to standard input, never to the arguments", async () => {
  await createReleaseRunner().carryOut(stored, deps(), never);
  expect((await runs()).join("\n")).not.toContain("hunter2");
  expect(await readFile(join(directory, "values"), "utf8")).toBe('{"password":"hunter2"}');
});

test("a failure is told, recorded as ours before it was tried, and not tried again before its time", async () => {
  await writeFile(join(directory, "broken"), "");
  const runner = createReleaseRunner();
  const clock = createFakeClock();
  const first = await runner.carryOut(stored, deps({ clock }), never);
  expect(stored.status).toMatchObject({
    phase: "failed",
    description: "INSTALLATION FAILED: it is broken",
    releasedAs: "apps/web",
  });
  expect(first).toMatchObject({ type: "after" });
  const before = await runs();
  expect(await runner.carryOut(stored, deps({ clock }), never)).toMatchObject({ type: "after" });
  expect(await runs()).toEqual(before);
  await rm(join(directory, "broken"));
  // The spec changed: at once.
  stored = { ...stored, metadata: { ...stored.metadata, generation: 2 } };
  await runner.carryOut(stored, deps({ clock }), never);
  expect(stored.status).toMatchObject({ phase: "deployed", observedGeneration: 2 });
});

test("a chart that cannot be had runs no helm that changes anything, and nothing of it is uninstalled", async () => {
  const runner = createReleaseRunner();
  const charts = { get: () => Promise.reject(new ChartError("VersionMissing", "Repository has no version 1.0.0")) };
  await runner.carryOut(stored, deps({ charts }), never);
  expect(stored.status).toMatchObject({ phase: "failed", conditions: [{ reason: "ChartUnavailable" }] });
  stored = { ...stored, metadata: { ...stored.metadata, deletionTimestamp: "2030-01-01T00:00:00Z" } };
  await runner.carryOut(stored, deps({ charts }), never);
  expect(stored.status).toMatchObject({ conditions: [{ reason: "ChartUnavailable" }, { type: "Removed", status: "True" }] });
  expect((await runs()).filter((line) => !line.startsWith("status"))).toEqual([]);
});

test("the younger of two HelmReleases for one release fails, and leaves it alone when it goes", async () => {
  const older = { ...aRelease(), metadata: { ...aRelease().metadata, name: "a", creationTimestamp: "2029-01-01T00:00:00Z" } };
  stored = { ...stored, metadata: { ...stored.metadata, creationTimestamp: "2030-01-01T00:00:00Z" } };
  const runner = createReleaseRunner();
  await runner.carryOut(stored, deps({ others: () => [older] }), never);
  expect(stored.status?.conditions).toMatchObject([{ reason: "ReleaseConflict" }]);
  stored = {
    ...stored,
    metadata: { ...stored.metadata, deletionTimestamp: "2030-01-01T00:00:00Z" },
    status: { ...stored.status, releasedAs: "apps/web" },
  };
  await runner.carryOut(stored, deps({ others: () => [older] }), never);
  expect(await runs()).toEqual([]);
});

test("a deleted release is uninstalled once", async () => {
  const runner = createReleaseRunner();
  await runner.carryOut(stored, deps(), never);
  stored = { ...stored, metadata: { ...stored.metadata, deletionTimestamp: "2030-01-01T00:00:00Z" } };
  await runner.carryOut(stored, deps(), never);
  await runner.carryOut(stored, deps(), never);
  expect((await runs()).filter((line) => line.startsWith("uninstall"))).toHaveLength(1);
});

test("a deleted release whose policy says Retain stays, and so does one that gets another name", async () => {
  const runner = createReleaseRunner();
  await runner.carryOut(stored, deps(), never);
  stored = { ...stored, spec: { ...stored.spec, releaseName: "other", delivery: { onDelete: "Retain" } } };
  await rm(join(directory, "state"));
  await runner.carryOut(stored, deps(), never);
  expect(stored.status).toMatchObject({ releasedAs: "apps/other", phase: "deployed" });
  stored = { ...stored, metadata: { ...stored.metadata, deletionTimestamp: "2030-01-01T00:00:00Z" } };
  await runner.carryOut(stored, deps(), never);
  expect(stored.status?.conditions?.at(-1)).toMatchObject({ type: "Removed", status: "True", reason: "Retained" });
  expect((await runs()).filter((line) => line.startsWith("uninstall"))).toEqual([]);
});

test("many failing runs leave nothing behind", async () => {
  await writeFile(join(directory, "broken"), "");
  const runner = createReleaseRunner();
  const once = async (generation: number): Promise<void> => {
    stored = { ...aRelease(), metadata: { ...aRelease().metadata, generation } };
    await runner.carryOut(stored, deps(), never);
  };
  for (let generation = 1; generation <= 10; generation += 1) await once(generation);
  const before = process.memoryUsage().heapUsed;
  for (let generation = 11; generation <= 70; generation += 1) await once(generation);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(20 * 1024 * 1024);
  // The handle of the last one may still be closing.
  expect(process.getActiveResourcesInfo().filter((name) => name.includes("Process")).length).toBeLessThan(2);
}, 120_000);
