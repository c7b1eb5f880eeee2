// The Kubernetes provider that the other tests run with behaves, call by call, as the official one did when it was recorded.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { fixture, startConformanceBed, STEP_LIMIT_MS, type Command, type ConformanceBed } from "#test/e2e/recorded-provider.ts";
import { createPulumi, type Pulumi } from "#test/framework/pulumi.ts";

let bed: ConformanceBed;
beforeAll(async () => {
  bed = await startConformanceBed();
}, STEP_LIMIT_MS);
afterAll(async () => {
  await bed[Symbol.asyncDispose]();
}, STEP_LIMIT_MS);

describe("Twelve resources through create, update, replacement, drift and destroy", () => {
  let pulumi: Pulumi;
  beforeAll(async () => {
    pulumi = await createPulumi({
      directory: fixture("twelve-resources"),
      env: { PARENT_KUBECONFIG: bed.controlPlane.adminKubeconfig },
    });
  }, STEP_LIMIT_MS);
  afterAll(async () => {
    await pulumi[Symbol.asyncDispose]();
  });

  const steps: readonly { step: string; command: Command; value: string }[] = [
    { step: "preview-create", command: "preview", value: "1" },
    { step: "up-create", command: "up", value: "1" },
    { step: "up-unchanged", command: "up", value: "1" },
    { step: "preview-update", command: "preview", value: "2" },
    { step: "up-update", command: "up", value: "2" },
    { step: "preview-replace", command: "preview", value: "3" },
    { step: "up-replace", command: "up", value: "3" },
    { step: "refresh-drift", command: "refresh", value: "3" },
    { step: "up-after-drift", command: "up", value: "3" },
    { step: "destroy", command: "destroy", value: "3" },
  ];

  test.each(steps)(
    "$step is as recorded",
    async ({ step, command, value }) => {
      if (step === "refresh-drift") {
        await bed.controlPlane.admin.patch("/api/v1/namespaces/traced/configmaps/cm", { data: { a: "drifted" } });
        await bed.controlPlane.admin.delete("/api/v1/namespaces/traced/secrets/s");
      }
      const { calls } = await bed.record(pulumi, command, { env: { STEP: value } });
      bed.expectCalls(calls, step);
      if (step === "up-unchanged") await expectOutputs(pulumi);
    },
    STEP_LIMIT_MS,
  );
});

async function expectOutputs(pulumi: Pulumi): Promise<void> {
  expect(await pulumi.outputs()).toEqual({
    autoName: expect.stringMatching(/^auto-[0-9a-f]{8}$/),
    clusterIp: expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/),
    kubeSystemUid: expect.stringMatching(/^[0-9a-f-]{36}$/),
    toyUid: expect.stringMatching(/^[0-9a-f-]{36}$/),
  });
}
