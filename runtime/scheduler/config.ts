// The text of a configuration file -> SchedulerConfig. Every problem names the field, the cause and what is accepted. Pure.

import { parseDocument } from "yaml";
import { SchedulerConfig } from "#api/scheduler-config.ts";
import { toError } from "#std/errors.ts";

/** Far more than any fleet needs; a mistaken path must not fill the memory. */
const CONFIG_CHARACTERS_MAX = 1_000_000;
const PROBLEMS_SHOWN_MAX = 20;

/** A problem of one field. */
export interface ConfigProblem {
  /** `profiles[1].plugins.score.enabled[0].name` */
  readonly path: string;
  readonly message: string;
}

/** The configuration cannot be used: one line for each problem. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  constructor(file: string, problems: readonly ConfigProblem[], options?: ErrorOptions) {
    const lines = problems.slice(0, PROBLEMS_SHOWN_MAX).map(({ path, message }) => `${path}: ${message}`);
    super(`Cannot use the configuration ${file}:\n  ${lines.join("\n  ")}`, options);
  }
}

/** `file` is its name, for messages. */
export function parseConfig(text: string, file: string): SchedulerConfig {
  const whole = "(the file)";
  if (text.length > CONFIG_CHARACTERS_MAX) {
    const message = `Has ${String(text.length)} characters; at most ${String(CONFIG_CHARACTERS_MAX)} are read`;
    throw new ConfigError(file, [{ path: whole, message }]);
  }
  const document = parseDocument(text);
  const [syntax] = document.errors;
  if (syntax !== undefined) throw new ConfigError(file, [{ path: whole, message: `Is no YAML: ${syntax.message}` }]);
  const parsed = SchedulerConfig.safeParse(valueOf(document, file) ?? {});
  // YAML knows no undefined: a field is there or absent.
  if (parsed.success) return parsed.data as SchedulerConfig;
  const problems = parsed.error.issues.map(({ path, message }) => ({ path: pathText(path) || whole, message }));
  throw new ConfigError(file, problems);
}

/** Aliases are followed here: one that names nothing, or so many that they fill the memory. */
function valueOf(document: ReturnType<typeof parseDocument>, file: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    const message = `Has an alias that cannot be followed: ${toError(error).message}. Write out what *NAME stands for`;
    throw new ConfigError(file, [{ path: "(the file)", message }], { cause: error });
  }
}

function pathText(path: readonly PropertyKey[]): string {
  const text = path.map((part) => (typeof part === "number" ? `[${String(part)}]` : `.${String(part)}`)).join("");
  return text.replace(/^\./, "");
}
