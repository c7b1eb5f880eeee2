// What kept an object from being as it is described, as one of a closed set of reasons that a person can act on. Pure.

import type { InventoryEntry } from "#api/apps/v1alpha1/description.ts";
import { ApiError } from "#kube/errors.ts";
import { errorChain } from "#std/errors.ts";
import { shortList } from "#std/short-list.ts";
import { feedText } from "./feeds.ts";

/** Longer lists are cut: a status is read by people. */
const PROBLEMS_SHOWN_MAX = 5;

/** Reason of condition Applied when all problems share it; else the condition says ApplyFailed. */
export type ObjectProblemReason =
  /** The cluster does not serve this kind. It may come with a CustomResourceDefinition: tried again. */
  | "UnknownKind"
  /** The object names no namespace and needs one, or names one that is not there. */
  | "NamespaceMissing"
  /** The namespace is being deleted. */
  | "NamespaceTerminating"
  /** Another existing Description owns the object. */
  | "OwnedByOther"
  /** The object was there before, and the policy is not to adopt it. */
  | "NotAdopted"
  /** The deployer account of the cluster lacks the permission. */
  | "Forbidden"
  /** The cluster does not accept the object as it is. */
  | "Invalid"
  | "QuotaExceeded"
  /** An admission webhook or policy of the cluster does not let it in. */
  | "RefusedByAdmission"
  /** A webhook of the cluster does not answer. */
  | "WebhookUnavailable"
  /** The object changed under our hands: tried again at once. */
  | "Conflict"
  /** The cluster cannot be reached, or asks to wait. */
  | "Unavailable"
  | "Failed";

export interface ObjectProblem {
  readonly object: InventoryEntry;
  readonly reason: ObjectProblemReason;
  readonly message: string;
  /** The cluster asked us to wait this long. */
  readonly retryAfterMs?: number;
}

export function problemOfError(object: InventoryEntry, error: unknown): ObjectProblem {
  const wait = error instanceof ApiError ? error.retryAfterMs : undefined;
  const message = errorChain(error);
  return { object, reason: reasonOfError(error, message), message, ...(wait === undefined ? {} : { retryAfterMs: wait }) };
}

export function problemsText(problems: readonly ObjectProblem[]): string {
  const texts = problems.map(({ object, message }) => `${feedText(object)}: ${message}`);
  return shortList(texts, PROBLEMS_SHOWN_MAX).join("; ");
}

/** The one reason of all problems, or `mixed`. */
export function reasonOfProblems(problems: readonly ObjectProblem[], mixed: string): string {
  const reasons = new Set(problems.map(({ reason }) => reason));
  const [only] = reasons;
  return reasons.size === 1 && only !== undefined && only !== "Failed" ? only : mixed;
}

// kube-apiserver says some of these only in its text.
function reasonOfError(error: unknown, message: string): ObjectProblemReason {
  if (!(error instanceof ApiError)) return "Failed";
  if (/(admission webhook|ValidatingAdmissionPolicy) .*denied (the )?request/.test(message)) return "RefusedByAdmission";
  if (/failed calling webhook/.test(message)) return "WebhookUnavailable";
  switch (error.reason) {
    case "Forbidden":
      if (/exceeded quota/.test(message)) return "QuotaExceeded";
      return /is being terminated/.test(message) ? "NamespaceTerminating" : "Forbidden";
    case "Invalid":
    case "BadRequest":
    case "RequestEntityTooLarge":
      return "Invalid";
    case "NotFound":
      return /namespaces ".*" not found/.test(message) ? "NamespaceMissing" : "UnknownKind";
    case "Conflict":
      return "Conflict";
    case "TooManyRequests":
    case "ServiceUnavailable":
    case "InternalError":
    case "ServerTimeout":
    case "Timeout":
    case "Unreachable":
    case "TimedOut":
      return "Unavailable";
    default:
      return "Failed";
  }
}
