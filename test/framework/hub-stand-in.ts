// A front door to a parent that answers the hub's proxy path by passing requests on to a child, as the child's own administrator. For
// tests of what pushes through a hub, without the hub.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { parseSocketPath } from "#api/proxies/v1alpha1/socket.ts";
import { connect, connectKubeconfig, type Connection } from "#kube/connection.ts";

const HOP_HEADERS = new Set(["host", "connection", "transfer-encoding"]);

export interface HubStandIn extends AsyncDisposable {
  /** The parent, with children behind it. */
  connect(): Connection;
  /** Requests that went to children. */
  readonly pushed: readonly string[];
}

export interface HubStandInOptions {
  readonly parentKubeconfig: string;
  /** Path of the child's kubeconfig by cluster id. */
  readonly kubeconfigOf: (clusterId: string) => string | undefined;
}

export async function startHubStandIn({ parentKubeconfig, kubeconfigOf }: HubStandInOptions): Promise<HubStandIn> {
  const stack = new AsyncDisposableStack();
  const parent = stack.use(await connectKubeconfig({ path: parentKubeconfig }));
  const children = new Map<string, Connection>();
  const pushed: string[] = [];

  async function targetOf(url: string): Promise<{ readonly connection: Connection; readonly path: string }> {
    const parsed = parseSocketPath(url);
    if (!parsed.found || parsed.path.type !== "proxy") return { connection: parent, path: url };
    const socket = parsed.path;
    const kubeconfig = kubeconfigOf(socket.id);
    if (kubeconfig === undefined) throw new Error(`No child ${socket.id}`);
    const connection = children.get(socket.id) ?? stack.use(await connectKubeconfig({ path: kubeconfig }));
    children.set(socket.id, connection);
    const path = socket.rest.slice("/direct".length);
    pushed.push(path);
    return { connection, path };
  }

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { connection, path } = await targetOf(request.url ?? "/");
    const controller = new AbortController();
    response.on("close", () => {
      controller.abort();
    });
    const authorization = await connection.authorization(controller.signal);
    const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !HOP_HEADERS.has(name)));
    const {
      statusCode,
      headers: answered,
      body,
    } = await connection.dispatcher.request({
      origin: new URL(connection.server).origin,
      path,
      method: request.method as "GET",
      headers: { ...(headers as Record<string, string>), ...authorization },
      body: request.method === "GET" ? null : request,
      signal: controller.signal,
    });
    response.writeHead(statusCode, answered as Record<string, string>);
    response.flushHeaders();
    for await (const chunk of body) response.write(chunk);
    response.end();
  }

  const server = createServer((request, response) => {
    pass(request, response).catch(() => {
      if (!response.headersSent) response.writeHead(502);
      response.destroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    pushed,
    connect: () => connect({ server: `http://127.0.0.1:${String(port)}` }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
