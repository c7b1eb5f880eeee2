// The API of many children in one process, as light as it can be: ConfigMaps in memory, with discovery, server-side apply (whole objects,
// one manager), list, watch and delete. What it stands for costs a real child more; what the bench measures is the way to it.

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface LightChildren extends AsyncDisposable {
  /** Of one child: `http://127.0.0.1:PORT/NAME`. */
  serverOf(child: string): string;
  /** Called when an object was applied, with the time that is. */
  onApplied: (applied: Applied) => void;
}

export interface Applied {
  readonly child: string;
  readonly name: string;
  readonly data: unknown;
  /** Of this process's monotonic clock. */
  readonly atMs: number;
}

interface StoredObject {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly [field: string]: unknown };
  readonly data?: unknown;
}

interface Child {
  readonly objects: Map<string, StoredObject>;
  readonly watches: Set<ServerResponse>;
  version: number;
}

const RESOURCES = {
  kind: "APIResourceList",
  apiVersion: "v1",
  groupVersion: "v1",
  resources: [{ name: "configmaps", singularName: "", namespaced: true, kind: "ConfigMap", verbs: ["get", "list", "watch"] }],
};
const OBJECT = /^\/api\/v1\/namespaces\/([^/]+)\/configmaps\/([^/]+)$/;

export async function startLightChildren(): Promise<LightChildren> {
  const children = new Map<string, Child>();
  const server = createServer((request, response) => {
    void serve(request, response);
  });
  const light: LightChildren = {
    serverOf: (child) => `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/${child}`,
    onApplied: () => undefined,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://child");
    const [, name = ""] = pathname.split("/", 2);
    const path = pathname.slice(name.length + 1);
    const child = children.get(name) ?? { objects: new Map(), watches: new Set(), version: 1 };
    children.set(name, child);
    if (path === "/api/v1") send(response, 200, RESOURCES);
    else if (path === "/api/v1/configmaps" && searchParams.has("watch"))
      watch(child, { response, since: Number(searchParams.get("resourceVersion") ?? 0) });
    else if (path === "/api/v1/configmaps") send(response, 200, list(child));
    else {
      const [, namespace = "", objectName = ""] = OBJECT.exec(path) ?? [];
      const key = `${namespace}/${objectName}`;
      if (request.method === "PATCH") await apply(name, child, { request, response, key });
      else if (!child.objects.has(key)) fail(response, 404, "NotFound");
      else if (request.method === "DELETE") remove(child, response, key);
      else send(response, 200, child.objects.get(key));
    }
  }

  async function apply(
    name: string,
    child: Child,
    { request, response, key }: { readonly request: IncomingMessage; readonly response: ServerResponse; readonly key: string },
  ): Promise<void> {
    const object = JSON.parse(await textOf(request)) as StoredObject;
    const before = child.objects.get(key);
    child.version += 1;
    const stored = {
      ...object,
      metadata: {
        ...object.metadata,
        uid: before?.metadata["uid"] ?? randomUUID(),
        resourceVersion: String(child.version),
        creationTimestamp: before?.metadata["creationTimestamp"] ?? new Date().toISOString(),
      },
    };
    if (new URL(request.url ?? "/", "http://child").searchParams.has("dryRun")) {
      send(response, 200, stored);
      return;
    }
    child.objects.set(key, stored);
    light.onApplied({ child: name, name: object.metadata.name, data: object.data, atMs: performance.now() });
    emit(child, before === undefined ? "ADDED" : "MODIFIED", stored);
    send(response, before === undefined ? 201 : 200, stored);
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return light;
}

function list({ objects, version }: Child): object {
  return {
    apiVersion: "v1",
    kind: "ConfigMapList",
    metadata: { resourceVersion: String(version) },
    items: [...objects.values()],
  };
}

/** From a version on, but for deletions: what was applied between a list and its watch is told, as a real child does. */
function watch(child: Child, { response, since }: { readonly response: ServerResponse; readonly since: number }): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.flushHeaders();
  for (const object of child.objects.values())
    if (Number(object.metadata["resourceVersion"]) > since) response.write(lineOf("MODIFIED", object));
  child.watches.add(response);
  response.on("close", () => child.watches.delete(response));
}

function remove(child: Child, response: ServerResponse, key: string): void {
  const object = child.objects.get(key);
  child.objects.delete(key);
  child.version += 1;
  emit(child, "DELETED", { ...object, metadata: { ...object?.metadata, resourceVersion: String(child.version) } });
  send(response, 200, { apiVersion: "v1", kind: "Status", status: "Success" });
}

function emit({ watches }: Child, type: string, object: unknown): void {
  for (const response of watches) response.write(lineOf(type, object));
}

function lineOf(type: string, object: unknown): string {
  return `${JSON.stringify({ type, object })}\n`;
}

function fail(response: ServerResponse, code: number, reason: string): void {
  send(response, code, { apiVersion: "v1", kind: "Status", status: "Failure", reason, code, message: reason });
}

function send(response: ServerResponse, code: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(code, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
