// What the CLI recorded of its talk with a provider (PULUMI_DEBUG_GRPC) → per resource, the calls in order, without what differs from
// run to run. Pure.

import * as z from "zod";

/** Full record of a call on one resource, condensed. Absent fields mean: nothing of the kind. */
export interface RecordedCall {
  readonly method: string;
  /** Diff: what the provider said. */
  readonly changes?: string;
  readonly detailedDiff?: Readonly<Record<string, string>>;
  readonly replaces?: readonly string[];
  readonly deleteBeforeReplace?: true;
  /** Check and Read: the inputs that go into the state. Secrets as "[secret]". */
  readonly inputs?: unknown;
  readonly id?: string;
  /** The paths that a program can see in the outputs; `status` and `managedFields` as a whole. */
  readonly outputs?: readonly string[];
  readonly error?: string;
}

export type CallsByResource = ReadonlyMap<string, readonly RecordedCall[]>;

const METHODS = new Set(["Check", "Diff", "DiffConfig", "Create", "Read", "Update", "Delete"]);
/** Marks a secret on the wire. */
const SIGNATURE_KEY = "4dabf18193072939515e22adb298388d";
/** Whether controllers have got to these yet is a matter of milliseconds. */
const TIMING_DEPENDENT = new Set(["deployment.kubernetes.io/revision"]);
const OPAQUE = new Set(["status", "managedFields"]);

const Line = z.object({
  method: z.string(),
  progress: z.string().optional(),
  request: z.looseObject({ name: z.string().optional() }).nullish(),
  response: z
    .looseObject({
      id: z.string().optional(),
      inputs: z.unknown().optional(),
      properties: z.unknown().optional(),
      changes: z.string().optional(),
      replaces: z.array(z.string()).optional(),
      deleteBeforeReplace: z.boolean().optional(),
      detailedDiff: z.record(z.string(), z.looseObject({ kind: z.string().optional() })).optional(),
    })
    .nullish(),
  errors: z.array(z.string()).nullish(),
});
type Line = z.infer<typeof Line>;

export function parseRecordedCalls(log: string): CallsByResource {
  const calls = new Map<string, RecordedCall[]>();
  for (const text of log.split("\n")) {
    if (text.trim() === "") continue;
    const line = Line.parse(JSON.parse(text));
    if (line.progress === "request_started" || line.method.startsWith("/pulumirpc.LanguageRuntime/")) continue;
    const method = line.method.slice(line.method.lastIndexOf("/") + 1);
    const name = line.request?.name;
    if (!METHODS.has(method) || name === undefined) continue;
    const sameResource = calls.get(name) ?? [];
    sameResource.push(condense(method, line));
    calls.set(name, sameResource);
  }
  return calls;
}

function condense(method: string, { response, errors }: Line): RecordedCall {
  const { changes, replaces, deleteBeforeReplace, detailedDiff, inputs, properties, id } = response ?? {};
  // The engine leaves out the first member of an enumeration.
  const kinds = Object.entries(detailedDiff ?? {}).map(([path, { kind = "ADD" }]) => [path, kind] as const);
  return {
    method,
    ...(changes === undefined ? {} : { changes }),
    ...(kinds.length === 0 ? {} : { detailedDiff: Object.fromEntries(kinds.sort()) }),
    ...(replaces === undefined || replaces.length === 0 ? {} : { replaces: replaces.toSorted() }),
    ...(deleteBeforeReplace === true ? { deleteBeforeReplace } : {}),
    ...(inputs === undefined || method === "DiffConfig" ? {} : { inputs: settled(inputs) }),
    ...(id === undefined || id === "" ? {} : { id: withoutSuffix(id) }),
    ...(properties === undefined || properties === null ? {} : { outputs: pathsOf(properties, "").toSorted() }),
    ...(errors === undefined || errors === null ? {} : { error: errors.join("\n") }),
  };
}

/** Generated suffixes of names → "*", secrets → "[secret]". */
function settled(value: unknown): unknown {
  if (typeof value === "string") return withoutSuffix(value);
  if (Array.isArray(value)) return value.map(settled);
  if (typeof value !== "object" || value === null) return value;
  if (SIGNATURE_KEY in value) return "[secret]";
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, settled(field)]));
}

function withoutSuffix(text: string): string {
  return text.replace(/-[0-9a-f]{8}$/, "-*");
}

function pathsOf(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return [...new Set(value.flatMap((item) => pathsOf(item, `${path}[]`)))];
  if (typeof value !== "object" || value === null) return [path];
  if (SIGNATURE_KEY in value) return [`${path} (secret)`];
  const fields = Object.entries(value).filter(([name]) => !TIMING_DEPENDENT.has(name));
  if (fields.length === 0) return [path];
  return fields.flatMap(([name, field]) => {
    const below = path === "" ? name : `${path}.${name}`;
    return OPAQUE.has(name) ? [below] : pathsOf(field, below);
  });
}
