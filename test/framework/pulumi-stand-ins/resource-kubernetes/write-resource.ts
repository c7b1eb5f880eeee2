// Create and Update: a POST, later server-side apply under a manager of the object's own; previews are dry runs.

import { realClock } from "#std/clock.ts";
import { toError } from "#std/errors.ts";
import { AwaitError, awaitReady } from "./await-ready.ts";
import { checkpointState, fieldManagerOf, parseState, type Checkpoint } from "./checkpoint.ts";
import { ClusterError, type ApplyOptions, type ObjectAddress } from "./cluster.ts";
import { CREATE_MANAGER, takeOverPatch, wasWrittenByCreate } from "./field-managers.ts";
import { withIgnoredLiveValues } from "./ignore-changes.ts";
import { InitFailedError } from "./init-failed.ts";
import {
  annotation,
  idOf,
  isCustomResourceDefinition,
  kindOf,
  nameOf,
  namespaceOf,
  normalize,
  stringField,
  withMetadata,
} from "./kubernetes-object.ts";
import { isPatchResource, type ProviderContext } from "./provider-context.ts";
import { hasUnknown, toKubernetes, type JsonObject } from "./property-values.ts";

export interface Written {
  /** Empty in a preview. */
  readonly id: string;
  readonly properties: JsonObject;
}

export interface CreateInput {
  readonly urn: string;
  readonly type: string;
  readonly properties: JsonObject;
  readonly timeoutSeconds: number;
  readonly preview: boolean;
}

export interface UpdateInput {
  readonly urn: string;
  readonly type: string;
  readonly olds: JsonObject;
  readonly news: JsonObject;
  readonly timeoutSeconds: number;
  readonly preview: boolean;
  readonly ignoreChanges: readonly string[];
}

const ALREADY_EXISTS_HELP = `The resource already exists in the cluster. This can happen when:

  - Renaming a Pulumi resource: use an alias to preserve the identity,
    or use deleteBeforeReplace if the resource needs replacement.
  - Managing an existing resource: use a Patch resource (e.g. NamespacePatch)
    to manage specific fields without owning the resource lifecycle.
  - Adopting a resource into Pulumi: use \`pulumi import\`. Note that
    protected resources (e.g. kube-system) cannot be deleted on destroy.
  - Intentional upsert: set upsertExistingObjects on the provider to allow
    server-side apply to update existing objects on create.`;

/** A kind may be unknown because its definition was created a moment ago. */
const CREATE_RETRY_SLEEPS_MS = [1_000, 2_000, 4_000, 8_000, 16_000];

export async function createResource(context: ProviderContext, input: CreateInput): Promise<Written> {
  const { urn, properties, preview } = input;
  const plain = toKubernetes(properties);
  const inputs = hasUnknown(plain) ? plain : normalize(plain);
  const echo: Written = { id: "", properties };
  const isPatch = isPatchResource(input.type, stringField(inputs, "kind"));
  if (preview && (isPatch || !(await canPreview(context, inputs)))) return echo;
  requireReachable(context);
  const fieldManager = fieldManagerOf(inputs, "");
  let live: JsonObject;
  try {
    live = await createWithRetries(context, { inputs, fieldManager, isPatch, preview, urn });
  } catch (error) {
    if (preview && isPreviewObstacle(error)) return echo;
    throw creationError(urn, error);
  }
  const checkpoint = (state: JsonObject): Checkpoint => ({
    inputs,
    live: state,
    initialApiVersion: stringField(inputs, "apiVersion"),
    fieldManager,
  });
  if (preview) return { id: "", properties: checkpointState(checkpoint(withoutStatus(live)), properties) };
  try {
    live = await awaitReady(context, live, { urn, inputs, address: addressOf(live), timeoutSeconds: input.timeoutSeconds });
  } catch (error) {
    const what = `resource "${urn}" was successfully created, but the Kubernetes API server reported that it failed to fully initialize or become live`;
    throw initFailed(error, { what, id: idOf(live), live, state: (known) => checkpointState(checkpoint(known), properties) });
  }
  return { id: idOf(live), properties: checkpointState(checkpoint(live), properties) };
}

export async function updateResource(context: ProviderContext, input: UpdateInput): Promise<JsonObject> {
  const { urn, news, preview } = input;
  const plain = toKubernetes(news);
  const inputs = hasUnknown(plain) ? plain : normalize(plain);
  if (preview && !(await canPreview(context, inputs))) return news;
  requireReachable(context);
  const old = parseState(input.olds);
  const fieldManager = fieldManagerOf(inputs, old.fieldManager);
  const isPatch = isPatchResource(input.type, stringField(inputs, "kind"));
  let live: JsonObject;
  try {
    live = await writeUpdate(context, { inputs, old, fieldManager, isPatch, ...input });
  } catch (error) {
    if (preview && error instanceof ClusterError && error.reason === "Forbidden") return news;
    throw new Error(`update of resource "${urn}" failed: ${toError(error).message}`, { cause: error });
  }
  const checkpoint = (state: JsonObject): Checkpoint => ({
    inputs,
    live: state,
    initialApiVersion: old.initialApiVersion,
    fieldManager,
  });
  if (preview) return checkpointState(checkpoint(live), news);
  try {
    live = await awaitReady(context, live, { urn, inputs, address: addressOf(live), timeoutSeconds: input.timeoutSeconds });
  } catch (error) {
    const what = `the Kubernetes API server reported that "${idOf(live)}" failed to fully initialize or become live`;
    throw initFailed(error, { what, id: idOf(live), live, state: (known) => checkpointState(checkpoint(known), news) });
  }
  return checkpointState(checkpoint(live), news);
}

interface Creation {
  readonly urn: string;
  readonly inputs: JsonObject;
  readonly fieldManager: string;
  readonly isPatch: boolean;
  readonly preview: boolean;
}

async function createWithRetries(context: ProviderContext, creation: Creation): Promise<JsonObject> {
  const sleeps = creation.preview ? [] : CREATE_RETRY_SLEEPS_MS;
  for (const [attempt, sleepMs] of sleeps.entries()) {
    try {
      return await createOnce(context, creation);
    } catch (error) {
      const mayCome = error instanceof ClusterError && (error.reason === "NotFound" || error.reason === "NoSuchKind");
      if (!mayCome || context.signal.aborted) throw error;
      context.log.status(creation.urn, `Retry #${String(attempt)}; creation failed: ${error.message}`);
      await realClock.sleep(sleepMs, context.signal);
    }
  }
  return createOnce(context, creation);
}

async function createOnce({ cluster, configuration, signal }: ProviderContext, creation: Creation): Promise<JsonObject> {
  const { inputs, fieldManager, isPatch, preview } = creation;
  const address = addressOf(inputs);
  if (!isPatch && !configuration.upsertExistingObjects) {
    return cluster.create(address, { object: inputs, options: { fieldManager: CREATE_MANAGER, dryRun: preview } }, signal);
  }
  const force = preview || configuration.enablePatchForce || annotation(inputs, "pulumi.com/patchForce") === "true";
  return cluster
    .apply(address, { object: inputs, options: { fieldManager, dryRun: preview, force } }, signal)
    .catch((error: unknown) => {
      throw conflictExplained(error, fieldManager);
    });
}

/** The status of a dry run is that of an object nobody has looked at: the official provider leaves it unknown. */
function withoutStatus(live: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(live).filter(([name]) => name !== "status"));
}

interface UpdateWrite extends UpdateInput {
  readonly inputs: JsonObject;
  readonly old: Checkpoint;
  readonly fieldManager: string;
  readonly isPatch: boolean;
}

async function writeUpdate(context: ProviderContext, write: UpdateWrite): Promise<JsonObject> {
  const { cluster, configuration, signal } = context;
  const { inputs, old, fieldManager, isPatch, preview } = write;
  const address = { ...addressOf(inputs), name: nameOf(old.live) };
  let live = await cluster.get(address, signal);
  if (isCustomResourceDefinition(inputs)) {
    const object = withMetadata(inputs, { resourceVersion: stringField(live, "metadata", "resourceVersion") });
    return cluster.replace(address, { object, options: { fieldManager, dryRun: preview } }, signal);
  }
  const takeOver = isPatch || preview ? undefined : takeOverPatch(live, fieldManager);
  if (takeOver !== undefined) live = await cluster.jsonPatch(address, takeOver, signal);
  const isForced =
    annotation(inputs, "pulumi.com/patchForce") === "true" ||
    configuration.enablePatchForce ||
    (preview && wasWrittenByCreate(live));
  const options: ApplyOptions = { fieldManager, dryRun: preview, force: isForced };
  const object = withIgnoredLiveValues(inputs, { live, manager: fieldManager, ignoreChanges: write.ignoreChanges });
  return cluster.apply(address, { object, options }, signal).catch((error: unknown) => {
    throw conflictExplained(error, fieldManager);
  });
}

function conflictExplained(error: unknown, fieldManager: string): unknown {
  if (!(error instanceof ClusterError) || error.reason !== "Conflict") return error;
  return new ClusterError(
    "Conflict",
    "Server-Side Apply field conflict detected. See https://www.pulumi.com/registry/packages/kubernetes/how-to-guides/" +
      "managing-resources-with-server-side-apply/#handle-field-conflicts-on-existing-resources for troubleshooting help.\n" +
      `The resource managed by field manager "${fieldManager}" had an apply conflict: ${error.message}`,
    { cause: error },
  );
}

/** A preview cannot know what the server will say about unknown values or kinds. */
async function canPreview(context: ProviderContext, inputs: JsonObject): Promise<boolean> {
  if (hasUnknown(inputs) || context.unreachable !== undefined) return false;
  return (await context.cluster.findKind(kindOf(inputs), context.signal)) !== undefined;
}

/** The update itself will have made the namespace, or removed the object that is in the way. */
function isPreviewObstacle(error: unknown): boolean {
  if (!(error instanceof ClusterError)) return false;
  return (
    ["AlreadyExists", "Forbidden", "NoSuchKind"].includes(error.reason) ||
    (error.reason === "NotFound" && error.resource === "namespaces")
  );
}

function creationError(urn: string, error: unknown): Error {
  const { message } = toError(error);
  if (error instanceof ClusterError && error.reason === "NoSuchKind") {
    return new Error(
      `creation of resource "${urn}" failed because the Kubernetes API server reported that the apiVersion for this resource does ` +
        `not exist. Verify that any required CRDs have been created: ${message}`,
      { cause: error },
    );
  }
  const help = error instanceof ClusterError && error.reason === "AlreadyExists" ? `\n\n${ALREADY_EXISTS_HELP}` : "";
  return new Error(`resource "${urn}" was not successfully created by the Kubernetes API server: ${message}${help}`, {
    cause: error,
  });
}

interface Unfinished {
  readonly what: string;
  readonly id: string;
  readonly live: JsonObject;
  readonly state: (live: JsonObject) => JsonObject;
}

function initFailed(error: unknown, { what, id, live, state }: Unfinished): InitFailedError {
  const isAwait = error instanceof AwaitError;
  const message = `${what}: ${toError(error).message}`;
  return new InitFailedError(message, {
    id,
    properties: state(isAwait ? error.live : live),
    inputs: undefined,
    reasons: [message, ...(isAwait ? error.messages : [])],
    cause: error,
  });
}

export function addressOf(object: JsonObject): ObjectAddress {
  return { kind: kindOf(object), namespace: namespaceOf(object), name: nameOf(object) };
}

function requireReachable({ unreachable }: ProviderContext): void {
  if (unreachable !== undefined) throw new Error(`configured Kubernetes cluster is unreachable: ${unreachable}`);
}
