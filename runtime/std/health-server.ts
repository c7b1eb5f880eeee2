// Serves /livez, /readyz and /metrics over plain HTTP, for probes and scrapes inside the cluster.

import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Metrics } from "#std/metrics.ts";

/** A check returns undefined when all is well, else why not. */
export type HealthCheck = () => string | undefined;

export interface HealthServerOptions {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly metrics: Metrics;
  /** Named conditions that must all hold for /readyz. */
  readonly readiness: Readonly<Record<string, HealthCheck>>;
  /** Named conditions whose failure means that only a restart helps. */
  readonly liveness?: Readonly<Record<string, HealthCheck>>;
}

export interface HealthServer extends AsyncDisposable {
  readonly port: number;
}

export async function startHealthServer({
  host,
  port,
  metrics,
  readiness,
  liveness = {},
}: HealthServerOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    void (async () => {
      const path = new URL(request.url ?? "/", "http://health").pathname;
      if (path === "/metrics") {
        response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }).end(await metrics.text());
        return;
      }
      const checks = path === "/readyz" ? readiness : path === "/livez" || path === "/healthz" ? liveness : undefined;
      const { status, body } = checks === undefined ? { status: 404, body: "not found\n" } : report(checks);
      response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(body);
    })();
  });
  server.listen(port, host);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

/** The form kube-apiserver answers with: one line a check, `[+]name ok` or `[-]name failed: why`. */
function report(checks: Readonly<Record<string, HealthCheck>>): { status: number; body: string } {
  const results = Object.entries(checks).map(([name, check]) => ({ name, problem: check() }));
  const lines = results.map(({ name, problem }) => (problem === undefined ? `[+]${name} ok` : `[-]${name} failed: ${problem}`));
  const failed = results.some(({ problem }) => problem !== undefined);
  return { status: failed ? 503 : 200, body: `${[...lines, failed ? "check failed" : "ok"].join("\n")}\n` };
}
