// A parent with a hub behind its aggregation layer, and a child whose agent is attached: the data path on real API servers.
//
// Hub and agent run in this process with the RBAC they have when installed; the hub listens at its Service's ClusterIP.

import type { HubOptions } from "#hub/options.ts";
import { socketProxyUrl } from "#api/proxies/v1alpha1/socket.ts";
import { startControlPlane, type ControlPlane, type ControlPlaneOptions } from "#test/framework/control-plane.ts";
import { eventually } from "#test/framework/eventually.ts";
import { HUB_PORT, installAgentAccounts, installHub, isAvailable, uidOf } from "./hub-objects.ts";
import { collectingLogger, createRunner, runAgent, runHub, type AgentOptions } from "./hub-runner.ts";
import type { TunnelStatus } from "#agent/tunnel-client.ts";

export interface HubBed extends AsyncDisposable {
  readonly parent: ControlPlane;
  readonly child: ControlPlane;
  readonly clusterId: string;
  /** `https://<ClusterIP>:8443`. */
  readonly hubUrl: string;
  /** The child's API server through the parent's. */
  readonly proxyUrl: string;
  readonly accessLog: Record<string, unknown>[];
  tunnelStatus(): TunnelStatus | undefined;
  /** Ends the agent and waits; its id stays known to the hub. */
  stopAgent(): Promise<void>;
  startAgent(options?: AgentOptions): Promise<void>;
  stopHub(): Promise<void>;
  /** `set`: what no flag can say, such as a lifetime of seconds. */
  startHub(flags?: readonly string[], set?: Partial<HubOptions>): Promise<void>;
}

export interface HubBedOptions {
  readonly hubFlags?: readonly string[];
  /** The child's control plane. */
  readonly child?: ControlPlaneOptions;
}

export async function startHubBed(options: HubBedOptions = {}): Promise<HubBed> {
  await using stack = new AsyncDisposableStack();
  const [parent, child] = await Promise.all([
    startControlPlane({ name: "parent" }),
    startControlPlane({ name: "child", ...options.child }),
  ]);
  stack.use(parent);
  stack.use(child);
  const hubAddress = await installHub(parent);
  const clusterId = await uidOf(child.admin, "/api/v1/namespaces/kube-system");
  await installAgentAccounts(parent, child, clusterId);

  const lines: Record<string, unknown>[] = [];
  const hub = createRunner((signal, started) =>
    runHub({ parent, hubAddress, log: collectingLogger("hub", lines), flags, set }, started, signal),
  );
  let flags = options.hubFlags ?? [];
  let set: Partial<HubOptions> = {};
  let agentOptions: AgentOptions = {};
  let status: TunnelStatus | undefined;
  const hubUrl = `https://${hubAddress}:${String(HUB_PORT)}`;
  const agent = createRunner((signal, started) =>
    runAgent(
      {
        parent,
        child,
        clusterId,
        hubUrl,
        ...agentOptions,
        log: collectingLogger("agent", lines),
        onStatus: (next) => {
          status = next;
          if (next.state === "connected") started();
        },
      },
      signal,
    ),
  );
  stack.defer(() => hub.stop());
  stack.defer(() => agent.stop());
  const startHub: HubBed["startHub"] = async (more = options.hubFlags ?? [], settings = {}) => {
    flags = more;
    set = settings;
    await hub.start();
    await eventually("the APIService is available", () => isAvailable(parent.admin));
  };
  await startHub();
  await agent.start();
  const owned = stack.move();
  return {
    parent,
    child,
    clusterId,
    hubUrl,
    proxyUrl: socketProxyUrl(parent.server, clusterId),
    accessLog: lines,
    tunnelStatus: () => status,
    stopAgent: () => agent.stop(),
    startAgent: async (next = {}) => {
      agentOptions = next;
      await agent.start();
    },
    stopHub: () => hub.stop(),
    startHub,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
