// ApiError: what went wrong with a request, as one of a closed set of reasons, and when to try again.

import { statusCodes, type StatusReason } from "#api/status.ts";

/** The reasons that kube-apiserver puts into a Status, and four of our own, for when there is no Status. */
export type ApiErrorReason = StatusReason | "Unreachable" | "TimedOut" | "InvalidResponse" | "Unknown";

/** The parts of a metav1.Status that we read. */
export interface ErrorStatus {
  readonly reason?: string;
  readonly message?: string;
  readonly code?: number;
  readonly details?: {
    readonly name?: string;
    readonly group?: string;
    readonly kind?: string;
    readonly retryAfterSeconds?: number;
    readonly causes?: readonly { readonly reason?: string; readonly message?: string; readonly field?: string }[];
  };
}

export interface ApiErrorOptions {
  readonly reason: ApiErrorReason;
  /** The HTTP status; 0 when there was no answer. */
  readonly code: number;
  readonly message: string;
  readonly status?: ErrorStatus;
  /** The server asked us to wait this long. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly reason: ApiErrorReason;
  readonly code: number;
  readonly status: ErrorStatus | undefined;
  readonly retryAfterMs: number | undefined;

  constructor({ reason, code, message, status, retryAfterMs, cause }: ApiErrorOptions) {
    super(message, cause === undefined ? undefined : { cause });
    this.reason = reason;
    this.code = code;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

function hasReason(error: unknown, ...reasons: readonly ApiErrorReason[]): error is ApiError {
  return error instanceof ApiError && reasons.includes(error.reason);
}

export const isNotFound = (error: unknown): error is ApiError => hasReason(error, "NotFound");
export const isAlreadyExists = (error: unknown): error is ApiError => hasReason(error, "AlreadyExists");
export const isConflict = (error: unknown): error is ApiError => hasReason(error, "Conflict");
export const isForbidden = (error: unknown): error is ApiError => hasReason(error, "Forbidden");
export const isUnauthorized = (error: unknown): error is ApiError => hasReason(error, "Unauthorized");
/** The resource version that was asked for is no longer kept: list again. */
export const isGone = (error: unknown): error is ApiError => hasReason(error, "Gone", "Expired");
export const isUnreachable = (error: unknown): error is ApiError => hasReason(error, "Unreachable", "TimedOut");

/** Text of the body, and the Retry-After header, of an answer of 400 and more. */
export interface ErrorResponse {
  readonly code: number;
  readonly text: string;
  readonly retryAfter?: string | undefined;
  /** What was asked, for the message: `GET /api/v1/pods`. */
  readonly what: string;
}

export interface RetryTimes {
  readonly minimumMs: number;
  readonly maximumMs: number;
}

/** When to try again, as the error says: `retryAfterMs` is what the server asked for, `retryWithinMs` what waits for nobody to tell us. */
export function retryTimesOf(error: unknown): RetryTimes {
  const asked = error instanceof Error && "retryAfterMs" in error ? error.retryAfterMs : undefined;
  const within = error instanceof Error && "retryWithinMs" in error ? error.retryWithinMs : undefined;
  return {
    minimumMs: typeof asked === "number" ? asked : 0,
    maximumMs: typeof within === "number" ? within : Number.POSITIVE_INFINITY,
  };
}

const MESSAGE_CHARS_MAX = 1024;

export function errorFromResponse({ code, text, retryAfter, what }: ErrorResponse): ApiError {
  const status = parseStatus(text);
  const reason = reasonOf(status?.reason, code);
  const said = status?.message ?? text.trim();
  const message = `${what}: ${said === "" ? `HTTP ${code}` : said.slice(0, MESSAGE_CHARS_MAX)}`;
  const retryAfterMs = retryAfterOf(retryAfter, status);
  return new ApiError({
    reason,
    code,
    message,
    ...(status === undefined ? {} : { status }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** A Status that came as an event of a watch. */
export function errorFromStatus(status: ErrorStatus, what: string): ApiError {
  const code = status.code ?? 0;
  const retryAfterMs = retryAfterOf(undefined, status);
  const message = `${what}: ${status.message ?? status.reason ?? "The watch failed"}`;
  return new ApiError({
    reason: reasonOf(status.reason, code),
    code,
    message,
    status,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

function reasonOf(reason: string | undefined, code: number): ApiErrorReason {
  if (reason !== undefined && isStatusReason(reason)) return reason;
  switch (code) {
    case 500:
      return "InternalError";
    case 502:
    case 503:
      return "ServiceUnavailable";
    // Without a reason the object may exist or may have changed; Conflict makes the caller look.
    case 409:
      return "Conflict";
    default:
      return (
        Object.keys(statusCodes)
          .filter(isStatusReason)
          .find((known) => statusCodes[known] === code) ?? "Unknown"
      );
  }
}

function isStatusReason(text: string): text is StatusReason {
  return Object.hasOwn(statusCodes, text);
}

function parseStatus(text: string): ErrorStatus | undefined {
  try {
    const json: unknown = JSON.parse(text);
    const isStatus = typeof json === "object" && json !== null && "kind" in json && json.kind === "Status";
    return isStatus ? (json as ErrorStatus) : undefined;
  } catch {
    return undefined;
  }
}

/** The header in its form of seconds (kube-apiserver sends no other), else what the Status says. */
function retryAfterOf(header: string | undefined, status: ErrorStatus | undefined): number | undefined {
  const fromHeader = header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) : undefined;
  const seconds = fromHeader ?? status?.details?.retryAfterSeconds;
  return seconds === undefined || seconds <= 0 ? undefined : seconds * 1000;
}
