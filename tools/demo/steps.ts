// Runs the demo's steps in order: one line each with its time, a failing one with the hop that failed and where its log is.

import { errorChain } from "#std/errors.ts";

export interface Step<TContext> {
  /** What is true when the step has succeeded. */
  readonly name: string;
  /** Returns what was seen, in a few words. */
  run(context: TContext, signal: AbortSignal): Promise<string>;
}

export interface StepResult {
  readonly name: string;
  readonly ok: boolean;
  readonly seconds: number;
  readonly detail: string;
}

export interface DemoReport {
  readonly ok: boolean;
  readonly seconds: number;
  readonly steps: readonly StepResult[];
}

/** A step failed at a known hop of the path between the user and the child. */
export class HopError extends Error {
  override readonly name = "HopError";
  readonly hop: string;
  readonly logFile: string | undefined;

  constructor(hop: string, { logFile, cause }: { readonly logFile?: string | undefined; readonly cause: unknown }) {
    super(`${hop}: ${errorChain(cause)}`, { cause });
    this.hop = hop;
    this.logFile = logFile;
  }
}

/** Runs `work`; whatever it throws names this hop. */
export async function atHop<T>(hop: string, work: () => Promise<T>, logFile?: string): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof HopError) throw error;
    throw new HopError(hop, { logFile, cause: error });
  }
}

/** Stops at the first step that fails: what follows builds on it. */
export async function runSteps<TContext>(
  steps: readonly Step<TContext>[],
  { context, print }: { readonly context: TContext; readonly print: (line: string) => void },
  signal: AbortSignal,
): Promise<DemoReport> {
  const startedAt = performance.now();
  const results: StepResult[] = [];
  for (const step of steps) {
    if (signal.aborted) break;
    const result = await runStep(step, context, signal);
    results.push(result);
    print(
      `${result.ok ? "✓" : "✗"} ${result.seconds.toFixed(1).padStart(5)} s  ${step.name}${result.detail === "" ? "" : `\n            ${result.detail}`}`,
    );
    if (!result.ok) break;
  }
  const ok = !signal.aborted && results.length === steps.length && results.every((result) => result.ok);
  return { ok, seconds: secondsSince(startedAt), steps: results };
}

async function runStep<TContext>(step: Step<TContext>, context: TContext, signal: AbortSignal): Promise<StepResult> {
  const startedAt = performance.now();
  try {
    const detail = await step.run(context, signal);
    return { name: step.name, ok: true, seconds: secondsSince(startedAt), detail };
  } catch (error) {
    const log = error instanceof HopError && error.logFile !== undefined ? `\n            log: ${error.logFile}` : "";
    return { name: step.name, ok: false, seconds: secondsSince(startedAt), detail: `${errorChain(error)}${log}` };
  }
}

function secondsSince(startedAt: number): number {
  return Math.round((performance.now() - startedAt) / 100) / 10;
}
