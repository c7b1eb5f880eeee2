// Runs hub and agent in the test's process, with the RBAC and the flags that they have when installed.

import { connect } from "#kube/connection.ts";
import { createHub } from "#hub/hub.ts";
import { parseHubOptions, type HubOptions } from "#hub/options.ts";
import { createApiserverTarget, type ApiserverTarget } from "#agent/targets.ts";
import { runTunnelClient, type TunnelStatus } from "#agent/tunnel-client.ts";
import { realClock } from "#std/clock.ts";
import { createLogger, type Logger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";
import type { ControlPlane } from "#test/framework/control-plane.ts";
import { HUB_PORT, hubAuthority, SYSTEM_NAMESPACE, tokenOf } from "./hub-objects.ts";

export interface RunHubOptions {
  readonly parent: ControlPlane;
  readonly hubAddress: string;
  readonly flags: readonly string[];
  /** What no flag can say. */
  readonly set: Partial<HubOptions>;
  readonly log: Logger;
}

export async function runHub(
  { parent, hubAddress, flags, set, log }: RunHubOptions,
  started: () => void,
  signal: AbortSignal,
): Promise<void> {
  const token = await tokenOf(parent.admin, "clusternet-hub");
  await using connection = connect({ server: parent.server, caPem: parent.caPem, token });
  const argv = [
    `--bind-address=${hubAddress}`,
    `--secure-port=${String(HUB_PORT)}`,
    "--health-port=0",
    "--shutdown-delay=0ms",
    "--shutdown-timeout=2s",
    `--leader-elect-resource-namespace=${SYSTEM_NAMESPACE}`,
    ...flags,
  ];
  const hub = createHub({ ...parseHubOptions(argv, {}), ...set }, { connection, clock: realClock, log, onListening: started });
  await hub.run(signal);
}

export interface AgentOptions {
  readonly allowPush?: boolean;
  readonly viaHub?: boolean;
  /** Where the agent finds the child's API server; its own address when not given. */
  readonly childServer?: string;
}

export interface RunAgentOptions extends AgentOptions {
  readonly parent: ControlPlane;
  readonly child: ControlPlane;
  readonly clusterId: string;
  readonly hubUrl: string;
  readonly log: Logger;
  readonly onStatus: (status: TunnelStatus) => void;
}

export async function runAgent(options: RunAgentOptions, signal: AbortSignal): Promise<void> {
  const { parent, child, clusterId, hubUrl, log, onStatus, viaHub = false } = options;
  const token = await tokenOf(parent.admin, "clusternet-agent");
  await using target = await childTarget(child, options);
  const parentAddress = viaHub
    ? { server: hubUrl, caPem: () => hubAuthority(parent.admin) }
    : { server: parent.server, caPem: () => parent.caPem };
  await runTunnelClient(
    {
      clusterId,
      parent: { ...parentAddress, token: () => token },
      targets: { apiserver: target.accept },
      clock: realClock,
      log,
      metrics: createMetrics(),
      onStatus,
    },
    signal,
  );
}

async function childTarget(
  child: ControlPlane,
  { allowPush = false, childServer = child.server, log }: RunAgentOptions,
): Promise<ApiserverTarget> {
  const token = await tokenOf(child.admin, "clusternet-proxy");
  return createApiserverTarget({
    childConnection: { server: childServer, caPem: child.caPem },
    proxyToken: () => token,
    policy: { parentSystemNamespace: SYSTEM_NAMESPACE, allowPush },
    log,
    metrics: createMetrics(),
  });
}

export interface Runner {
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createRunner(run: (signal: AbortSignal, started: () => void) => Promise<void>): Runner {
  let current: { readonly controller: AbortController; readonly ended: Promise<void> } | undefined;
  return {
    start: async () => {
      const controller = new AbortController();
      const started = Promise.withResolvers<undefined>();
      const ended = run(controller.signal, () => {
        started.resolve(undefined);
      });
      current = { controller, ended };
      await Promise.race([started.promise, ended.then(() => Promise.reject(new Error("It ended before it had started")))]);
    },
    stop: async () => {
      const stopping = current;
      current = undefined;
      stopping?.controller.abort(new Error("The test stops it"));
      await stopping?.ended.catch(() => undefined);
    },
  };
}

export function collectingLogger(component: string, lines: Record<string, unknown>[]): Logger {
  const destination = {
    write: (line: string) => {
      if (process.env["CLUSTERNET_TEST_LOG"] !== undefined) process.stderr.write(line);
      lines.push(JSON.parse(line) as Record<string, unknown>);
    },
  };
  return createLogger({ component, level: "debug", destination });
}
