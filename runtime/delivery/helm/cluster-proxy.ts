// How helm reaches a cluster without a credential of it: a server on loopback that adds ours.
//
// A kubeconfig (mode 0600, in a directory of ours) names this server and, as the first part of every path, a random ticket, which is
// worth something only here and only while its holder runs. (Kubernetes clients send no token over plain HTTP.) Requests go on with the connection's own credentials, which may be renewed meanwhile, and through the hub where
// that is the way.

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Connection } from "#kube/connection.ts";

export interface ClusterAccess extends AsyncDisposable {
  /** Path of the kubeconfig. */
  readonly kubeconfig: string;
  /** Address of the proxy as helm's messages show it. */
  readonly server: string;
}

export interface ClusterProxy extends AsyncDisposable {
  /** Access to one cluster until it is disposed. */
  open(connection: Connection): Promise<ClusterAccess>;
}

/** Of this hop only. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  "authorization",
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "proxy-authorization",
  "te",
  "transfer-encoding",
  "upgrade",
]);

export async function startClusterProxy({ directory }: { readonly directory: string }): Promise<ClusterProxy> {
  const tickets = new Map<string, Connection>();
  const server = createServer((request, response) => {
    void answer(request, response, tickets);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const address = `http://127.0.0.1:${String(port)}`;
  return {
    open: async (connection) => {
      const ticket = randomBytes(32).toString("base64url");
      const kubeconfig = join(directory, `kubeconfig-${randomBytes(8).toString("hex")}`);
      const own = `${address}/${ticket}`;
      await writeFile(kubeconfig, kubeconfigText(own), { mode: 0o600, flag: "wx" });
      tickets.set(ticket, connection);
      return {
        kubeconfig,
        server: own,
        [Symbol.asyncDispose]: async () => {
          tickets.delete(ticket);
          await rm(kubeconfig, { force: true });
        },
      };
    },
    [Symbol.asyncDispose]: () => close(server),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  tickets: ReadonlyMap<string, Connection>,
): Promise<void> {
  const [, ticket = "", path = "/"] = /^\/([^/?]*)(.*)$/.exec(request.url ?? "") ?? [];
  const connection = tickets.get(ticket);
  if (connection === undefined) {
    sayStatus(response, { code: 401, reason: "Unauthorized", message: "This is a proxy of Clusternet for its own helm" });
    return;
  }
  const left = new AbortController();
  response.on("close", () => {
    left.abort();
  });
  try {
    await pass({ request, response, connection, path }, left.signal);
  } catch (error) {
    if (response.headersSent || left.signal.aborted) response.destroy();
    else sayStatus(response, { code: 503, reason: "ServiceUnavailable", message: reasonOf(error) });
  }
}

interface Passing {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly connection: Connection;
  /** Without the ticket. */
  readonly path: string;
}

async function pass({ request, response, connection, path }: Passing, signal: AbortSignal): Promise<void> {
  const authorization = await connection.authorization(signal);
  const { origin, pathname } = new URL(connection.server);
  const hasBody = request.method !== "GET" && request.method !== "HEAD";
  const { statusCode, headers, body } = await connection.dispatcher.request({
    origin,
    method: request.method ?? "GET",
    path: `${pathname === "/" ? "" : pathname}${path}`,
    headers: { ...ownedHeaders(request.headers), ...authorization },
    body: hasBody ? request : null,
    signal,
  });
  if (statusCode === 401) connection.forgetCredentials();
  response.writeHead(statusCode, ownedHeaders(headers));
  // A watch is silent for long: its headers must not wait for its first event.
  response.flushHeaders();
  await pipeline(body, response);
}

function ownedHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).filter((entry): entry is [string, string | string[]] => {
      const [name, value] = entry;
      return value !== undefined && !OWN_HEADERS.has(name);
    }),
  );
}

function sayStatus(
  response: ServerResponse,
  { code, reason, message }: { readonly code: number; readonly reason: string; readonly message: string },
): void {
  response.writeHead(code, { "content-type": "application/json" });
  response.end(JSON.stringify({ apiVersion: "v1", kind: "Status", status: "Failure", code, reason, message }));
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** JSON is YAML. */
function kubeconfigText(server: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "child", cluster: { server } }],
    users: [{ name: "helm", user: {} }],
    contexts: [{ name: "child", context: { cluster: "child", user: "helm" } }],
    "current-context": "child",
  });
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, "close");
}
