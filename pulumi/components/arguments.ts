// Checks a component's arguments where they enter: every error names the component, the argument's path, the cause and the fix.

import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";

/** A value that may not be known yet (an Output or a Promise) passes; anything else must satisfy `schema`. */
export function known<TSchema extends z.ZodType>(schema: TSchema): z.ZodType<pulumi.Input<z.output<TSchema>>> {
  return z.custom<pulumi.Input<z.output<TSchema>>>().superRefine((value, context) => {
    if (pulumi.Output.isInstance(value) || value instanceof Promise) return;
    const parsed = schema.safeParse(value);
    if (!parsed.success)
      for (const issue of parsed.error.issues) context.addIssue({ ...issue, code: "custom", path: issue.path });
  });
}

/** @throws pulumi.RunError, which Pulumi shows without a stack trace. */
export function checkArguments(component: string, schema: z.ZodType, args: unknown): void {
  const parsed = schema.safeParse(args);
  if (parsed.success) return;
  const lines = parsed.error.issues.map((issue) => `  ${pathText(issue.path)}: ${issue.message}`);
  throw new pulumi.RunError(`${component} has arguments that cannot work:\n${lines.join("\n")}`);
}

/** `children[1].name` */
export function pathText(path: readonly PropertyKey[]): string {
  const text = path.map((part) => (typeof part === "number" ? `[${String(part)}]` : `.${String(part)}`)).join("");
  return text.replace(/^\./, "") || "(the arguments)";
}

type Defined<T> = { [TKey in keyof T]: Exclude<T[TKey], undefined> };

/** An argument that is absent, rather than one that is undefined: what the next component's check expects. */
export function withoutUndefined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Defined<T>;
}

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

export const dnsLabel = (lengthMax: number): z.ZodString =>
  z
    .string()
    .min(1, "Must not be empty")
    .max(lengthMax, `Must have at most ${String(lengthMax)} characters`)
    .regex(DNS_LABEL, "Must consist of lower-case letters, digits and dashes, and begin and end with a letter or digit");

const NAMESPACE_LENGTH_MAX = 63;
export const namespaceName = dnsLabel(NAMESPACE_LENGTH_MAX);

/** What every component of ours may be told about its Deployment. */
export const componentArgumentsShape = {
  namespace: namespaceName.optional(),
  image: z.string().min(1, "Must be an image reference, not empty").optional(),
  imagePullPolicy: z.enum(["Always", "IfNotPresent", "Never"]).optional(),
  replicas: z.int().min(1, "Must be at least 1: to stop a component, remove it").optional(),
  logLevel: z.enum(["debug", "info", "warn", "error"]).optional(),
  resources: z.custom<object>().optional(),
  extraArgs: z.array(z.string().startsWith("--", "Must be a flag such as --name=value")).optional(),
} as const;
