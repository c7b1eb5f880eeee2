// Makes this cluster a child of the parent: credentials from the Secret, or a request with a key of our own and its answer.
//
//   stored ──the parent accepts them──────────────────────────────────────────────────────────▶ joined
//      └──none, refused or for another parent──▶ asking ──Approved, token opened and accepted──▶ joined
//                                                   ├──pending──▶ asking, soon, then less often
//                                                   └──Denied, token not accepted──▶ asking, slowly
//
// (JOI-1) Asking needs the bootstrap token only to create and read one request; what it answers only our key can open.
// (JOI-2) An agent that was away longer than its token lives finds a young one in its request (REG-10 of the contract).
// (JOI-3) A registered agent whose request is gone was deregistered, or its parent was built anew: it asks again, but not before whoever
//         removed it had time to take its bootstrap token and the agent itself away.
// (JOI-4) Whatever the parent says, nothing in the child is touched: an agent that is not wanted waits and says so.

import { ClusterRegistrationRequest } from "#api/clusters/v1beta1/cluster-registration-request.ts";
import { registrationRequestName } from "#api/clusters/v1beta1/cluster-name.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { Client } from "#kube/client.ts";
import { ApiError, isAlreadyExists, isForbidden, isNotFound, isUnauthorized } from "#kube/errors.ts";
import { backoffMs } from "#std/backoff.ts";
import type { Clock } from "#std/clock.ts";
import { errorChain } from "#std/errors.ts";
import type { Logger } from "#std/log.ts";
import { keyFingerprint, openSealedText, publicKeyOf } from "#std/sealed-text.ts";
import * as z from "zod";
import type { CredentialStore, ParentIdentity, StoredCredentials } from "./credentials.ts";
import type { AgentOptions } from "./options.ts";
import { newRequest, planRegistrationStep } from "./registration-plan.ts";

export interface RegistrationDeps {
  readonly clusterId: string;
  readonly store: CredentialStore;
  /** The parent, with the credential to ask with. */
  readonly bootstrap: Client;
  /** The parent, as an identity that it gave us. The caller closes the connection. */
  clientFor(identity: ParentIdentity): Client;
  readonly clock: Clock;
  readonly log: Logger;
  /** For readiness and people: what is being waited for. Pending: we have asked, and it is the parent's turn. */
  onState?(state: string, options: { readonly isPending: boolean }): void;
}

/** A fresh answer takes a second or two, a person minutes: quick at first, then seldom. */
const PENDING_RETRY = { firstMs: 500, maxMs: 15_000 } as const;
/** Someone has to change something first. */
const REFUSED_RETRY = { firstMs: 60_000, maxMs: 300_000 } as const;
const UNREACHABLE_RETRY = { firstMs: 1_000, maxMs: 60_000 } as const;
/** How often a registered agent looks for its vanished request, at the pace of REFUSED_RETRY, before it makes a new one: some minutes. */
const LOOKS_BEFORE_ASKING_ANEW = 3;

type Attempt =
  | { readonly type: "joined"; readonly identity: ParentIdentity }
  | { readonly type: "pending" | "refused"; readonly message: string };

/** Resolves when the parent accepts us; rejects only when the signal aborts. */
export async function joinParent(deps: RegistrationDeps, options: AgentOptions, signal: AbortSignal): Promise<ParentIdentity> {
  const { clock, log } = deps;
  let said = "";
  const say = (message: string, isPending = false): void => {
    deps.onState?.(message, { isPending });
    // A wait of hours is one line, not thousands.
    if (message !== said) log.info("registration.waiting", { message });
    said = message;
  };
  const attempts = { pending: 0, refused: 0, failed: 0 };
  const patience = { looksLeft: LOOKS_BEFORE_ASKING_ANEW };
  for (;;) {
    signal.throwIfAborted();
    let delayMs: number;
    try {
      const attempt = await tryToJoin(deps, { options, patience }, signal);
      if (attempt.type === "joined") return attempt.identity;
      say(attempt.message, attempt.type === "pending");
      attempts.failed = 0;
      delayMs = backoffMs(attempts[attempt.type], attempt.type === "pending" ? PENDING_RETRY : REFUSED_RETRY);
      attempts[attempt.type] += 1;
    } catch (error) {
      if (signal.aborted) throw error;
      say(`The parent cannot be asked: ${errorChain(error)}`);
      delayMs = backoffMs(attempts.failed, UNREACHABLE_RETRY);
      attempts.failed += 1;
    }
    await clock.sleep(delayMs, signal);
  }
}

interface Asking {
  readonly options: AgentOptions;
  readonly patience: { looksLeft: number };
}

async function tryToJoin(deps: RegistrationDeps, { options, patience }: Asking, signal: AbortSignal): Promise<Attempt> {
  const stored = await deps.store.load(signal);
  const { identity } = stored;
  if (identity?.server === options.clusterRegParentUrl && identity.clusterId === deps.clusterId) {
    const problem = await problemWith(deps, identity, signal);
    if (problem === undefined) return { type: "joined", identity };
    deps.log.warn("registration.stored-identity-refused", { message: problem });
  }
  try {
    return await ask(deps, { stored, options, patience }, signal);
  } catch (error) {
    if (isUnauthorized(error)) {
      return { type: "refused", message: "The parent does not accept the registration token: it is wrong, expired or withdrawn" };
    }
    if (isForbidden(error)) {
      return { type: "refused", message: `The parent does not let the registration token ask to join: ${error.message}` };
    }
    if (isRefusal(error)) return { type: "refused", message: `The parent refuses the request: ${error.message}` };
    throw error;
  }
}

async function ask(
  deps: RegistrationDeps,
  { stored, options, patience }: Asking & { readonly stored: StoredCredentials },
  signal: AbortSignal,
): Promise<Attempt> {
  const { clusterId, bootstrap, log } = deps;
  const publicKey = publicKeyOf(stored.privateKey);
  const fingerprint = keyFingerprint(publicKey);
  const plan = async (name: string): Promise<ReturnType<typeof planRegistrationStep>> => {
    const request = await bootstrap.get(ClusterRegistrationRequest, { name }, signal);
    const fingerprintOfRequest = request === undefined ? undefined : fingerprintIn(request);
    return planRegistrationStep({ clusterId, fingerprint, name, request, fingerprintOfRequest });
  };
  let step = await plan(registrationRequestName(clusterId));
  if (step.type === "look") {
    log.debug("registration.other-key", { message: step.message });
    step = await plan(step.name);
  }
  switch (step.type) {
    case "create": {
      if (stored.identity?.server === options.clusterRegParentUrl && patience.looksLeft > 0) {
        patience.looksLeft -= 1;
        return {
          type: "refused",
          message: `Request ${step.name} is gone: this cluster was deregistered. Asking anew in some minutes`,
        };
      }
      const username = await ownUsername(bootstrap, signal);
      await createRequest(bootstrap, newRequest({ name: step.name, clusterId, publicKey, username }, options), signal);
      log.info("registration.requested", { request: step.name, username });
      return { type: "pending", message: `Request ${step.name} was made` };
    }
    case "open":
      return open(deps, { stored, options, step }, signal);
    case "wait":
      return { type: "pending", message: step.message };
    case "denied":
      return { type: "refused", message: `Denied: ${step.message}` };
    case "look":
      return { type: "refused", message: step.message };
  }
}

async function open(
  deps: RegistrationDeps,
  {
    stored,
    options,
    step,
  }: {
    readonly stored: StoredCredentials;
    readonly options: AgentOptions;
    readonly step: { readonly sealedToken: string; readonly namespace: string; readonly clusterName: string };
  },
  signal: AbortSignal,
): Promise<Attempt> {
  const identity: ParentIdentity = {
    server: options.clusterRegParentUrl,
    clusterId: deps.clusterId,
    clusterName: step.clusterName,
    namespace: step.namespace,
    token: await openSealedText(step.sealedToken, stored.privateKey),
    obtainedAtMs: deps.clock.now(),
  };
  const problem = await problemWith(deps, identity, signal);
  if (problem !== undefined)
    return { type: "pending", message: `The token in the request is not accepted (${problem}); a new one will come` };
  await deps.store.save(identity, signal);
  deps.log.info("registration.joined", { namespace: identity.namespace, cluster: identity.clusterName });
  return { type: "joined", identity };
}

/** Why the parent does not want this identity; undefined: it does. Throws when the parent does not answer. */
async function problemWith(deps: RegistrationDeps, identity: ParentIdentity, signal: AbortSignal): Promise<string | undefined> {
  const client = deps.clientFor(identity);
  const { namespace, clusterName: name } = identity;
  try {
    const cluster = await client.get(ManagedCluster, { namespace, name }, signal);
    if (cluster === undefined) return `ManagedCluster ${namespace}/${name} does not exist`;
    if (cluster.spec.clusterId !== identity.clusterId) return `ManagedCluster ${namespace}/${name} is another cluster`;
    return undefined;
  } catch (error) {
    if (isUnauthorized(error)) return "the token expired or was withdrawn";
    if (isForbidden(error)) return error.message;
    throw error;
  } finally {
    await client.connection[Symbol.asyncDispose]();
  }
}

/** An answer that the same request will get again. */
function isRefusal(error: unknown): error is ApiError {
  return (
    error instanceof ApiError && (error.reason === "Invalid" || error.reason === "BadRequest" || error.reason === "NotFound")
  );
}

async function createRequest(client: Client, request: ClusterRegistrationRequest, signal: AbortSignal): Promise<void> {
  try {
    await client.create(ClusterRegistrationRequest, request, signal);
  } catch (error) {
    // Someone was faster: the next look tells who.
    if (!isAlreadyExists(error)) throw error;
  }
}

const SelfSubjectReview = z.object({ status: z.object({ userInfo: z.object({ username: z.string() }) }) });

/** What the parent calls us. An admission policy makes the request say exactly this. */
async function ownUsername(client: Client, signal: AbortSignal): Promise<string | undefined> {
  const body = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
  try {
    const { json } = await client.request(
      { method: "POST", path: "/apis/authentication.k8s.io/v1/selfsubjectreviews", body },
      signal,
    );
    return SelfSubjectReview.parse(json).status.userInfo.username;
  } catch (error) {
    // Before Kubernetes 1.28: an administrator will have to approve by hand.
    if (isNotFound(error) || isForbidden(error)) return undefined;
    throw error;
  }
}

function fingerprintIn({ spec }: ClusterRegistrationRequest): string | undefined {
  try {
    return spec.publicKey === undefined ? undefined : keyFingerprint(spec.publicKey);
  } catch {
    return undefined;
  }
}
