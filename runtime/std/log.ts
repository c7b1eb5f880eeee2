// The logger (pino) as we use it: `log.info("base.changed", { namespace, reason })`. One JSON object a line on stdout.
//
// The first argument is a stable, dotted event name; everything else is a field. Secrets never get this far: values under the
// names below are replaced, as a second line of defence.

import { pino, type DestinationStream, type Logger as PinoLogger } from "pino";
import { errorChain, toError } from "#std/errors.ts";

export type LogFields = Readonly<Record<string, unknown>>;
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

export interface Logger {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** A logger that adds these fields to every line. */
  with(fields: LogFields): Logger;
}

const SECRET_FIELDS: ReadonlySet<string> = new Set(["token", "password", "authorization", "privateKey", "secret", "kubeconfig"]);
const CENSORED = "[secret]";

export interface LogOptions {
  readonly component: string;
  readonly version?: string;
  readonly level?: LogLevel;
  readonly destination?: DestinationStream;
}

export function createLogger({ component, version, level = "info", destination }: LogOptions): Logger {
  const base = pino<string>(
    {
      level,
      base: version === undefined ? { component } : { component, version },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      messageKey: "event",
    },
    destination ?? pino.destination({ dest: 1, sync: true }),
  );
  return wrap(base);
}

export const silentLogger: Logger = wrap(pino<string>({ level: "silent" }));

type Pino = PinoLogger<string>;

function wrap(logger: Pino): Logger {
  const line =
    (level: "debug" | "info" | "warn" | "error") =>
    (event: string, fields: LogFields = {}): void => {
      logger[level](printable(fields), event);
    };
  return {
    debug: line("debug"),
    info: line("info"),
    warn: line("warn"),
    error: line("error"),
    with: (fields) => wrap(logger.child(printable(fields))),
  };
}

/** Errors become their chain of messages; the stack stays with unexpected ones, under `stack`. */
function printable(fields: LogFields): Record<string, unknown> {
  const clean = withoutSecrets(fields);
  if (!("error" in clean)) return clean;
  const error = clean["error"];
  const isBug = error instanceof TypeError || error instanceof ReferenceError || toError(error).message.startsWith("Bug:");
  return { ...clean, error: errorChain(error), ...(isBug ? { stack: toError(error).stack } : {}) };
}

/**
 * Looks at the fields and one level below. Done here and not by pino's `redact`, which allocates so much for every line that a hub
 * with one line a request needed twice its memory.
 */
function withoutSecrets(fields: LogFields): LogFields {
  let clean: Record<string, unknown> | undefined;
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    const printed =
      SECRET_FIELDS.has(name) && value !== undefined ? CENSORED : isFields(value) ? withoutOwnSecrets(value) : value;
    if (printed === value) continue;
    clean ??= { ...fields };
    clean[name] = printed;
  }
  return clean ?? fields;
}

function withoutOwnSecrets(fields: LogFields): LogFields {
  if (!Object.keys(fields).some((name) => SECRET_FIELDS.has(name))) return fields;
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, SECRET_FIELDS.has(name) ? CENSORED : value]));
}

function isFields(value: unknown): value is LogFields {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Error);
}
