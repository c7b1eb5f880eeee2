// The record of the official Kubernetes provider, and how what a provider did is compared with it.
//
// fixtures/provider-expectations.jsonl is the condensed record of the official provider (4.32) under CLI 3.250: for two programs and
// twenty operations, which calls each resource got, what Diff said, which inputs and outputs a program could see, and which errors.
// With the official provider installed, the tests that use this check the record itself.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "@jest/globals";
import * as z from "zod";
import { startControlPlane, type ControlPlane } from "#test/framework/control-plane.ts";
import { parseRecordedCalls, type RecordedCall } from "#test/framework/pulumi-stand-ins/recorded-calls.ts";
import type { OperationOptions, Pulumi, PulumiResult } from "#test/framework/pulumi.ts";

/** An operation takes seconds; a machine that runs many control planes at once takes minutes. */
export const STEP_LIMIT_MS = 300_000;
const fixtures = fileURLToPath(new URL("fixtures/", import.meta.url));

export type Command = "preview" | "up" | "refresh" | "destroy";
type Calls = ReadonlyMap<string, readonly RecordedCall[]>;
type Expectations = ReadonlyMap<string, Calls>;

export interface ConformanceBed extends AsyncDisposable {
  readonly controlPlane: ControlPlane;
  /** Runs the operation and returns what the CLI and the provider said to each other. */
  record(
    pulumi: Pulumi,
    command: Command,
    options: OperationOptions,
  ): Promise<{ readonly calls: Calls; readonly result: PulumiResult }>;
  expectCalls(calls: Calls, step: string): void;
}

export function fixture(name: string): string {
  return join(fixtures, name);
}

export async function startConformanceBed(): Promise<ConformanceBed> {
  const expectations = parseExpectations(await readFile(fixture("provider-expectations.jsonl"), "utf8"));
  const controlPlane = await startControlPlane({ name: "conformance" });
  let recordings = 0;
  return {
    controlPlane,
    record: async (pulumi, command, options) => {
      recordings += 1;
      const grpcLog = join(controlPlane.directory, `grpc-${String(recordings)}.jsonl`);
      const result = await pulumi[command]({ ...options, grpcLog });
      return { calls: parseRecordedCalls(await readFile(grpcLog, "utf8")), result };
    },
    expectCalls: (calls, step) => {
      const expected = expectations.get(step);
      if (expected === undefined) throw new Error(`There are no expectations for ${step}`);
      const actual = Object.fromEntries(
        [...expected.keys()].map((resource) => [resource, comparable(calls.get(resource) ?? [])]),
      );
      expect(actual).toEqual(Object.fromEntries([...expected].map(([resource, list]) => [resource, comparable(list)])));
    },
    [Symbol.asyncDispose]: () => controlPlane[Symbol.asyncDispose](),
  };
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
