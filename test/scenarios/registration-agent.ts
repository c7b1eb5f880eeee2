// An agent without tunnel and delivery, against a parent of registration-fixture.ts.

import { createCredentialStore, type CredentialStore, type ParentIdentity } from "#agent/credentials.ts";
import { IdentityLostError } from "#agent/heartbeat.ts";
import { parseAgentOptions } from "#agent/options.ts";
import { createParentToken } from "#agent/parent-token.ts";
import { joinParent } from "#agent/registration.ts";
import { reportingTasks } from "#agent/reporting.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { Namespace, Node } from "#kube/builtin-kinds.ts";
import { createClient, type Client } from "#kube/client.ts";
import { connect } from "#kube/connection.ts";
import { createInformer } from "#kube/informer.ts";
import { runManager } from "#kube/manager.ts";
import { childController } from "#std/abort.ts";
import { realClock, type Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";
import { testLog, type RegistrationParent, type TestChild } from "#test/scenarios/registration-fixture.ts";

const REPORT_FREQUENCY = "--cluster-status-report-frequency=1s";

export interface TestAgent extends AsyncDisposable {
  readonly store: CredentialStore;
  /** The last thing that it said about joining. */
  readonly said: () => string;
  /** Resolves when it has joined. */
  readonly joined: Promise<ParentIdentity>;
  readonly reports: () => number;
  /** Why it stopped serving the parent, each time. */
  readonly losses: readonly string[];
}

export interface AgentSettings {
  readonly child: TestChild;
  /** Namespace that stands for the child's own system namespace; one per installation. */
  readonly home: string;
  readonly argv?: readonly string[];
  readonly clock?: Clock;
}

/** The agent without tunnel and delivery. Its child is the parent's own control plane, with an id that the test chooses. */
export async function startAgent(parent: RegistrationParent, settings: AgentSettings): Promise<TestAgent> {
  const { child, home, argv = [], clock = realClock } = settings;
  const { server, caPem } = parent.controlPlane;
  if ((await parent.admin.get(Namespace, { name: home }, parent.signal)) === undefined) {
    await parent.admin.create(Namespace, { apiVersion: "v1", kind: "Namespace", metadata: { name: home } }, parent.signal);
  }
  const own = childController(parent.signal);
  const options = parseAgentOptions([REPORT_FREQUENCY, "--cluster-status-collect-frequency=500ms", ...argv], {
    PARENT_URL: server,
    REG_TOKEN: child.token,
  });
  const store = createCredentialStore(parent.admin, { namespace: home, caPem });
  const first = Promise.withResolvers<ParentIdentity>();
  const losses: string[] = [];
  let said = "";
  let reports = 0;
  const clientWith = (token: string): Client => createClient(connect({ server, caPem, token }), { component: "agent" });
  const log = testLog();
  const live = async (): Promise<void> => {
    while (!own.signal.aborted) {
      const bootstrap = clientWith(child.token);
      await using stack = new AsyncDisposableStack();
      stack.use(bootstrap.connection);
      const deps = {
        clusterId: child.clusterId,
        store,
        bootstrap,
        clientFor: ({ token }: ParentIdentity) => clientWith(token),
        clock: impatient(clock),
        log,
        onState: (text: string) => {
          said = text;
        },
      };
      const identity = await joinParent(deps, options, own.signal);
      first.resolve(identity);
      try {
        await serve(
          parent,
          {
            identity,
            store,
            options,
            clock,
            log,
            onReport: () => {
              reports += 1;
            },
          },
          own.signal,
        );
      } catch (error) {
        if (!(error instanceof IdentityLostError)) throw error;
        losses.push(error.message);
        said = error.message;
      }
    }
  };
  const ended = live().catch((error: unknown) => {
    first.promise.catch(() => undefined);
    first.reject(error);
    if (!own.signal.aborted) throw error;
  });
  return {
    store,
    said: () => said,
    joined: first.promise,
    reports: () => reports,
    losses,
    [Symbol.asyncDispose]: async () => {
      own.abort(new Error("The agent stops"));
      own[Symbol.dispose]();
      await ended;
    },
  };
}

/** Waits of minutes become seconds; everything else stays real. */
function impatient(clock: Clock): Clock {
  return { ...clock, sleep: (durationMs, signal) => clock.sleep(Math.min(durationMs, 1_000), signal) };
}

async function serve(
  parent: RegistrationParent,
  {
    identity,
    store,
    options,
    clock,
    log,
    onReport,
  }: {
    readonly identity: ParentIdentity;
    readonly store: CredentialStore;
    readonly options: ReturnType<typeof parseAgentOptions>;
    readonly clock: Clock;
    readonly log: Logger;
    readonly onReport: () => void;
  },
  signal: AbortSignal,
): Promise<void> {
  const shared = { clock, log, metrics: createMetrics() };
  const parentToken = createParentToken({ identity, store, ...shared });
  const { server, caPem } = parent.controlPlane;
  await using connection = connect({ server, caPem, token: () => Promise.resolve(parentToken.current()) });
  const client = createClient(connection, { component: "agent" });
  const nodes = createInformer(parent.admin, Node, shared);
  const { namespace, clusterName } = identity;
  const managedClusters = createInformer(client, ManagedCluster, {
    ...shared,
    namespace,
    fieldSelector: `metadata.name=${clusterName}`,
  });
  const reporting = { options, identity, child: parent.admin, onReport, ...shared };
  await runManager(
    {
      informers: [nodes, managedClusters],
      controllers: [],
      tasks: reportingTasks(reporting, { parent: client, parentToken, nodes, managedClusters }),
      clock,
      log,
    },
    signal,
  );
}
