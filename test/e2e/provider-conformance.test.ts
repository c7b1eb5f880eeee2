// The Kubernetes provider that the other tests run with behaves, call by call, as the official one did when it was recorded.
//
// fixtures/provider-expectations.jsonl is the condensed record of the official provider (4.32) under CLI 3.250: for two programs and
// twenty operations, which calls each resource got, what Diff said, which inputs and outputs a program could see, and which errors.
// With the official provider installed, this test checks the record itself.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import * as z from "zod";
import { startControlPlane, type ControlPlane } from "#test/framework/control-plane.ts";
import { eventually } from "#test/framework/eventually.ts";
import { parseRecordedCalls, type RecordedCall } from "#test/framework/pulumi-stand-ins/recorded-calls.ts";
import { createPulumi, type OperationOptions, type Pulumi, type PulumiResult } from "#test/framework/pulumi.ts";

/** An operation takes seconds; a machine that runs many control planes at once takes minutes. */
const STEP_LIMIT_MS = 300_000;
const APPEAR_LIMIT_MS = 240_000;
const fixtures = fileURLToPath(new URL("fixtures/", import.meta.url));

type Command = "preview" | "up" | "refresh" | "destroy";
type Expectations = ReadonlyMap<string, ReadonlyMap<string, readonly RecordedCall[]>>;

let bed: ControlPlane;
let expectations: Expectations;

beforeAll(async () => {
  bed = await startControlPlane({ name: "conformance" });
  expectations = parseExpectations(await readFile(join(fixtures, "provider-expectations.jsonl"), "utf8"));
}, STEP_LIMIT_MS);

afterAll(async () => {
  await bed[Symbol.asyncDispose]();
}, STEP_LIMIT_MS);

describe("Twelve resources through create, update, replacement, drift and destroy", () => {
  let pulumi: Pulumi;
  beforeAll(async () => {
    pulumi = await createPulumi({
      directory: join(fixtures, "twelve-resources"),
      env: { PARENT_KUBECONFIG: bed.adminKubeconfig },
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
        await bed.admin.patch("/api/v1/namespaces/traced/configmaps/cm", { data: { a: "drifted" } });
        await bed.admin.delete("/api/v1/namespaces/traced/secrets/s");
      }
      const { calls } = await record(pulumi, command, { env: { STEP: value } });
      expectCalls(calls, step);
      if (step === "up-unchanged") await expectOutputs(pulumi);
    },
    STEP_LIMIT_MS,
  );
});

describe("Waiting, failing, holding on and letting go", () => {
  let pulumi: Pulumi;
  const controller = new AbortController();
  beforeAll(async () => {
    pulumi = await createPulumi({ directory: join(fixtures, "special-cases"), env: { PARENT_KUBECONFIG: bed.adminKubeconfig } });
  }, STEP_LIMIT_MS);
  afterAll(async () => {
    controller.abort();
    await pulumi[Symbol.asyncDispose]();
  });
  const up = (cases: string, options: OperationOptions = {}): ReturnType<typeof record> =>
    record(pulumi, "up", { ...options, env: { CASES: cases } });

  test(
    "A Deployment is waited for until its Pods are ready",
    async () => {
      const running = makePodReady("app=ready");
      const { calls } = await up("ready");
      await running;
      expectCalls(calls, "up-deployment-ready");
    },
    STEP_LIMIT_MS,
  );

  test(
    "A Deployment that never becomes ready fails after its timeout, says why, and stays in the state",
    async () => {
      const { calls, result } = await up("ready,stuck", { allowFailure: true });
      expectCalls(calls, "up-deployment-stuck");
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
        const toy = await bed.admin.get(path);
        return toy === undefined ? undefined : bed.admin.patch(`${path}/status`, { status: { phase: "Done" } });
      };
      const done = eventually("the Toy exists", finish, { timeoutMs: APPEAR_LIMIT_MS });
      const { calls } = await up("ready,waitfor");
      await done;
      expectCalls(calls, "up-wait-for");
    },
    STEP_LIMIT_MS,
  );

  test(
    "An object that exists already is an error, and nothing is adopted",
    async () => {
      const { calls } = await up("ready,waitfor,exists", { allowFailure: true });
      expectCalls(calls, "up-already-exists");
      expect(await stateNames(pulumi)).not.toContain("exists");
    },
    STEP_LIMIT_MS,
  );

  test(
    "A preview succeeds although the kubeconfig of a provider is not known yet",
    async () => {
      const { calls } = await record(pulumi, "preview", { env: { CASES: "ready,waitfor,unknown" } });
      expectCalls(calls, "preview-unknown-kubeconfig");
    },
    STEP_LIMIT_MS,
  );

  test(
    "An object held by a finalizer fails its deletion after the timeout and stays in the state",
    async () => {
      expectCalls((await up("ready,waitfor,finalizer")).calls, "up-finalizer");
      const { calls, result } = await up("ready,waitfor", { allowFailure: true });
      expectCalls(calls, "delete-held-by-finalizer");
      expect(result.text).toContain("finalizers might be preventing deletion (example.com/hold)");
      expect(await stateNames(pulumi)).toContain("held");
      await bed.admin.patch("/apis/example.com/v1/namespaces/traced2/toys/held", { metadata: { finalizers: null } });
    },
    STEP_LIMIT_MS,
  );

  test(
    "An APIService without a backend is neither waited for nor in the way of its own deletion",
    async () => {
      expectCalls((await up("ready,waitfor,apiservice")).calls, "up-apiservice");
      expectCalls((await up("ready,waitfor")).calls, "delete-apiservice");
    },
    STEP_LIMIT_MS,
  );

  test(
    "A definition is destroyed after its instances",
    async () => {
      const { calls } = await record(pulumi, "destroy", { env: { CASES: "ready,waitfor" } });
      expectCalls(calls, "destroy-crd-with-instances");
    },
    STEP_LIMIT_MS,
  );
});

/** Runs the operation and returns what the CLI and the provider said to each other. */
async function record(
  pulumi: Pulumi,
  command: Command,
  options: OperationOptions,
): Promise<{ calls: ReturnType<typeof parseRecordedCalls>; result: PulumiResult }> {
  recordings += 1;
  const grpcLog = join(bed.directory, `grpc-${String(recordings)}.jsonl`);
  const result = await pulumi[command]({ ...options, grpcLog });
  return { calls: parseRecordedCalls(await readFile(grpcLog, "utf8")), result };
}
let recordings = 0;

function expectCalls(calls: ReadonlyMap<string, readonly RecordedCall[]>, step: string): void {
  const expected = expectations.get(step);
  if (expected === undefined) throw new Error(`There are no expectations for ${step}`);
  const actual = Object.fromEntries([...expected.keys()].map((resource) => [resource, comparable(calls.get(resource) ?? [])]));
  expect(actual).toEqual(Object.fromEntries([...expected].map(([resource, list]) => [resource, comparable(list)])));
}

/** Stack and project are named differently in each recording. */
function comparable(calls: readonly RecordedCall[]): readonly RecordedCall[] {
  return calls.map(({ error, ...call }) => ({
    ...call,
    ...(error === undefined
      ? {}
      : {
          error: error
            .replaceAll("rpc error: code = Unknown desc = ", "")
            .replaceAll(/urn:pulumi:[^:]+::[^:]+::/g, "urn:pulumi:<stack>::<project>::"),
        }),
  }));
}

async function expectOutputs(pulumi: Pulumi): Promise<void> {
  expect(await pulumi.outputs()).toEqual({
    autoName: expect.stringMatching(/^auto-[0-9a-f]{8}$/),
    clusterIp: expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/),
    kubeSystemUid: expect.stringMatching(/^[0-9a-f-]{36}$/),
    toyUid: expect.stringMatching(/^[0-9a-f-]{36}$/),
  });
}

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
    async () => (await bed.admin.get<PodList>(`${pods}?labelSelector=${encodeURIComponent(selector)}`))?.items[0]?.metadata.name,
    { timeoutMs: APPEAR_LIMIT_MS },
  );
  const condition = (type: string): object => ({ type, status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" });
  const conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(condition);
  await bed.admin.patch(`${pods}/${name}/status`, { status: { phase: "Running", conditions } });
}

const Shape = z.object({ outputs: z.number(), paths: z.array(z.string()) });
const Expectation = z.object({
  step: z.string(),
  resource: z.string(),
  calls: z.array(z.looseObject({ method: z.string(), outputs: z.number().optional() })),
});

function parseExpectations(text: string): Expectations {
  const shapes = new Map<number, readonly string[]>();
  const steps = new Map<string, Map<string, readonly RecordedCall[]>>();
  for (const line of text.trimEnd().split("\n")) {
    const parsed = z.union([Shape, Expectation]).parse(JSON.parse(line));
    if ("paths" in parsed) shapes.set(parsed.outputs, parsed.paths);
    else {
      const resources = steps.get(parsed.step) ?? new Map<string, readonly RecordedCall[]>();
      const calls = parsed.calls.map(({ outputs, ...call }) => ({
        ...call,
        ...(outputs === undefined ? {} : { outputs: shapes.get(outputs) ?? [] }),
      }));
      steps.set(parsed.step, resources.set(parsed.resource, calls));
    }
  }
  return steps;
}
