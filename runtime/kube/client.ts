// Typed get, list, create, update, patch, apply and delete for any ResourceType, on the connection's one pool.

import { apiVersionOf, type KubeObject, type ObjectKey, type ResourceType } from "#api/meta.ts";
import { abortReason, withTimeLimit } from "#std/abort.ts";
import { toError } from "#std/errors.ts";
import { packageVersion } from "#std/version.ts";
import { parseExactJson } from "#std/exact-json.ts";
import { ServiceAccount } from "./builtin-kinds.ts";
import type { Connection } from "./connection.ts";
import { ApiError, errorFromResponse, isGone, isNotFound } from "./errors.ts";
import { collectionPath, objectPath } from "./paths.ts";
import { createSlots } from "./slots.ts";
import { createTransport, type ApiRequest, type ResponseHeaders, type StreamResponse } from "./transport.ts";

export interface ListOptions {
  /** All namespaces when absent. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface ObjectList<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
}

/** A subresource of the object, when it has one. */
export type Subresource = "status" | "scale";

export interface PatchOptions {
  /** RFC 7386 or RFC 6902. */
  readonly type: "merge" | "json";
  readonly body: unknown;
  readonly subresource?: Subresource;
  readonly dryRun?: boolean;
  readonly fieldManager?: string;
}

export interface ApplyOptions {
  readonly fieldManager: string;
  /** Take over fields that other managers own; default false: a conflict. */
  readonly force?: boolean;
  readonly subresource?: Subresource;
  readonly dryRun?: boolean;
}

export interface DeleteOptions {
  readonly propagationPolicy?: "Background" | "Foreground" | "Orphan";
  /** Delete only the object with this uid. */
  readonly uid?: string;
  readonly resourceVersion?: string;
}

export interface TokenOptions {
  readonly expirationSeconds: number;
  readonly audiences?: readonly string[];
  readonly boundObjectRef?: { readonly apiVersion: string; readonly kind: string; readonly name: string; readonly uid: string };
}

export interface IssuedToken {
  readonly token: string;
  /** RFC 3339. */
  readonly expirationTimestamp: string;
}

export interface ApiResponse {
  readonly status: number;
  readonly headers: ResponseHeaders;
  /** Parsed JSON; the text when the answer is of another type; undefined when it is empty. */
  readonly json: unknown;
}

export interface Client {
  readonly connection: Connection;
  /** undefined: there is no such object. */
  get<T extends KubeObject>(type: ResourceType<T>, key: ObjectKey, signal: AbortSignal): Promise<T | undefined>;
  /** All pages. */
  list<T extends KubeObject>(type: ResourceType<T>, options: ListOptions, signal: AbortSignal): Promise<ObjectList<T>>;
  create<T extends KubeObject>(type: ResourceType<T>, object: T, signal: AbortSignal): Promise<T>;
  update<T extends KubeObject>(type: ResourceType<T>, object: T, signal: AbortSignal): Promise<T>;
  updateStatus<T extends KubeObject>(type: ResourceType<T>, object: T, signal: AbortSignal): Promise<T>;
  patch<T extends KubeObject>(type: ResourceType<T>, key: ObjectKey, options: PatchOptions, signal: AbortSignal): Promise<T>;
  /** Server-side apply of the fields in `object`. */
  apply<T extends KubeObject>(type: ResourceType<T>, object: T, options: ApplyOptions, signal: AbortSignal): Promise<T>;
  /** false: it was not there. */
  delete(type: ResourceType, key: ObjectKey, options: DeleteOptions, signal: AbortSignal): Promise<boolean>;
  /** A TokenRequest for a ServiceAccount. */
  createToken(account: Required<ObjectKey>, options: TokenOptions, signal: AbortSignal): Promise<IssuedToken>;
  /** Anything else. Throws ApiError for every answer of 400 and more. */
  request(request: ApiRequest, signal: AbortSignal): Promise<ApiResponse>;
  /** Like request, but the body is read by the caller, without a time limit: watches. */
  stream(request: ApiRequest, signal: AbortSignal): Promise<StreamResponse>;
}

export interface ClientOptions {
  /** Our part of the User-Agent: `clusternet-<component>/<version>`. */
  readonly component: string;
  /** Requests (watches do not count) at the same time; more wait. */
  readonly requestsInFlightMax?: number;
  readonly requestTimeoutMs?: number;
}

/** More at once would only queue up in the server's priority and fairness. */
const REQUESTS_IN_FLIGHT_MAX = 64;
const REQUESTS_WAITING_MAX = 10_000;
const REQUEST_MS_MAX = 60_000;
/** kube-apiserver answers a watch with headers at once, though there may be no event for hours. */
const STREAM_HEADERS_MS_MAX = 30_000;
/** Keeps the memory of both ends level with lists of any length. */
const PAGE_OBJECTS = 500;

export function createClient(
  connection: Connection,
  { component, requestsInFlightMax = REQUESTS_IN_FLIGHT_MAX, requestTimeoutMs = REQUEST_MS_MAX }: ClientOptions,
): Client {
  const transport = createTransport(connection, { userAgent: `clusternet-${component}/${packageVersion}` });
  const slots = createSlots({ inUseMax: requestsInFlightMax, waitingMax: REQUESTS_WAITING_MAX });

  const request = (apiRequest: ApiRequest, signal: AbortSignal): Promise<ApiResponse> =>
    slots.use(async () => {
      const what = `${apiRequest.method} ${apiRequest.path}`;
      const limit = { limitMs: requestTimeoutMs, what };
      const answer = await limited(limit, (limitedSignal) => transport.request(apiRequest, limitedSignal), signal);
      const { status, headers, text } = answer;
      if (status >= 400) {
        throw errorFromResponse({ code: status, text, retryAfter: headerText(headers["retry-after"]), what });
      }
      return { status, headers, json: parseBody(what, answer) };
    }, signal);

  const stream = async (apiRequest: ApiRequest, signal: AbortSignal): Promise<StreamResponse> => {
    const what = `${apiRequest.method} ${apiRequest.path}`;
    const limit = { limitMs: STREAM_HEADERS_MS_MAX, what };
    const answer = await limited(
      limit,
      (limitedSignal) => transport.stream(apiRequest, { headersSignal: limitedSignal, signal }),
      signal,
    );
    if (answer.status < 400) return answer;
    const text = await limited(limit, () => answer.body.text(), signal);
    throw errorFromResponse({ code: answer.status, text, retryAfter: headerText(answer.headers["retry-after"]), what });
  };

  return { connection, request, stream, ...objectMethods(request) };
}

// A kind, a key, options and the signal: what every Kubernetes client asks for, in its usual order.
/* eslint-disable max-params */
type ObjectMethods = Omit<Client, "connection" | "request" | "stream">;

function objectMethods(request: Client["request"]): ObjectMethods {
  const send = async <T>(apiRequest: ApiRequest, signal: AbortSignal): Promise<T> =>
    (await request(apiRequest, signal)).json as T;

  const write =
    (method: "PUT" | "POST", path: string) =>
    <T>(object: T, signal: AbortSignal): Promise<T> =>
      send<T>({ method, path, body: object }, signal);

  return {
    get: async <T extends KubeObject>(type: ResourceType<T>, key: ObjectKey, signal: AbortSignal) => {
      try {
        return await send<T>({ method: "GET", path: objectPath(type, key) }, signal);
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
    list: <T extends KubeObject>(type: ResourceType<T>, options: ListOptions, signal: AbortSignal) =>
      listPages<T>(request, { type, options }, signal),
    create: (type, object, signal) => write("POST", collectionPath(type, object.metadata.namespace))(object, signal),
    update: (type, object, signal) => write("PUT", objectPath(type, object.metadata))(object, signal),
    updateStatus: (type, object, signal) => write("PUT", `${objectPath(type, object.metadata)}/status`)(object, signal),
    patch: (type, key, { type: patchType, body, subresource, dryRun = false, fieldManager }, signal) =>
      send(
        {
          method: "PATCH",
          path: objectPath(type, key, subresource),
          query: { fieldManager, dryRun: dryRun ? "All" : undefined },
          headers: { "content-type": PATCH_CONTENT_TYPES[patchType] },
          body,
        },
        signal,
      ),
    apply: (type, object, { fieldManager, force = false, subresource, dryRun = false }, signal) =>
      send(
        {
          method: "PATCH",
          path: objectPath(type, object.metadata, subresource),
          query: { fieldManager, force, dryRun: dryRun ? "All" : undefined },
          // JSON is YAML.
          headers: { "content-type": "application/apply-patch+yaml" },
          body: object,
        },
        signal,
      ),
    delete: async (type, key, { propagationPolicy, uid, resourceVersion }, signal) => {
      const preconditions = uid === undefined && resourceVersion === undefined ? undefined : { uid, resourceVersion };
      const body = { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy, preconditions };
      try {
        await request({ method: "DELETE", path: objectPath(type, key), body }, signal);
        return true;
      } catch (error) {
        if (isNotFound(error)) return false;
        throw error;
      }
    },
    createToken: async (account, { expirationSeconds, audiences, boundObjectRef }, signal) => {
      const body = {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: { expirationSeconds, audiences: audiences ?? [], boundObjectRef },
      };
      const path = `${objectPath(ServiceAccount, account)}/token`;
      const { status } = await send<{ readonly status: IssuedToken }>({ method: "POST", path, body }, signal);
      return status;
    },
  };
}

/* eslint-enable max-params */
const PATCH_CONTENT_TYPES = {
  merge: "application/merge-patch+json",
  json: "application/json-patch+json",
} as const;

interface Page<T> {
  readonly items: readonly T[] | null;
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string };
}

async function listPages<T extends KubeObject>(
  request: Client["request"],
  { type, options }: { readonly type: ResourceType<T>; readonly options: ListOptions },
  signal: AbortSignal,
): Promise<ObjectList<T>> {
  const { namespace, labelSelector, fieldSelector } = options;
  const path = collectionPath(type, namespace);
  const typeMeta = { apiVersion: apiVersionOf(type), kind: type.kind };
  let items: T[] = [];
  let continueFrom: string | undefined;
  let limit: number | undefined = PAGE_OBJECTS;
  for (;;) {
    const query = { labelSelector, fieldSelector, limit, continue: continueFrom };
    let page: Page<T>;
    try {
      page = (await request({ method: "GET", path, query }, signal)).json as Page<T>;
    } catch (error) {
      // The snapshot that the pages are cut from was compacted away meanwhile: take everything in one piece.
      if (!isGone(error) || continueFrom === undefined) throw error;
      items = [];
      continueFrom = undefined;
      limit = undefined;
      continue;
    }
    // Items of built-in kinds come without their type.
    for (const item of page.items ?? []) items.push(Object.assign(item, typeMeta));
    continueFrom = page.metadata.continue === "" ? undefined : page.metadata.continue;
    if (continueFrom === undefined) return { items, resourceVersion: page.metadata.resourceVersion ?? "" };
  }
}

function parseBody(
  what: string,
  { text, headers }: { readonly text: string; readonly headers: ApiResponse["headers"] },
): unknown {
  if (text === "") return undefined;
  if (!(headerText(headers["content-type"]) ?? "").includes("json")) return text;
  try {
    // int64 beyond 2^53 must come back from a round trip as they were.
    return parseExactJson(text);
  } catch (error) {
    throw new ApiError({ reason: "InvalidResponse", code: 0, message: `${what}: The answer is not JSON`, cause: error });
  }
}

function headerText(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "string" ? value : value?.[0];
}

/** Like withTimeLimit, but passing the limit is an ApiError, and an abort of the caller stays the caller's reason. */
async function limited<T>(
  limit: { readonly limitMs: number; readonly what: string },
  work: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  try {
    return await withTimeLimit(limit, work, signal);
  } catch (error) {
    if (signal.aborted) throw abortReason(signal);
    if (error instanceof ApiError) throw error;
    throw new ApiError({ reason: "TimedOut", code: 0, message: toError(error).message, cause: error });
  }
}
