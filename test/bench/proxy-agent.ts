// The agent's end of the data path as a process of its own, for the bench: tunnel, access policy and target, nothing else.

import { readFileSync } from "node:fs";
import { createApiserverTarget } from "#agent/targets.ts";
import { runTunnelClient } from "#agent/tunnel-client.ts";
import { createMetrics } from "#std/metrics.ts";
import { runProcess } from "#std/run-process.ts";
import { startHealthServer } from "#std/health-server.ts";

export interface ProxyAgentConfig {
  readonly clusterId: string;
  readonly parent: { readonly server: string; readonly caPem: string; readonly token: string };
  readonly child: { readonly server: string; readonly caPem: string; readonly token: string };
  readonly parentSystemNamespace: string;
}

await runProcess({ component: "agent", version: "bench" }, async ({ argv, clock, log, signal }) => {
  const { clusterId, parent, child, parentSystemNamespace } = JSON.parse(readFileSync(argv[0] ?? "", "utf8")) as ProxyAgentConfig;
  const metrics = createMetrics({ withProcessMetrics: true });
  // What every component of ours runs beside its work belongs into its memory.
  await using health = await startHealthServer({ host: "127.0.0.1", port: 0, metrics, readiness: {} });
  log.info("agent.starting", { healthPort: health.port });
  await using target = createApiserverTarget({
    childConnection: child,
    proxyToken: () => child.token,
    policy: { parentSystemNamespace, allowPush: false },
    log,
    metrics,
  });
  const { server, caPem, token } = parent;
  await runTunnelClient(
    {
      clusterId,
      parent: { server, caPem: () => caPem, token: () => token },
      targets: { apiserver: target.accept },
      clock,
      log,
      metrics,
    },
    signal,
  );
});
