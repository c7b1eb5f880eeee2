// One cluster as the provider sees it: kubeconfig → requests, kinds → paths, answers → objects or ClusterError.

import { Agent, request as send } from "undici";
import { toError } from "#std/errors.ts";
import { readAccess, type ClusterOptions } from "./kubeconfig.ts";
import { apiVersionOf, stringField, type GroupVersionKind } from "./kubernetes-object.ts";
import { isObject, type Json, type JsonObject } from "./property-values.ts";

export type ClusterErrorReason =
  "AlreadyExists" | "Conflict" | "Forbidden" | "Invalid" | "NoSuchKind" | "NotFound" | "Unreachable" | "Other";

export class ClusterError extends Error {
  override readonly name = "ClusterError";
  readonly reason: ClusterErrorReason;
  /** `details.kind` of the Status: what was not found. */
  readonly resource: string;

  constructor(reason: ClusterErrorReason, message: string, options: ErrorOptions & { readonly resource?: string } = {}) {
    super(message, options);
    this.reason = reason;
    this.resource = options.resource ?? "";
  }
}

export interface KindAddress {
  readonly plural: string;
  readonly namespaced: boolean;
}

export interface ObjectAddress {
  readonly kind: GroupVersionKind;
  readonly namespace: string;
  readonly name: string;
}

export interface WriteOptions {
  readonly fieldManager: string;
  readonly dryRun: boolean;
}

export interface ApplyOptions extends WriteOptions {
  readonly force: boolean;
}

export interface Cluster extends AsyncDisposable {
  /** Of the kubeconfig's context; "default" when it has none. */
  readonly defaultNamespace: string;
  checkReachable(signal: AbortSignal): Promise<void>;
  /** undefined: the API server does not serve this kind. */
  findKind(kind: GroupVersionKind, signal: AbortSignal): Promise<KindAddress | undefined>;
  get(address: ObjectAddress, signal: AbortSignal): Promise<JsonObject>;
  list(kind: GroupVersionKind, namespace: string, signal: AbortSignal): Promise<readonly JsonObject[]>;
  create(address: ObjectAddress, body: { object: JsonObject; options: WriteOptions }, signal: AbortSignal): Promise<JsonObject>;
  replace(address: ObjectAddress, body: { object: JsonObject; options: WriteOptions }, signal: AbortSignal): Promise<JsonObject>;
  apply(address: ObjectAddress, body: { object: JsonObject; options: ApplyOptions }, signal: AbortSignal): Promise<JsonObject>;
  jsonPatch(address: ObjectAddress, patch: readonly JsonObject[], signal: AbortSignal): Promise<JsonObject>;
  delete(address: ObjectAddress, propagationPolicy: string, signal: AbortSignal): Promise<void>;
}

interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  readonly body?: Json;
}

/** Enough for the requests of one program in parallel, without drowning an API server on a small machine. */
const CONNECTIONS_MAX = 32;

export async function connectCluster(options: ClusterOptions): Promise<Cluster> {
  const { server, tls, defaultNamespace, authorization } = await readAccess(options);
  if (server === undefined) throw new ClusterError("Unreachable", "The kubeconfig names no cluster");
  const agent = new Agent({ connections: CONNECTIONS_MAX, connect: { ...tls } });
  const call = async ({ method, path, query, contentType, body }: HttpRequest, signal: AbortSignal): Promise<JsonObject> => {
    const url = new URL(`${server.replace(/\/$/, "")}${path}`);
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
    const response = await send(url, {
      method,
      dispatcher: agent,
      signal,
      headers: {
        ...(await authorization()),
        accept: "application/json",
        ...(body === undefined ? {} : { "content-type": contentType ?? "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      throw new ClusterError("Unreachable", `${method} ${url.href}: ${toError(error).message}`, { cause: error });
    });
    const text = await response.body.text();
    if (response.statusCode >= 400) throw errorOf(response.statusCode, text);
    return parseObject(text);
  };
  return createCluster(call, { defaultNamespace, agent });
}

type Call = (request: HttpRequest, signal: AbortSignal) => Promise<JsonObject>;

function createCluster(call: Call, { defaultNamespace, agent }: { defaultNamespace: string; agent: Agent }): Cluster {
  const known = new Map<string, KindAddress>();

  const findKind = async (kind: GroupVersionKind, signal: AbortSignal): Promise<KindAddress | undefined> => {
    const key = `${apiVersionOf(kind)}/${kind.kind}`;
    const cached = known.get(key);
    if (cached !== undefined) return cached;
    const resources = await call({ method: "GET", path: groupPath(kind) }, signal).catch((error: unknown) => {
      if (error instanceof ClusterError && error.reason === "NotFound") return undefined;
      throw error;
    });
    const list = resources?.["resources"];
    for (const resource of Array.isArray(list) ? (list as readonly Json[]) : []) {
      if (!isObject(resource) || resource["kind"] !== kind.kind || stringField(resource, "name").includes("/")) continue;
      const address = { plural: stringField(resource, "name"), namespaced: resource["namespaced"] === true };
      known.set(key, address);
      return address;
    }
    return undefined;
  };

  const pathOf = async ({ kind, namespace, name }: ObjectAddress, signal: AbortSignal): Promise<string> => {
    const found = await findKind(kind, signal);
    if (found === undefined) {
      throw new ClusterError("NoSuchKind", `no matches for kind "${kind.kind}" in version "${apiVersionOf(kind)}"`);
    }
    const scope = found.namespaced && namespace !== "" ? `/namespaces/${encodeURIComponent(namespace)}` : "";
    return `${groupPath(kind)}${scope}/${found.plural}${name === "" ? "" : `/${encodeURIComponent(name)}`}`;
  };

  const atNamespace = async (address: ObjectAddress, signal: AbortSignal): Promise<ObjectAddress> => {
    const found = await findKind(address.kind, signal);
    return found?.namespaced === true && address.namespace === "" ? { ...address, namespace: defaultNamespace } : address;
  };

  const at = async (address: ObjectAddress, signal: AbortSignal): Promise<string> =>
    pathOf(await atNamespace(address, signal), signal);

  return {
    defaultNamespace,
    checkReachable: async (signal) => {
      await call({ method: "GET", path: "/version" }, signal);
    },
    findKind,
    get: async (address, signal) => call({ method: "GET", path: await at(address, signal) }, signal),
    list: async (kind, namespace, signal) => {
      const list = await call({ method: "GET", path: await pathOf({ kind, namespace, name: "" }, signal) }, signal);
      const items = list["items"];
      return (Array.isArray(items) ? (items as readonly Json[]) : []).filter(isObject);
    },
    create: async (address, { object, options }, signal) =>
      call(
        { method: "POST", path: await at({ ...address, name: "" }, signal), query: writeQuery(options), body: object },
        signal,
      ),
    replace: async (address, { object, options }, signal) =>
      call({ method: "PUT", path: await at(address, signal), query: writeQuery(options), body: object }, signal),
    apply: async (address, { object, options }, signal) =>
      call(
        {
          method: "PATCH",
          path: await at(address, signal),
          query: { ...writeQuery(options), force: String(options.force) },
          contentType: "application/apply-patch+yaml",
          body: object,
        },
        signal,
      ),
    jsonPatch: async (address, patch, signal) =>
      call({ method: "PATCH", path: await at(address, signal), contentType: "application/json-patch+json", body: patch }, signal),
    delete: async (address, propagationPolicy, signal) => {
      await call({ method: "DELETE", path: await at(address, signal), query: { propagationPolicy } }, signal);
    },
    [Symbol.asyncDispose]: async () => agent.close(),
  };
}

/** Stands where no kubeconfig could be used; every request fails. */
export function createUnreachableCluster(reason: string): Cluster {
  const fail = (): Promise<never> => Promise.reject(new ClusterError("Unreachable", reason));
  return {
    defaultNamespace: "default",
    checkReachable: fail,
    findKind: fail,
    get: fail,
    list: fail,
    create: fail,
    replace: fail,
    apply: fail,
    jsonPatch: fail,
    delete: fail,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function writeQuery({ fieldManager, dryRun }: WriteOptions): Record<string, string> {
  return { fieldManager, fieldValidation: "Warn", ...(dryRun ? { dryRun: "All" } : {}) };
}

function groupPath(kind: GroupVersionKind): string {
  return kind.group === "" ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
}

function parseObject(text: string): JsonObject {
  const parsed: unknown = JSON.parse(text);
  if (!isObject(parsed))
    throw new ClusterError("Other", `The API server answered something that is no object: ${text.slice(0, 200)}`);
  return parsed;
}

function errorOf(code: number, text: string): ClusterError {
  let answer: JsonObject = {};
  try {
    answer = parseObject(text);
  } catch {
    // A proxy or an aggregated API answered in its own words: the text is the message.
  }
  const message =
    stringField(answer, "message") === "" ? `HTTP ${String(code)}: ${text.slice(0, 500)}` : stringField(answer, "message");
  return new ClusterError(reasonOf(code, stringField(answer, "reason")), message, {
    resource: stringField(answer, "details", "kind"),
  });
}

function reasonOf(code: number, reason: string): ClusterErrorReason {
  switch (reason) {
    case "AlreadyExists":
    case "Conflict":
    case "Forbidden":
    case "Invalid":
    case "NotFound":
      return reason;
    default:
      return code === 404 ? "NotFound" : "Other";
  }
}
