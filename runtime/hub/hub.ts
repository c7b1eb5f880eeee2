// Wires the hub, top to bottom; shows the filter order.
//
//   starting ──certificate, trust──▶ serving ──SIGTERM──▶ unready ──shutdown delay──▶ draining (GOAWAY) ──▶ stopped
//
// The shutdown timeline is in docs/contracts/proxy-path.md.

import { childController, withTimeLimit } from "#std/abort.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { labels } from "#api/names.ts";
import { ConfigMap } from "#kube/builtin-kinds.ts";
import { createClient, type Client } from "#kube/client.ts";
import type { Connection } from "#kube/connection.ts";
import { createInformer, type Informer } from "#kube/informer.ts";
import { runManager } from "#kube/manager.ts";
import type { Clock } from "#std/clock.ts";
import { startHealthServer } from "#std/health-server.ts";
import type { Logger } from "#std/log.ts";
import { createMetrics, type Metrics } from "#std/metrics.ts";
import { packageVersion } from "#std/version.ts";
import { createAuthenticate } from "./authenticate.ts";
import { createAuthorize } from "./authorize.ts";
import { parseClientTrust, type ClientTrust } from "./client-trust.ts";
import { createHandlerChain, type HandlerChain } from "./handler-chain.ts";
import { createState, type HubState } from "./hub-state.ts";
import { createInFlight, type InFlight, type InFlightOptions } from "./in-flight.ts";
import type { HubOptions } from "./options.ts";
import { createParentQuestions } from "./parent-questions.ts";
import { createRefuseLeaving } from "./refuse-leaving.ts";
import { createRequestMetrics } from "./request-metrics.ts";
import { createRoutes, type SocketHandlers } from "./routes.ts";
import { startHubServer, type HubServer } from "./server.ts";
import { createServingCertificate } from "./serving-certificate.ts";
import { shutDown } from "./shut-down.ts";
import { createConnect } from "./sockets/connect.ts";
import { createProxy, type AbsentCluster } from "./sockets/proxy.ts";
import { createSessions, type Sessions } from "./sockets/sessions.ts";

export interface HubDependencies {
  /** To the parent's API server. */
  readonly connection: Connection;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told when the hub serves; for tests. */
  readonly onListening?: (port: number) => void;
}

export interface Hub {
  run(signal: AbortSignal): Promise<void>;
}

const AUTHENTICATION_CONFIG = { namespace: "kube-system", name: "extension-apiserver-authentication" } as const;
const START_TIME_MAX_MS = 60_000;

export function createHub(options: HubOptions, { connection, clock, log, onListening }: HubDependencies): Hub {
  const metrics = createMetrics({ withProcessMetrics: true });
  const client = createClient(connection, { component: "hub" });
  const shared = { clock, log, metrics };
  const state = createState();

  const authentication = createInformer(client, ConfigMap, {
    ...shared,
    namespace: AUTHENTICATION_CONFIG.namespace,
    fieldSelector: `metadata.name=${AUTHENTICATION_CONFIG.name}`,
  });
  const clusters = createInformer(client, ManagedCluster, { ...shared, indexes: { id: clusterIds } });
  const serving = createServingCertificate({
    client,
    namespace: options.leaderElectResourceNamespace,
    names: servingNames(options),
    authorityDays: options.servingAuthorityDays,
    certificateDays: options.servingCertificateDays,
    overlapMs: options.authorityOverlap,
    onCertificate: state.setCertificate,
    ...shared,
  });
  followTrust(authentication, { onTrust: state.setTrust, log });

  const sessions = createSessions({ perClusterMax: options.maxSessionsPerCluster, clock, metrics });
  const describeAbsent = (id: string): AbsentCluster => absentCluster(id, { clusters, sessions });
  const proxy = createProxy({ sessions, describeAbsent, credentialExtras: options.credentialExtras, clock });
  const tunnels = new AbortController();
  const connect = createConnect({ sessions, ...shared });
  const sockets: SocketHandlers = {
    attach: (exchange, clusterId) => connect(exchange, clusterId, tunnels.signal),
    proxy: proxy.handle,
  };
  const inFlight = createInFlight({ ...limitsOf(options), metrics });
  const chain = createChain({ client, state, sockets, inFlight, ...shared });

  const serve = async (signal: AbortSignal): Promise<void> => {
    await using server = await listen({ options, state, chain }, signal);
    log.info("hub.listening", { address: options.bindAddress, port: server.port });
    onListening?.(server.port);
    await untilAborted(signal);
    await shutDown({ options, state, sessions, inFlight, endWatches: proxy.endWatches, clock, log });
    tunnels.abort(new Error("The hub stopped"));
  };

  return {
    run: async (signal) => {
      await using health = await startHealthServer({
        host: options.bindAddress,
        port: options.healthPort,
        metrics,
        readiness: state.readiness,
      });
      log.info("hub.starting", { healthPort: health.port });
      // What serving needs ends after it: a request that is being answered still asks the parent.
      const background = new AbortController();
      const informers = [authentication, clusters, ...serving.informers];
      const supporting = runManager({ informers, controllers: [serving.controller], clock, log }, background.signal);
      using accepting = childController(signal);
      const failed = supporting.catch((error: unknown) => {
        accepting.abort(error);
        throw error;
      });
      failed.catch(() => undefined);
      const deadlines = proxy.watchDeadlines(background.signal);
      try {
        await serve(accepting.signal);
      } finally {
        background.abort();
        await Promise.allSettled([failed, deadlines]);
      }
      if (!signal.aborted) await failed;
    },
  };
}

function limitsOf({ maxRequestsInFlight, maxLongRunningRequestsInFlight }: HubOptions): Omit<InFlightOptions, "metrics"> {
  return { shortMax: maxRequestsInFlight, longRunningMax: maxLongRunningRequestsInFlight };
}

interface ChainParts {
  readonly client: Client;
  readonly state: HubState;
  readonly sockets: SocketHandlers;
  readonly inFlight: InFlight;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** The filters, in the order in which a request meets them. */
function createChain({ client, state, sockets, inFlight, clock, log, metrics }: ChainParts): HandlerChain {
  const { reviewToken, reviewAccess } = createParentQuestions(client);
  return createHandlerChain({
    filters: [
      createRefuseLeaving(state.isRefusing),
      createAuthenticate({ trust: state.trust, reviewToken, clock }),
      inFlight.filter,
      createAuthorize({ reviewAccess, clock }),
      createRoutes({ sockets, readiness: state.readiness, version: packageVersion }),
    ],
    metrics: createRequestMetrics(metrics),
    clock,
    log,
  });
}

interface ListenParts {
  readonly state: HubState;
  readonly options: HubOptions;
  readonly chain: HandlerChain;
}

/** Waits for what serving needs: a certificate, and whom to trust. */
async function listen({ options, state, chain }: ListenParts, signal: AbortSignal): Promise<HubServer> {
  const limit = { limitMs: START_TIME_MAX_MS, what: "Getting a serving certificate and the front proxy's authority" };
  const certificate = await withTimeLimit(limit, state.whenReady, signal);
  const { bindAddress: host, securePort: port } = options;
  const server = await startHubServer({ host, port, chain, certificate, clientCaPems: state.trust().caPems });
  state.setServer(server);
  return server;
}

function followTrust(
  informer: Informer<ConfigMap>,
  { onTrust, log }: { readonly onTrust: (trust: ClientTrust) => void; readonly log: Logger },
): void {
  informer.subscribe((change) => {
    // A ConfigMap that is gone or unreadable changes nothing: who was trusted is trusted on.
    if (change.type === "deleted") return;
    try {
      onTrust(parseClientTrust(change.object.data ?? {}));
      log.info("client-trust.changed", { resourceVersion: change.object.metadata.resourceVersion });
    } catch (error) {
      log.error("client-trust.unreadable", { error });
    }
  });
}

function absentCluster(
  id: string,
  { clusters, sessions }: { readonly clusters: Informer<ManagedCluster>; readonly sessions: Sessions },
): AbsentCluster {
  const seenHereMs = sessions.lastSeenAtMs(id);
  const [known] = clusters.byIndex("id", id);
  if (known === undefined && seenHereMs === undefined && clusters.synced) return { type: "unknown" };
  const reported = known?.status?.lastObservedTime;
  const reportedMs = reported === undefined ? undefined : Date.parse(reported);
  const lastSeenAtMs = Math.max(seenHereMs ?? 0, reportedMs ?? 0);
  return { type: "disconnected", lastSeenAtMs: lastSeenAtMs === 0 ? undefined : lastSeenAtMs };
}

function clusterIds(cluster: ManagedCluster): readonly string[] {
  const id = cluster.metadata.labels?.[labels.clusterId];
  return id === undefined ? [] : [id];
}

function servingNames({ serviceName, leaderElectResourceNamespace, bindAddress, servingNames: more }: HubOptions): string[] {
  const service = `${serviceName}.${leaderElectResourceNamespace}`;
  return [`${service}.svc`, service, `${service}.svc.cluster.local`, bindAddress, ...more];
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else
      signal.addEventListener(
        "abort",
        () => {
          resolve();
        },
        { once: true },
      );
  });
}
