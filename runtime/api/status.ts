// metav1.Status: the error object of every Kubernetes API. Reasons are closed, and each has one HTTP code.

export interface Status {
  readonly apiVersion: "v1";
  readonly kind: "Status";
  readonly metadata: Readonly<Record<string, never>>;
  readonly status: "Success" | "Failure";
  readonly message?: string;
  readonly reason?: StatusReason;
  readonly details?: StatusDetails;
  readonly code: number;
}

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  /** For most reasons the resource ("pods"), not the kind. */
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

export interface StatusCause {
  readonly reason?: string;
  readonly message?: string;
  /** Path of the field, such as `spec.feeds[0].name`. */
  readonly field?: string;
}

/** Reason to HTTP code, as kube-apiserver pairs them. */
export const statusCodes = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Gone: 410,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServerTimeout: 500,
  StoreReadError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
} as const;

export type StatusReason = keyof typeof statusCodes;

export interface StatusInput {
  readonly reason: StatusReason;
  /** Capital letter, no full stop, actual values; never a credential. */
  readonly message: string;
  readonly details?: StatusDetails;
  /** Only where the code is not the reason's usual one, such as BadGateway (502) as InternalError. */
  readonly code?: number;
}

export function statusOf({ reason, message, details, code = statusCodes[reason] }: StatusInput): Status {
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason,
    ...(details === undefined ? {} : { details }),
    code,
  };
}

/** What answers a successful delete. */
export function successStatus(details?: StatusDetails): Status {
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    ...(details === undefined ? {} : { details }),
    code: 200,
  };
}

export function isStatusReason(text: string): text is StatusReason {
  return Object.hasOwn(statusCodes, text);
}

/** The reason for a code that came without a Status: from a proxy, a load balancer, a crashed server. */
export function reasonOfCode(code: number): StatusReason {
  switch (code) {
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "NotFound";
    case 405:
      return "MethodNotAllowed";
    case 406:
      return "NotAcceptable";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 413:
      return "RequestEntityTooLarge";
    case 415:
      return "UnsupportedMediaType";
    case 422:
      return "Invalid";
    case 429:
      return "TooManyRequests";
    case 502:
    case 503:
      return "ServiceUnavailable";
    case 504:
      return "Timeout";
    default:
      return code >= 500 ? "InternalError" : "BadRequest";
  }
}
