// The test bed's own small client of one apiserver: raw paths, JSON in and out, list+watch.
//
// It is deliberately not #kube/client.ts: the bed must keep working, and keep telling the truth, while that one is broken.

import { readFile } from "node:fs/promises";
import { Agent, request } from "undici";
import { parse } from "yaml";

export interface ApiClient extends AsyncDisposable {
  readonly server: string;
  /** undefined when there is no such object. */
  get<T>(path: string, signal?: AbortSignal): Promise<T | undefined>;
  create<T>(path: string, object: object, signal?: AbortSignal): Promise<T>;
  replace<T>(path: string, object: object, signal?: AbortSignal): Promise<T>;
  /** JSON merge patch. */
  patch<T>(path: string, patch: object, signal?: AbortSignal): Promise<T>;
  /** Server-side apply as `test-bed`, taking over what others own. */
  apply<T>(path: string, object: object, signal?: AbortSignal): Promise<T>;
  /** false when there was no such object. */
  delete(path: string, options?: DeleteOptions, signal?: AbortSignal): Promise<boolean>;
  /** Anything else; never throws for a status code. */
  request(options: RequestOptions, signal?: AbortSignal): Promise<ApiResponse>;
  /** Lists once, then watches from there until the resource version is too old or the connection ends. */
  listAndWatch<T extends WatchedObject>(path: string, listener: WatchListener<T>, signal: AbortSignal): Promise<void>;
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: "Background" | "Foreground" | "Orphan";
  readonly preconditions?: { readonly uid: string };
}

export interface RequestOptions {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body?: object;
  readonly contentType?: string;
}

export interface ApiResponse {
  readonly status: number;
  readonly text: string;
}

export interface WatchedObject {
  readonly metadata?: { readonly resourceVersion?: string };
}

export interface WatchListener<T> {
  /** Everything there is; what is not in it is gone. */
  listed(items: readonly T[]): void;
  changed(type: "ADDED" | "MODIFIED" | "DELETED", object: T): void;
}

export class ApiRequestError extends Error {
  override readonly name = "ApiRequestError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

interface KubeconfigFile {
  readonly clusters: readonly { readonly cluster: { readonly server: string; readonly "certificate-authority-data": string } }[];
  readonly users: readonly {
    readonly user: { readonly "client-certificate-data": string; readonly "client-key-data": string };
  }[];
}

const CONNECTIONS_MAX = 32;
/** One line of a watch is one object; etcd takes 1.5 MB. */
const WATCH_LINE_CHARS_MAX = 8_000_000;

/** Understands the kubeconfigs that certificates.ts writes. */
export async function connectApiClient(kubeconfigPath: string): Promise<ApiClient> {
  const file = parse(await readFile(kubeconfigPath, "utf8")) as KubeconfigFile;
  const cluster = file.clusters[0]?.cluster;
  const user = file.users[0]?.user;
  if (cluster === undefined || user === undefined) throw new Error(`${kubeconfigPath} names no cluster or no user`);
  const decode = (text: string): string => Buffer.from(text, "base64").toString();
  const dispatcher = new Agent({
    connections: CONNECTIONS_MAX,
    bodyTimeout: 0,
    // Over HTTP/2 (undici's default) an aborted watch leaves a stream behind whose 'error' nobody hears when the pool is destroyed.
    allowH2: false,
    connect: {
      ca: decode(cluster["certificate-authority-data"]),
      cert: decode(user["client-certificate-data"]),
      key: decode(user["client-key-data"]),
    },
  });
  return apiClient(cluster.server, dispatcher);
}

function apiClient(server: string, dispatcher: Agent): ApiClient {
  const send = async ({ method, path, body, contentType = "application/json" }: RequestOptions, signal?: AbortSignal) => {
    const response = await request(server + path, {
      dispatcher,
      method,
      headers: { accept: "application/json", ...(body === undefined ? {} : { "content-type": contentType }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
    return { status: response.statusCode, text: await response.body.text() };
  };
  const ok = async <T>(options: RequestOptions, signal?: AbortSignal): Promise<T> => {
    const { status, text } = await send(options, signal);
    if (status >= 300)
      throw new ApiRequestError(status, `${options.method} ${options.path}: ${String(status)} ${text.slice(0, 500)}`);
    return JSON.parse(text) as T;
  };
  return {
    server,
    request: send,
    get: <T>(path: string, signal?: AbortSignal) => orMissing(ok<T>({ method: "GET", path }, signal)),
    create: (path, body, signal) => ok({ method: "POST", path, body }, signal),
    replace: (path, body, signal) => ok({ method: "PUT", path, body }, signal),
    patch: (path, body, signal) => ok({ method: "PATCH", path, body, contentType: "application/merge-patch+json" }, signal),
    apply: (path, body, signal) =>
      ok(
        { method: "PATCH", path: `${path}?fieldManager=test-bed&force=true`, body, contentType: "application/apply-patch+yaml" },
        signal,
      ),
    delete: async (path, options = {}, signal) => {
      const result = await orMissing(
        ok({ method: "DELETE", path, body: { kind: "DeleteOptions", apiVersion: "v1", ...options } }, signal),
      );
      return result !== undefined;
    },
    listAndWatch: async <T extends WatchedObject>(path: string, listener: WatchListener<T>, signal: AbortSignal) => {
      const list = await ok<{ items: T[]; metadata: { resourceVersion: string } }>({ method: "GET", path }, signal);
      listener.listed(list.items);
      const separator = path.includes("?") ? "&" : "?";
      const query = `${separator}watch=1&allowWatchBookmarks=true&resourceVersion=${list.metadata.resourceVersion}`;
      await watch(`${server}${path}${query}`, { dispatcher, listener }, signal);
    },
    [Symbol.asyncDispose]: () => dispatcher.destroy(),
  };
}

async function orMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof ApiRequestError && error.status === 404) return undefined;
    throw error;
  }
}

interface WatchEvent<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: T;
}

async function watch<T>(
  url: string,
  { dispatcher, listener }: { readonly dispatcher: Agent; readonly listener: WatchListener<T> },
  signal: AbortSignal,
): Promise<void> {
  const { statusCode, body } = await request(url, { dispatcher, signal, headers: { accept: "application/json" } });
  if (statusCode !== 200) throw new ApiRequestError(statusCode, await body.text());
  body.setEncoding("utf8");
  let rest = "";
  for await (const chunk of body) {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > WATCH_LINE_CHARS_MAX)
      throw new Error(`A watch event is longer than ${String(WATCH_LINE_CHARS_MAX)} characters`);
    for (const line of lines) {
      if (line === "") continue;
      const event = JSON.parse(line) as WatchEvent<T>;
      // The caller lists again: the bed is small, and a list is always right.
      if (event.type === "ERROR") return;
      if (event.type !== "BOOKMARK") listener.changed(event.type, event.object);
    }
  }
}
