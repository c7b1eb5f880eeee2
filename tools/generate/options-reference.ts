// docs/reference/options.md: every flag of every component, from the schemas that parse them.

import * as z from "zod";
import { agentOptionsSchema } from "#agent/options.ts";
import { integrationOptionsSchema } from "#cluster-api-integration/options.ts";
import { controllerManagerCommand } from "#controller-manager/options.ts";
import { hubCommand } from "#hub/options.ts";
import { schedulerCommand } from "#scheduler/options.ts";
import { flagName } from "#std/options.ts";
import { code, GENERATED_MARKDOWN, table } from "./markdown.ts";

interface Component {
  readonly name: string;
  readonly schema: z.ZodObject;
}

const components: readonly Component[] = [
  hubCommand,
  { name: "agent", schema: agentOptionsSchema },
  schedulerCommand,
  controllerManagerCommand,
  { name: "cluster-api-integration", schema: integrationOptionsSchema },
];

export function optionsReference(): ReadonlyMap<string, string> {
  const text = [
    GENERATED_MARKDOWN,
    "",
    "# Options of the components",
    "",
    "The image's first argument is the component: `hub --secure-port=8443`. A flag wins over its variable. Durations are Go's: `3m0s`,",
    "`500ms`. Lists are separated by commas, or the flag is repeated. `--help` prints the same.",
    "",
    components.map(section).join("\n\n"),
  ].join("\n");
  return new Map([["docs/reference/options.md", `${text}\n`]]);
}

function section({ name, schema }: Component): string {
  const rows = Object.entries(schema.shape).map(([key, member]) => row(key, member as z.ZodType));
  return `## ${name}\n\n${table(["flag", "variable", "default", "accepts", "meaning"], rows)}`;
}

function row(key: string, member: z.ZodType): string[] {
  const json = z.toJSONSchema(member, { io: "input", unrepresentable: "any" });
  const variable = member.meta()?.["env"];
  return [
    code(flagName(key)),
    code(typeof variable === "string" ? variable : ""),
    defaultText(member, json.default),
    accepted(json),
    member.description ?? "",
  ];
}

/** Where the schema cannot say its default, because it makes something else of the text, parsing nothing does. */
function defaultText(member: z.ZodType, declared: unknown): string {
  const parsed = member.safeParse(undefined);
  if (!parsed.success) return "required";
  const value = declared ?? parsed.data;
  return Array.isArray(value) ? "" : code(String(value));
}

function accepted(json: z.core.JSONSchema.BaseSchema): string {
  if (json.enum !== undefined) return json.enum.map((value) => code(String(value))).join(", ");
  const { minimum, maximum } = json;
  if (minimum !== undefined && maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER) return `${minimum} to ${maximum}`;
  return minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER ? "" : `≥ ${minimum}`;
}
