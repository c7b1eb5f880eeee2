// A parent with a hub behind its aggregation layer, and a child whose agent is attached: the data path on real API servers.
//
// Hub and agent run in this process with the RBAC they have when installed; the hub listens at its Service's ClusterIP.

import { connect } from "#kube/connection.ts";
import { createHub } from "#hub/hub.ts";
import { parseHubOptions } from "#hub/options.ts";
import { HubPermissions } from "#hub/permissions.ts";
import { ProxyPermissions } from "#agent/permissions.ts";
import { createApiserverTarget, type ApiserverTarget } from "#agent/targets.ts";
import { runTunnelClient, type TunnelStatus } from "#agent/tunnel-client.ts";
import { apiServices } from "#api/names.ts";
import { socketProxyUrl } from "#api/proxies/v1alpha1/socket.ts";
import { accountObjects } from "#install/rbac.ts";
import { realClock } from "#std/clock.ts";
import { createLogger, type Logger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";
import type { ApiClient } from "#test/framework/api-client.ts";
import { startControlPlane, type ControlPlane } from "#test/framework/control-plane.ts";
import { eventually } from "#test/framework/eventually.ts";

export const SYSTEM_NAMESPACE = "clusternet-system";
export const HUB_PORT = 8443;

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
  startHub(flags?: readonly string[]): Promise<void>;
}

export interface AgentOptions {
  readonly allowPush?: boolean;
  readonly viaHub?: boolean;
}

export interface HubBedOptions {
  readonly hubFlags?: readonly string[];
}

export async function startHubBed(options: HubBedOptions = {}): Promise<HubBed> {
  await using stack = new AsyncDisposableStack();
  const [parent, child] = await Promise.all([startControlPlane({ name: "parent" }), startControlPlane({ name: "child" })]);
  stack.use(parent);
  stack.use(child);
  const hubAddress = await installHub(parent);
  const clusterId = await uidOf(child.admin, "/api/v1/namespaces/kube-system");
  await installAgentAccounts(parent, child, clusterId);

  const lines: Record<string, unknown>[] = [];
  const hub = createRunner((signal, started) =>
    runHub({ parent, hubAddress, log: collectingLogger("hub", lines), flags }, started, signal),
  );
  let flags = options.hubFlags ?? [];
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
  const startHub = async (more: readonly string[] = options.hubFlags ?? []): Promise<void> => {
    flags = more;
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

/** The objects that an installation makes, with an EndpointSlice by hand: there are no pods here. Returns the hub's ClusterIP. */
export async function installHub({ admin }: Pick<ControlPlane, "admin">): Promise<string> {
  await ensure(admin, "/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: SYSTEM_NAMESPACE } });
  await grant(admin, "clusternet-hub", HubPermissions);
  await ensure(admin, "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/rolebindings", {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "RoleBinding",
    metadata: { name: "clusternet-hub-authentication-reader" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "extension-apiserver-authentication-reader" },
    subjects: [{ kind: "ServiceAccount", name: "clusternet-hub", namespace: SYSTEM_NAMESPACE }],
  });
  const services = `/api/v1/namespaces/${SYSTEM_NAMESPACE}/services`;
  await ensure(admin, services, {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "clusternet-hub" },
    spec: { ports: [{ name: "https", port: HUB_PORT, targetPort: HUB_PORT }] },
  });
  await ensure(admin, `/apis/discovery.k8s.io/v1/namespaces/${SYSTEM_NAMESPACE}/endpointslices`, {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "clusternet-hub-1", labels: { "kubernetes.io/service-name": "clusternet-hub" } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.244.0.1"], conditions: { ready: true } }],
    ports: [{ name: "https", port: HUB_PORT, protocol: "TCP" }],
  });
  await ensure(admin, "/apis/apiregistration.k8s.io/v1/apiservices", {
    apiVersion: "apiregistration.k8s.io/v1",
    kind: "APIService",
    metadata: { name: apiServices.proxies },
    spec: {
      group: "proxies.clusternet.io",
      version: "v1alpha1",
      groupPriorityMinimum: 1000,
      versionPriority: 100,
      service: { name: "clusternet-hub", namespace: SYSTEM_NAMESPACE, port: HUB_PORT },
    },
  });
  const service = await admin.get<{ spec: { clusterIP: string } }>(`${services}/clusternet-hub`);
  if (service === undefined) throw new Error("The hub's Service is gone");
  return service.spec.clusterIP;
}

/** The child's identity at the parent, and the account in the child that may impersonate. */
export async function installAgentAccounts(
  parent: Pick<ControlPlane, "admin">,
  child: Pick<ControlPlane, "admin">,
  clusterId: string,
): Promise<void> {
  await attachRole(parent.admin, clusterId);
  await ensure(child.admin, "/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: SYSTEM_NAMESPACE } });
  await grant(child.admin, "clusternet-proxy", ProxyPermissions);
}

export async function attachRole(admin: ApiClient, clusterId: string): Promise<void> {
  const name = `clusternet-${clusterId}`;
  await ensure(admin, `/api/v1/namespaces/${SYSTEM_NAMESPACE}/serviceaccounts`, {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "clusternet-agent" },
  });
  await ensure(admin, "/apis/rbac.authorization.k8s.io/v1/clusterroles", {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    metadata: { name },
    rules: [
      {
        apiGroups: ["proxies.clusternet.io"],
        resources: ["sockets/attach"],
        resourceNames: [clusterId],
        verbs: ["get", "create"],
      },
    ],
  });
  await ensure(admin, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
    subjects: [{ kind: "ServiceAccount", name: "clusternet-agent", namespace: SYSTEM_NAMESPACE }],
  });
}

/** Lets a user or group use `verbs` on `resources` of a cluster. */
export async function allow(
  admin: ApiClient,
  { name, subject, rules }: { readonly name: string; readonly subject: object; readonly rules: readonly object[] },
): Promise<void> {
  await ensure(admin, "/apis/rbac.authorization.k8s.io/v1/clusterroles", {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    metadata: { name },
    rules,
  });
  await ensure(admin, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
    subjects: [subject],
  });
}

/** Let callers through to the children; what they may do there, the child decides. */
export const socketsProxyRules = [{ apiGroups: ["proxies.clusternet.io"], resources: ["sockets/proxy"], verbs: ["*"] }] as const;

export async function tokenOf(admin: ApiClient, account: string, namespace = SYSTEM_NAMESPACE): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`;
  const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds: 3600 } };
  const { status } = await admin.create<{ status: { token: string } }>(path, body);
  return status.token;
}

export async function isAvailable(admin: ApiClient): Promise<boolean> {
  const service = await admin.get<{ status?: { conditions?: { type: string; status: string; message: string }[] } }>(
    `/apis/apiregistration.k8s.io/v1/apiservices/${apiServices.proxies}`,
  );
  const condition = service?.status?.conditions?.find(({ type }) => type === "Available");
  if (condition?.status === "True") return true;
  throw new Error(condition?.message ?? "no condition yet");
}

interface RunHubOptions {
  readonly parent: ControlPlane;
  readonly hubAddress: string;
  readonly flags: readonly string[];
  readonly log: Logger;
}

async function runHub(
  { parent, hubAddress, flags, log }: RunHubOptions,
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
  const hub = createHub(parseHubOptions(argv, {}), { connection, clock: realClock, log, onListening: started });
  await hub.run(signal);
}

interface RunAgentOptions extends AgentOptions {
  readonly parent: ControlPlane;
  readonly child: ControlPlane;
  readonly clusterId: string;
  readonly hubUrl: string;
  readonly log: Logger;
  readonly onStatus: (status: TunnelStatus) => void;
}

async function runAgent(options: RunAgentOptions, signal: AbortSignal): Promise<void> {
  const { parent, child, clusterId, hubUrl, log, onStatus, viaHub = false } = options;
  const token = await tokenOf(parent.admin, "clusternet-agent");
  await using target = await childTarget(child, options);
  const parentAddress = viaHub
    ? { server: hubUrl, caPem: await hubAuthority(parent.admin) }
    : { server: parent.server, caPem: parent.caPem };
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
  { allowPush = false, log }: { readonly allowPush?: boolean; readonly log: Logger },
): Promise<ApiserverTarget> {
  const token = await tokenOf(child.admin, "clusternet-proxy");
  return createApiserverTarget({
    childConnection: { server: child.server, caPem: child.caPem },
    proxyToken: () => token,
    policy: { parentSystemNamespace: SYSTEM_NAMESPACE, allowPush },
    log,
    metrics: createMetrics(),
  });
}

/** What clients of the hub's own address trust. */
export async function hubAuthority(admin: ApiClient): Promise<string> {
  const secret = await admin.get<{ data: Record<string, string> }>(
    `/api/v1/namespaces/${SYSTEM_NAMESPACE}/secrets/clusternet-hub-serving`,
  );
  return Buffer.from(secret?.data["ca.crt"] ?? "", "base64").toString();
}

interface Runner {
  start(): Promise<void>;
  stop(): Promise<void>;
}

function createRunner(run: (signal: AbortSignal, started: () => void) => Promise<void>): Runner {
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

function collectingLogger(component: string, lines: Record<string, unknown>[]): Logger {
  const destination = {
    write: (line: string) => {
      if (process.env["CLUSTERNET_TEST_LOG"] !== undefined) process.stderr.write(line);
      lines.push(JSON.parse(line) as Record<string, unknown>);
    },
  };
  return createLogger({ component, level: "debug", destination });
}

async function grant(admin: ApiClient, name: string, permissions: Parameters<typeof accountObjects>[1]): Promise<void> {
  for (const object of accountObjects({ name, namespace: SYSTEM_NAMESPACE, labels: {} }, permissions)) {
    await ensure(admin, collectionOf(object), object);
  }
}

function collectionOf({
  apiVersion,
  kind,
  metadata,
}: {
  apiVersion: string;
  kind: string;
  metadata: { namespace?: string };
}): string {
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const namespace = metadata.namespace === undefined ? "" : `/namespaces/${metadata.namespace}`;
  return `${root}${namespace}/${kind.toLowerCase()}s`;
}

async function ensure(admin: ApiClient, collection: string, object: object): Promise<void> {
  const { status, text } = await admin.request({ method: "POST", path: collection, body: object });
  if (status >= 300 && status !== 409) throw new Error(`POST ${collection}: ${String(status)} ${text}`);
}

async function uidOf(admin: ApiClient, path: string): Promise<string> {
  const object = await admin.get<{ metadata: { uid: string } }>(path);
  if (object === undefined) throw new Error(`${path} is not there`);
  return object.metadata.uid;
}
