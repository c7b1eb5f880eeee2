// Runs a piece of program against Pulumi's mocks and records every resource as it is registered.

import * as pulumi from "@pulumi/pulumi";
import { MockMonitor } from "@pulumi/pulumi/runtime/mocks.js";

export interface Recorded {
  readonly urn: string;
  readonly type: string;
  readonly name: string;
  /** Secrets unwrapped. */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** As the engine sees them, without what is marked secret. */
  readonly plainInputs: unknown;
  /** Top-level inputs that are secret, or hold a secret. */
  readonly secretInputs: readonly string[];
  /** Name of the provider, with its package and id around it; empty: the ambient default. */
  readonly provider: string;
  readonly parent: string;
  readonly dependsOn: readonly string[];
  /** Direct and indirect dependencies. */
  readonly dependsOnAll: ReadonlySet<string>;
  readonly retainOnDelete: boolean;
}

/** The marker of the Pulumi wire format for secrets. */
const SIGNATURE_KEY = "4dabf18193072939515e22adb298388d";

interface RegisterRequest {
  getType(): string;
  getName(): string;
  getParent(): string;
  getProvider(): string;
  getDependenciesList(): string[];
  getRetainondelete(): boolean | undefined;
  getObject(): { toJavaScript(): Record<string, unknown> } | undefined;
}

export async function recordResources(program: () => unknown, { preview = false } = {}): Promise<Recorded[]> {
  const recorded: Omit<Recorded, "dependsOnAll">[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource: ({ name, type, inputs }) => ({ id: `${name}-id`, state: stateOf(type, inputs as Record<string, unknown>) }),
      call: ({ inputs }) => inputs as Record<string, unknown>,
    },
    "project",
    "stack",
    preview,
  );
  const original = Reflect.get(MockMonitor.prototype, "registerResource") as (
    request: RegisterRequest,
    callback: Callback,
  ) => unknown;
  const record = function (this: unknown, request: RegisterRequest, callback: Callback): unknown {
    return original.call(this, request, (error, response) => {
      if (response !== undefined) recorded.push(recordedOf(request, response.getUrn()));
      callback(error, response);
    });
  };
  Reflect.set(MockMonitor.prototype, "registerResource", record);
  const { stackTraceLimit } = Error;
  // Pulumi keeps the stack of every promise, and Jest looks each line of it up: half of the time that this takes.
  Error.stackTraceLimit = 1;
  try {
    await program();
    await settle(recorded);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    Reflect.set(MockMonitor.prototype, "registerResource", original);
  }
  return recorded.map((resource) => ({ ...resource, dependsOnAll: closure(resource.urn, recorded) }));
}

/** Nobody reads a definition's schemas from its outputs, and to encode them once more takes long. */
function stateOf(type: string, { spec, ...others }: Record<string, unknown>): Record<string, unknown> {
  return type.endsWith(":CustomResourceDefinition") || spec === undefined ? others : { ...others, spec };
}

type Callback = (error: unknown, response: { getUrn(): string } | undefined) => void;

function recordedOf(request: RegisterRequest, urn: string): Omit<Recorded, "dependsOnAll"> {
  const raw = request.getObject()?.toJavaScript() ?? {};
  return {
    urn,
    type: request.getType(),
    name: request.getName(),
    parent: request.getParent(),
    provider: request.getProvider(),
    inputs: unwrap(raw) as Record<string, unknown>,
    plainInputs: unwrap(raw, "[secret]"),
    secretInputs: Object.keys(raw).filter((key) => JSON.stringify(raw[key]).includes(SIGNATURE_KEY)),
    dependsOn: [...request.getDependenciesList()],
    retainOnDelete: request.getRetainondelete() === true,
  };
}

function unwrap(value: unknown, secretsAs?: string): unknown {
  if (Array.isArray(value)) return value.map((item) => unwrap(item, secretsAs));
  if (typeof value !== "object" || value === null) return value;
  if (SIGNATURE_KEY in value && "value" in value) return secretsAs ?? unwrap(value.value, secretsAs);
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, unwrap(member, secretsAs)]));
}

/** Registration is asynchronous and Pulumi offers no event for its end: done when nothing was registered for some turns. */
async function settle(recorded: readonly unknown[]): Promise<void> {
  await pulumi.runtime.disconnect();
  for (let quietTurns = 0, seen = -1; quietTurns < 20; quietTurns += 1) {
    if (recorded.length !== seen) quietTurns = 0;
    seen = recorded.length;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function closure(urn: string, resources: readonly Omit<Recorded, "dependsOnAll">[]): ReadonlySet<string> {
  const byUrn = new Map(resources.map((resource) => [resource.urn, resource]));
  const found = new Set<string>();
  const visit = (current: string): void => {
    for (const next of byUrn.get(current)?.dependsOn ?? []) {
      if (found.has(next)) continue;
      found.add(next);
      visit(next);
    }
  };
  visit(urn);
  return found;
}
