// A component's outermost frame: environment and arguments in, SIGTERM and SIGINT -> AbortSignal, an error -> one log line and exit code 1.

import { parseArgs } from "node:util";
import { realClock, type Clock } from "#std/clock.ts";
import { createLogger, type Logger, type LogLevel } from "#std/log.ts";

export interface ProcessContext {
  /** Aborts on SIGTERM or SIGINT. A second signal ends the process at once. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The arguments after the script's own name. */
  readonly argv: readonly string[];
}

export async function runProcess(
  { component, version }: { readonly component: string; readonly version: string },
  run: (context: ProcessContext) => Promise<void>,
): Promise<void> {
  const argv = process.argv.slice(2);
  const log = createLogger({ component, version, level: levelOf(argv) });
  const controller = new AbortController();
  const stop = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(130);
    log.info("process.stopping", { signal: name });
    controller.abort(new Error(`Received ${name}`));
  };
  process.on("SIGTERM", stop).on("SIGINT", stop);
  process.on("unhandledRejection", (error) => {
    log.error("process.unhandled-rejection", { error });
    process.exit(1);
  });
  try {
    await run({ signal: controller.signal, log, clock: realClock, env: process.env, argv });
    process.exit(0);
  } catch (error) {
    if (controller.signal.aborted && error === controller.signal.reason) process.exit(0);
    log.error("process.failed", { error });
    process.exit(1);
  }
}

/** `--log-level LEVEL` is understood before the options are parsed, so that a bad option is logged like everything else. */
function levelOf(argv: readonly string[]): LogLevel {
  const { values } = parseArgs({ args: [...argv], strict: false, options: { "log-level": { type: "string" } } });
  const level = values["log-level"];
  return level === "debug" || level === "warn" || level === "error" || level === "silent" ? level : "info";
}
