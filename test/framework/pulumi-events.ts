// The CLI's event log (one JSON object a line) → what happened to which resource, the change summary and the diagnostics. Pure.

import * as z from "zod";

/** "same", "create", "update", "replace", "create-replacement", "delete-replaced", "delete", "read", "refresh", … */
export type ResourceOperation = string;

export interface ResourceStep {
  readonly operation: ResourceOperation;
  readonly urn: string;
  readonly type: string;
  /** The name in the program. */
  readonly name: string;
  /** Paths that differ, as the provider reported them: path → kind ("add", "update-replace", …). */
  readonly detailedDiff: Readonly<Record<string, string>>;
  readonly failed: boolean;
}

export interface Diagnostic {
  readonly severity: string;
  readonly message: string;
  /** Of the resource it is about; empty for the whole operation. */
  readonly urn: string;
}

export interface PulumiReport {
  /** How many resources had which operation; from the summary. Empty when the operation ended before it. */
  readonly changes: Readonly<Record<ResourceOperation, number>>;
  readonly steps: readonly ResourceStep[];
  /** Without status lines, debug messages (which would show secrets) and the CLI's remarks on where it found its plugins. */
  readonly diagnostics: readonly Diagnostic[];
}

const Metadata = z.object({
  op: z.string(),
  urn: z.string(),
  type: z.string(),
  detailedDiff: z.record(z.string(), z.object({ diffKind: z.string() }).loose()).nullish(),
});
const StepEvent = z.object({ metadata: Metadata });
const DiagnosticEvent = z.object({
  urn: z.string().optional(),
  message: z.string(),
  severity: z.string(),
  ephemeral: z.boolean().optional(),
});
const EngineEvent = z.object({
  resourcePreEvent: StepEvent.optional(),
  resOutputsEvent: StepEvent.optional(),
  resOpFailedEvent: StepEvent.optional(),
  diagnosticEvent: DiagnosticEvent.optional(),
  summaryEvent: z.object({ resourceChanges: z.record(z.string(), z.number()).nullish() }).optional(),
});

const ABOUT_PLUGINS = /using pulumi-[a-z-]+ from \$PATH/;

export function parsePulumiEvents(log: string): PulumiReport {
  const steps = new Map<string, ResourceStep>();
  const diagnostics: Diagnostic[] = [];
  let changes: Record<string, number> = {};
  for (const line of log.split("\n")) {
    if (line.trim() === "") continue;
    const event = EngineEvent.parse(JSON.parse(line));
    const step = event.resourcePreEvent ?? event.resOutputsEvent ?? event.resOpFailedEvent;
    if (step !== undefined) {
      const parsed = stepOf(step.metadata, { failed: event.resOpFailedEvent !== undefined });
      steps.set(`${parsed.operation} ${parsed.urn}`, parsed);
    }
    if (event.diagnosticEvent !== undefined && event.diagnosticEvent.ephemeral !== true) {
      const { severity, message, urn = "" } = event.diagnosticEvent;
      if (severity === "debug" || ABOUT_PLUGINS.test(message)) continue;
      diagnostics.push({ severity, message: message.replaceAll(/<\{%[^%]*%\}>/g, "").trimEnd(), urn });
    }
    if (event.summaryEvent !== undefined) changes = event.summaryEvent.resourceChanges ?? {};
  }
  return { changes, steps: [...steps.values()], diagnostics };
}

function stepOf(
  { op, urn, type, detailedDiff }: z.infer<typeof Metadata>,
  { failed }: { readonly failed: boolean },
): ResourceStep {
  const kinds = Object.entries(detailedDiff ?? {}).map(([path, { diffKind }]) => [path, diffKind] as const);
  return { operation: op, urn, type, name: urn.split("::").at(-1) ?? "", detailedDiff: Object.fromEntries(kinds), failed };
}
