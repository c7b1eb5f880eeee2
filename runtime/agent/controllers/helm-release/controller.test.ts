// A cluster full of releases that fail: how many helms run at once, how often each is tried, and what stays in memory.

import { afterEach, expect, test } from "@jest/globals";
import { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { ObjectKey } from "#api/meta.ts";
import type { PatchOptions } from "#kube/client.ts";
import { silentLogger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";
import { createFakeClock } from "#test/framework/fake-clock.ts";
import { createStubInformer } from "#test/framework/stub-informer.ts";
import { helmReleaseController, type HelmReleaseDeps } from "./controller.ts";

const RELEASES = 100;
const HOUR_MS = 3_600_000;
/** What a run takes of the fake time. */
const RUN_MS = 1_000;

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

const cluster: ManagedCluster = {
  apiVersion: ManagedCluster.apiVersion,
  kind: ManagedCluster.kind,
  metadata: { namespace: "paris", name: "paris" },
  spec: { clusterId: "id", syncMode: "Pull" },
};
const releaseOf = (index: number): HelmRelease => ({
  apiVersion: HelmRelease.apiVersion,
  kind: HelmRelease.kind,
  metadata: { namespace: "paris", name: `release-${String(index)}`, generation: 1, resourceVersion: "0" },
  spec: {
    repo: "https://charts.example",
    chart: "web",
    version: "1.0.0",
    targetNamespace: "apps",
    releaseName: `web-${String(index)}`,
    createNamespace: true,
    timeoutSeconds: 60,
  },
});

test("100 releases that fail for an hour: two helms at a time, everyone has a turn, and later and later", async () => {
  const clock = createFakeClock();
  const stopping = new AbortController();
  const stored = new Map(Array.from({ length: RELEASES }, (_, index) => [`release-${String(index)}`, releaseOf(index)]));
  const helmReleases = createStubInformer(HelmRelease);
  const managedClusters = createStubInformer(ManagedCluster);
  const installs = new Map<string, number[]>();
  let running = 0;
  let runningMax = 0;
  const helm = {
    directory: "/tmp/none",
    major: () => Promise.resolve(3),
    run: async ({ args: [command = "", name = ""] }: { readonly args: readonly string[] }) => {
      if (command === "status") return { ok: false, stdout: "", stderr: "Error: release: not found" };
      running += 1;
      runningMax = Math.max(runningMax, running);
      installs.set(name, [...(installs.get(name) ?? []), clock.monotonic()]);
      await clock.sleep(RUN_MS, stopping.signal);
      running -= 1;
      return { ok: false, stdout: "", stderr: "Error: INSTALLATION FAILED: it is broken" };
    },
  };
  let writes = 0;
  const parent = {
    get: (_type: unknown, { name }: ObjectKey) => Promise.resolve(stored.get(name)),
    patch: (_type: unknown, { name }: ObjectKey, { body }: PatchOptions) => {
      const before = stored.get(name);
      if (before === undefined) throw new Error(`There is no ${name}`);
      writes += 1;
      const metadata = { ...before.metadata, resourceVersion: String(writes) };
      const after = { ...before, metadata, status: { ...before.status, ...(body as HelmRelease).status } };
      stored.set(name, after);
      // Its own writes come back to it, as from a watch.
      helmReleases.listed(...stored.values());
      return Promise.resolve(after);
    },
  };
  const nothing = { [Symbol.asyncDispose]: () => Promise.resolve() };
  const proxy = { open: () => Promise.resolve({ kubeconfig: "/dev/null", server: "http://127.0.0.1:1/ticket", ...nothing }) };
  const charts = {
    get: () => Promise.resolve({ path: "/chart.tgz", version: "1.0.0", digest: "d", [Symbol.dispose]: () => undefined }),
  };
  const controller = helmReleaseController({
    parent,
    childAs: () => ({ connection: {} }),
    informers: { helmReleases, managedClusters },
    helmTools: { get: () => Promise.resolve({ helm, proxy, charts }) },
    events: { record: () => undefined },
    clock,
    log: silentLogger,
    metrics: createMetrics(),
  } as unknown as HelmReleaseDeps);
  managedClusters.listed(cluster);
  helmReleases.listed(...stored.values());
  const finished = controller.run(stopping.signal);
  stops.push(async () => {
    stopping.abort(new Error("the test is over"));
    await finished;
  });
  for (let passed = 0; passed < HOUR_MS; passed += RUN_MS) await clock.advance(RUN_MS);

  expect(runningMax).toBe(2);
  expect(installs.size).toBe(RELEASES);
  for (const times of installs.values()) {
    // 2 s, doubled up to 5 minutes, each with up to half of it as jitter: 20 to 30 in an hour, and whoever waits for a turn has fewer.
    expect(times.length).toBeGreaterThanOrEqual(8);
    expect(times.length).toBeLessThanOrEqual(32);
    const [before = 0, last = 0] = times.slice(-2);
    expect(last - before).toBeGreaterThanOrEqual(150_000);
  }
  // A failure that was said is not said again: one write when it starts, one when it failed.
  expect(writes).toBeLessThanOrEqual(2 * RELEASES);
}, 120_000);
