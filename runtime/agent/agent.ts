// Wires the agent: health, the lock in the child, then for ever: join the parent, serve it until it no longer knows us, join again.

import { connect, connectInCluster, connectKubeconfig, type Connection } from "#kube/connection.ts";
import { createClient, type Client } from "#kube/client.ts";
import { componentElection } from "#kube/component-election.ts";
import { runManager } from "#kube/manager.ts";
import type { Clock } from "#std/clock.ts";
import { startHealthServer } from "#std/health-server.ts";
import type { Logger } from "#std/log.ts";
import { createMetrics, type Metrics } from "#std/metrics.ts";
import type { Environment } from "#std/options.ts";
import { readClusterId } from "./cluster-id.ts";
import { createCredentialStore, type CredentialStore, type ParentIdentity } from "./credentials.ts";
import { IdentityLostError } from "./heartbeat.ts";
import type { AgentOptions } from "./options.ts";
import { readPem } from "./pem-file.ts";
import { readPredictorTls } from "./predictor-port.ts";
import { joinParent } from "./registration.ts";
import { serveParent } from "./serve-parent.ts";

export interface AgentDeps {
  readonly env: Environment;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Agent {
  run(signal: AbortSignal): Promise<void>;
}

/**
 * What the agent is doing, for /readyz and for people. Ready means: joined and reported, or asked and waiting for the parent's answer,
 * which may take a person's time and must not hold up an installation. A standby is ready, too.
 */
interface AgentState {
  text: string;
  isReady: boolean;
}

const COMPONENT = "agent";

export function createAgent(options: AgentOptions, deps: AgentDeps): Agent {
  return {
    run: async (signal) => {
      const state: AgentState = { text: "starting", isReady: false };
      const metrics = createAgentMetrics();
      // Of every replica, though only the leader serves: bad files are said where they were given, at once.
      if (options.directAccess?.type === "tls") await readPredictorTls(options.directAccess);
      await using stack = new AsyncDisposableStack();
      const health = {
        host: options.bindAddress,
        port: options.healthPort,
        metrics: metrics.all,
        readiness: { joined: () => (state.isReady ? undefined : state.text) },
      };
      stack.use(await startHealthServer(health));
      const childConnection = stack.use(await connectChild(options, deps));
      const child = createClient(childConnection, { component: COMPONENT });
      const work = { name: "agent", run: (leading: AbortSignal) => lead({ ...deps, options, child, metrics, state }, leading) };
      const leaderElection = componentElection(options, { client: child, clock: deps.clock, log: deps.log });
      if (leaderElection !== undefined) Object.assign(state, { text: "standing by", isReady: true });
      await runManager(
        { informers: [], controllers: [], tasks: [work], leaderElection, clock: deps.clock, log: deps.log },
        signal,
      );
    },
  };
}

interface LeadContext extends AgentDeps {
  readonly options: AgentOptions;
  readonly child: Client;
  readonly metrics: AgentMetrics;
  readonly state: AgentState;
}

async function lead(context: LeadContext, signal: AbortSignal): Promise<void> {
  const { options, child, clock, log, state } = context;
  Object.assign(state, { text: "joining", isReady: false });
  const parentCaPem = await readPem(options.clusterRegParentCaFile);
  const namespace = options.leaderElectResourceNamespace;
  const lease = { namespace, name: options.leaderElectResourceName };
  const clusterId = await readClusterId(child, { lease }, signal);
  const store = createCredentialStore(child, { namespace, ...(parentCaPem === undefined ? {} : { caPem: parentCaPem }) });
  log.info("agent.leading", { clusterId, parent: options.clusterRegParentUrl });
  while (!signal.aborted) {
    const identity = await join(context, { clusterId, store, parentCaPem }, signal);
    Object.assign(state, { text: "joined, not reported yet", isReady: false });
    const metrics = createMetrics();
    context.metrics.session = metrics;
    try {
      await serveParent({ ...context, metrics, identity, store, parentCaPem, onReport: () => (state.isReady = true) }, signal);
    } catch (error) {
      if (!(error instanceof IdentityLostError)) throw error;
      // Nothing in the child is touched: what runs there goes on running.
      Object.assign(state, { text: error.message, isReady: false });
      log.warn("agent.identity-lost", { error, clusterId });
    }
    await clock.sleep(REJOIN_AFTER_MS, signal);
  }
}

/** The parent refused a moment ago; asking again at once would only repeat that. */
const REJOIN_AFTER_MS = 1_000;

interface ParentContext {
  readonly clusterId: string;
  readonly store: CredentialStore;
  readonly parentCaPem: string | undefined;
}

async function join(
  { options, clock, log, state }: LeadContext,
  { clusterId, store, parentCaPem }: ParentContext,
  signal: AbortSignal,
): Promise<ParentIdentity> {
  const clientWith = (token: string): Client =>
    createClient(connectParent(options, { parentCaPem, token }), { component: COMPONENT });
  const bootstrap = clientWith(options.clusterRegToken);
  await using stack = new AsyncDisposableStack();
  stack.use(bootstrap.connection);
  return await joinParent(
    {
      clusterId,
      store,
      bootstrap,
      clientFor: ({ token }) => clientWith(token),
      clock,
      log,
      onState: (text, { isPending }) => {
        Object.assign(state, { text, isReady: isPending });
      },
    },
    options,
    signal,
  );
}

function connectParent(
  { clusterRegParentUrl }: AgentOptions,
  { parentCaPem, token }: { readonly parentCaPem: string | undefined; readonly token: string },
): Connection {
  return connect({ server: clusterRegParentUrl, token, ...(parentCaPem === undefined ? {} : { caPem: parentCaPem }) });
}

function connectChild({ kubeconfig }: AgentOptions, { env, clock }: AgentDeps): Promise<Connection> {
  return kubeconfig === "" ? connectInCluster(env, { clock }) : connectKubeconfig({ path: kubeconfig, clock });
}

interface AgentMetrics {
  readonly all: Metrics;
  /** Of the present time with the parent; each has its own, because each wires its parts anew. */
  session: Metrics | undefined;
}

function createAgentMetrics(): AgentMetrics {
  const own = createMetrics({ withProcessMetrics: true });
  const metrics: AgentMetrics = {
    all: { ...own, text: async () => (await own.text()) + ((await metrics.session?.text()) ?? "") },
    session: undefined,
  };
  return metrics;
}
