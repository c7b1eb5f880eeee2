// Flags and environment -> typed options, from one zod object: `securePort: z.coerce.number().describe("…")` is the flag
// `--secure-port`, its help text, its check and its line in docs/reference/options.md. The one home of commander.

import { Command, CommanderError, Option } from "commander";
import * as z from "zod";

export interface CommandShape<TSchema extends z.ZodObject = z.ZodObject> {
  /** The component, as typed after the image's name: `hub`. */
  readonly name: string;
  readonly description: string;
  readonly version: string;
  /** Every member needs a description. `.meta({ env: "PARENT_URL" })` names the variable that is used when the flag is absent. */
  readonly schema: TSchema;
}

/** Bad flags or variables: one message with a line for each, naming the flag, the cause and what is accepted. */
export class OptionsError extends Error {
  override readonly name = "OptionsError";
}

export type Environment = Readonly<Record<string, string | undefined>>;

export function parseOptions<TSchema extends z.ZodObject>(
  shape: CommandShape<TSchema>,
  argv: readonly string[],
  env: Environment,
): z.output<TSchema> {
  const given = readFlags(shape, argv);
  const raw = Object.fromEntries(
    Object.entries(shape.schema.shape).flatMap(([key, member]) => {
      const value = given[key] ?? environmentValue(member as z.ZodType, env);
      return value === undefined ? [] : [[key, value]];
    }),
  );
  const parsed = shape.schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map(
    (issue) => `${flagName(String(issue.path[0] ?? "?"))}: ${issue.message}${sawValue(raw, issue)}`,
  );
  throw new OptionsError(`Cannot start ${shape.name}:\n  ${lines.join("\n  ")}\nSee ${shape.name} --help`);
}

/** `true`, `false`, or a flag without a value. */
export function booleanOption(fallback: boolean): z.ZodType<boolean> {
  return z
    .union([z.boolean(), z.enum(["true", "false"]).transform((text) => text === "true")], { error: "Expected true or false" })
    .default(fallback);
}

/** A Go duration (`3m0s`, `20s`, `500ms`) in milliseconds. */
export const duration: z.ZodType<number> = z.string().transform(toMilliseconds);

/** The same of an option that need not be given. */
export function durationOption(fallback: string): z.ZodType<number> {
  return z.string().default(fallback).transform(toMilliseconds);
}

/** A flag that may be repeated, or hold several values separated by commas. */
export function listOption(fallback: readonly string[] = []): z.ZodType<string[]> {
  return z
    .union([z.string(), z.array(z.string())])
    .default([...fallback])
    .transform((value) =>
      (Array.isArray(value) ? value : [value]).flatMap((text) => text.split(",")).filter((text) => text !== ""),
    );
}

export function flagName(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

function toMilliseconds(text: string, context: z.RefinementCtx): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join("") !== text) {
    context.addIssue({ code: "custom", message: `Expected a duration such as 20s or 3m0s, got ${JSON.stringify(text)}` });
    return z.NEVER;
  }
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNIT_MS[unit ?? ""] ?? 0), 0);
}

function readFlags(shape: CommandShape, argv: readonly string[]): Record<string, unknown> {
  const command = new Command(shape.name).description(shape.description).version(shape.version, "--version");
  command
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .allowExcessArguments(false);
  for (const [key, member] of Object.entries(shape.schema.shape)) {
    const option = new Option(`${flagName(key)} [value]`, (member as z.ZodType).description ?? "");
    option.argParser((value: string, previous: string | readonly string[] | undefined) =>
      previous === undefined ? value : [previous, value].flat(),
    );
    command.addOption(option);
  }
  try {
    return command.parse([...argv], { from: "user" }).opts();
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) process.exit(0);
    throw new OptionsError(`Cannot start ${shape.name}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

function environmentValue(member: z.ZodType, env: Environment): string | undefined {
  const name = member.meta()?.["env"];
  const value = typeof name === "string" ? env[name] : undefined;
  return value === "" ? undefined : value;
}

function sawValue(raw: Record<string, unknown>, issue: z.core.$ZodIssue): string {
  const value = raw[String(issue.path[0])];
  // A value that may be a credential is never repeated.
  if (value === undefined || /token|secret|password|key/i.test(String(issue.path[0]))) return "";
  return issue.message.includes(JSON.stringify(value)) ? "" : ` (got ${JSON.stringify(value)})`;
}
