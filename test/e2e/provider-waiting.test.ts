// The same for what takes its time: the provider waits, gives up, holds on and lets go as the official one did when it was recorded.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import * as z from "zod";
import { fixture, startConformanceBed, STEP_LIMIT_MS, type ConformanceBed } from "#test/e2e/recorded-provider.ts";
import { eventually } from "#test/framework/eventually.ts";
import { createPulumi, type OperationOptions, type Pulumi } from "#test/framework/pulumi.ts";

const APPEAR_LIMIT_MS = 240_000;

let bed: ConformanceBed;
beforeAll(async () => {
  bed = await startConformanceBed();
}, STEP_LIMIT_MS);
afterAll(async () => {
  await bed[Symbol.asyncDispose]();
}, STEP_LIMIT_MS);

describe("Waiting, failing, holding on and letting go", () => {
  let pulumi: Pulumi;
  const controller = new AbortController();
  beforeAll(async () => {
    pulumi = await createPulumi({
      directory: fixture("special-cases"),
      env: { PARENT_KUBECONFIG: bed.controlPlane.adminKubeconfig },
    });
  }, STEP_LIMIT_MS);
  afterAll(async () => {
    controller.abort();
    await pulumi[Symbol.asyncDispose]();
  });
  const up = (cases: string, options: OperationOptions = {}): ReturnType<ConformanceBed["record"]> =>
    bed.record(pulumi, "up", { ...options, env: { CASES: cases } });

  test(
    "A Deployment is waited for until its Pods are ready",
    async () => {
      const running = makePodReady("app=ready");
      const { calls } = await up("ready");
      await running;
      bed.expectCalls(calls, "up-deployment-ready");
    },
    STEP_LIMIT_MS,
  );

  test(
    "A Deployment that never becomes ready fails after its timeout, says why, and stays in the state",
    async () => {
      const { calls, result } = await up("ready,stuck", { allowFailure: true });
      bed.expectCalls(calls, "up-deployment-stuck");
      expect(result.exitCode).not.toBe(0);
      expect(result.text).toContain("Minimum number of live Pods was not attained");
      expect(await stateNames(pulumi)).toContain("stuck");
    },
    STEP_LIMIT_MS,
  );

  test(
    "A waitFor on a status field holds the update until the field has its value",
    async () => {
      const finish = async (): Promise<unknown> => {
        const path = "/apis/example.com/v1/namespaces/traced2/toys/waited";
        const toy = await bed.controlPlane.admin.get(path);
        return toy === undefined ? undefined : bed.controlPlane.admin.patch(`${path}/status`, { status: { phase: "Done" } });
      };
      const done = eventually("the Toy exists", finish, { timeoutMs: APPEAR_LIMIT_MS });
      const { calls } = await up("ready,waitfor");
      await done;
      bed.expectCalls(calls, "up-wait-for");
    },
    STEP_LIMIT_MS,
  );

  test(
    "An object that exists already is an error, and nothing is adopted",
    async () => {
      const { calls } = await up("ready,waitfor,exists", { allowFailure: true });
      bed.expectCalls(calls, "up-already-exists");
      expect(await stateNames(pulumi)).not.toContain("exists");
    },
    STEP_LIMIT_MS,
  );

  test(
    "A preview succeeds although the kubeconfig of a provider is not known yet",
    async () => {
      const { calls } = await bed.record(pulumi, "preview", { env: { CASES: "ready,waitfor,unknown" } });
      bed.expectCalls(calls, "preview-unknown-kubeconfig");
    },
    STEP_LIMIT_MS,
  );

  test(
    "An object held by a finalizer fails its deletion after the timeout and stays in the state",
    async () => {
      bed.expectCalls((await up("ready,waitfor,finalizer")).calls, "up-finalizer");
      const { calls, result } = await up("ready,waitfor", { allowFailure: true });
      bed.expectCalls(calls, "delete-held-by-finalizer");
      expect(result.text).toContain("finalizers might be preventing deletion (example.com/hold)");
      expect(await stateNames(pulumi)).toContain("held");
      await bed.controlPlane.admin.patch("/apis/example.com/v1/namespaces/traced2/toys/held", { metadata: { finalizers: null } });
    },
    STEP_LIMIT_MS,
  );

  test(
    "An APIService without a backend is neither waited for nor in the way of its own deletion",
    async () => {
      bed.expectCalls((await up("ready,waitfor,apiservice")).calls, "up-apiservice");
      bed.expectCalls((await up("ready,waitfor")).calls, "delete-apiservice");
    },
    STEP_LIMIT_MS,
  );

  test(
    "A definition is destroyed after its instances",
    async () => {
      const { calls } = await bed.record(pulumi, "destroy", { env: { CASES: "ready,waitfor" } });
      bed.expectCalls(calls, "destroy-crd-with-instances");
    },
    STEP_LIMIT_MS,
  );
});

async function stateNames(pulumi: Pulumi): Promise<readonly string[]> {
  const State = z.object({ deployment: z.object({ resources: z.array(z.object({ urn: z.string() })) }) });
  return State.parse(await pulumi.exportState()).deployment.resources.map(({ urn }) => urn.split("::").at(-1) ?? "");
}

/** Says about the Pod what a kubelet would say: there is none in this test. */
async function makePodReady(selector: string): Promise<void> {
  interface PodList {
    readonly items: readonly { readonly metadata: { readonly name: string } }[];
  }
  const pods = "/api/v1/namespaces/traced2/pods";
  const name = await eventually(
    "the Deployment has a Pod",
    async () =>
      (await bed.controlPlane.admin.get<PodList>(`${pods}?labelSelector=${encodeURIComponent(selector)}`))?.items[0]?.metadata
        .name,
    { timeoutMs: APPEAR_LIMIT_MS },
  );
  const condition = (type: string): object => ({ type, status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" });
  const conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(condition);
  await bed.controlPlane.admin.patch(`${pods}/${name}/status`, { status: { phase: "Running", conditions } });
}
