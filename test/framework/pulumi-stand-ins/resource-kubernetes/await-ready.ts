// Waits until an object is ready or gone, and tells the user what it is waiting for.

import { realClock } from "#std/clock.ts";
import { ClusterError, type ObjectAddress } from "./cluster.ts";
import { annotation, field, isBuiltIn, kindOf, nameOf, type GroupVersionKind } from "./kubernetes-object.ts";
import type { ProviderContext } from "./provider-context.ts";
import { isArray, type JsonObject } from "./property-values.ts";
import { readinessCheckFor } from "./readiness.ts";
import { READY, type Readiness, type ReadinessCheck } from "./readiness-check.ts";
import { describeUnmet, parseWaitFor } from "./wait-for.ts";

/** The object exists, but is not what it should become. */
export class AwaitError extends Error {
  override readonly name = "AwaitError";
  readonly live: JsonObject;
  readonly messages: readonly string[];

  constructor(message: string, details: { readonly live: JsonObject; readonly messages: readonly string[] }) {
    super(message);
    this.live = details.live;
    this.messages = details.messages;
  }
}

export interface AwaitOptions {
  readonly urn: string;
  readonly inputs: JsonObject;
  readonly address: ObjectAddress;
  /** Seconds; 0 when the program says nothing. */
  readonly timeoutSeconds: number;
}

const DEFAULT_TIMEOUT_SECONDS = 600;
const POLL_MS = 250;

/** The ready object; throws AwaitError when time runs out. */
export async function awaitReady(context: ProviderContext, live: JsonObject, options: AwaitOptions): Promise<JsonObject> {
  const check = checkFor(options.inputs);
  if (check === undefined) return live;
  const { cluster, log, signal } = context;
  const waiting = { deadline: deadlineOf(options), current: live };
  for (;;) {
    const readiness = await evaluate(context, check, waiting.current);
    if (readiness.ready) {
      log.status(options.urn, "");
      return waiting.current;
    }
    log.status(options.urn, readiness.messages[0] ?? "");
    const { messages } = readiness;
    if (readiness.failed === true) throw new AwaitError(messages[0] ?? "Failed", { live: waiting.current, messages });
    if (signal.aborted)
      throw new AwaitError(`Resource operation was cancelled for "${nameOf(live)}"`, { live: waiting.current, messages });
    if (realClock.monotonic() > waiting.deadline) {
      const isOwnCondition = annotation(options.inputs, "pulumi.com/waitFor") !== "";
      const message = isOwnCondition ? "timed out waiting for the condition" : `'${nameOf(live)}' timed out waiting to be Ready`;
      throw new AwaitError(message, { live: waiting.current, messages });
    }
    await realClock.sleep(POLL_MS, signal);
    waiting.current = (await readUnlessGone(() => cluster.get(options.address, new AbortController().signal))) ?? waiting.current;
  }
}

/** One look, for refresh: undefined when ready or when nothing is known about the kind. */
export async function readinessNow(
  context: ProviderContext,
  live: JsonObject,
  inputs: JsonObject,
): Promise<AwaitError | undefined> {
  const check = readinessCheckFor(kindOf(live));
  if (check === undefined || isSkipped(inputs)) return undefined;
  const readiness = await evaluate(context, check, live);
  if (readiness.ready) return undefined;
  return new AwaitError(`Resource '${nameOf(live)}' was created but failed to initialize`, {
    live,
    messages: readiness.messages,
  });
}

/** Kinds whose deletion the official provider does not wait for under `pulumi.com/skipAwait`. */
const SKIPS_DELETION = new Set(["Namespace", "Pod", "ReplicationController", "DaemonSet", "Deployment", "StatefulSet", "Job"]);

export async function awaitDeleted(context: ProviderContext, live: JsonObject, options: AwaitOptions): Promise<void> {
  const kind = kindOf(live);
  if (isSkipped(options.inputs) && isBuiltIn(kind) && SKIPS_DELETION.has(kind.kind)) return;
  const { cluster, log, signal } = context;
  const deadline = deadlineOf(options);
  for (;;) {
    const found = await readUnlessGone(() => cluster.get(options.address, signal));
    if (found === undefined) {
      log.status(options.urn, "");
      return;
    }
    if (realClock.monotonic() > deadline || signal.aborted) {
      const finalizers = field(found, "metadata", "finalizers");
      const names = isArray(finalizers) ? finalizers.filter((name) => typeof name === "string").join(", ") : "";
      log.warn(options.urn, `finalizers might be preventing deletion (${names})`);
      throw new AwaitError("timed out waiting for the condition", { live: found, messages: [] });
    }
    log.status(options.urn, "Resource scheduled for deletion");
    await realClock.sleep(POLL_MS, signal);
  }
}

function checkFor(inputs: JsonObject): ReadinessCheck | undefined {
  if (isSkipped(inputs)) return undefined;
  const waitFor = annotation(inputs, "pulumi.com/waitFor");
  if (waitFor === "") return readinessCheckFor(kindOf(inputs));
  const conditions = parseWaitFor(waitFor);
  return (object) => {
    const messages = describeUnmet(conditions, object);
    return messages.length === 0 ? READY : { ready: false, messages };
  };
}

async function evaluate({ cluster }: ProviderContext, check: ReadinessCheck, object: JsonObject): Promise<Readiness> {
  const list = async (kind: GroupVersionKind, namespace: string): Promise<readonly JsonObject[]> =>
    // What cannot be listed is not there: RBAC of the user may hide it, and waiting goes on.
    cluster.list(kind, namespace, new AbortController().signal).catch(() => []);
  return check(object, list);
}

async function readUnlessGone(read: () => Promise<JsonObject>): Promise<JsonObject | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ClusterError && (error.reason === "NotFound" || error.reason === "NoSuchKind")) return undefined;
    throw error;
  }
}

function isSkipped(inputs: JsonObject): boolean {
  return annotation(inputs, "pulumi.com/skipAwait") === "true";
}

/** The option `customTimeouts` wins over the annotation. */
function deadlineOf({ timeoutSeconds, inputs }: AwaitOptions): number {
  const fromAnnotation = Number(annotation(inputs, "pulumi.com/timeoutSeconds"));
  const seconds = timeoutSeconds > 0 ? timeoutSeconds : fromAnnotation > 0 ? fromAnnotation : DEFAULT_TIMEOUT_SECONDS;
  return realClock.monotonic() + seconds * 1000;
}
