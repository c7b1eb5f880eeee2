// Everything an agent does once it has an identity on the parent: heartbeat, tunnel, delivery, and keeping its token young.
// Ends when the signal aborts, or with IdentityLostError when the parent no longer knows us.

import { Description } from "#api/apps/v1alpha1/description.ts";
import { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { serviceAccounts } from "#api/names.ts";
import { createHelmTools } from "#delivery/helm/helm-tools.ts";
import { Node } from "#kube/builtin-kinds.ts";
import { createClient, type Client } from "#kube/client.ts";
import { connect } from "#kube/connection.ts";
import { createEventRecorder } from "#kube/events.ts";
import { createInformer, type Informer } from "#kube/informer.ts";
import { runManager, type Task } from "#kube/manager.ts";
import { assert } from "#std/assert.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { Metrics } from "#std/metrics.ts";
import { createAccountToken } from "./account-token.ts";
import { createCapacityParts, type CapacityOptions, type CapacityParts } from "./capacity-parts.ts";
import { chartControllers, deliveryControllers } from "./controllers/delivery.ts";
import type { CredentialStore, ParentIdentity } from "./credentials.ts";
import { readPem } from "./pem-file.ts";
import { createParentToken, type ParentToken } from "./parent-token.ts";
import { reportingTasks, type ReportingDeps } from "./reporting.ts";
import { createApiserverTarget, type StreamTarget, type TokenSource } from "./targets.ts";
import { runTunnelClient } from "./tunnel-client.ts";

export interface ServeDeps extends ReportingDeps {
  readonly store: CredentialStore;
  readonly parentCaPem: string | undefined;
}

export async function serveParent(deps: ServeDeps, signal: AbortSignal): Promise<void> {
  const { options, identity, store, parentCaPem, child, clock, log, metrics } = deps;
  const shared = { clock, log, metrics };
  const parentToken = createParentToken({ identity, store, ...shared });
  await using parentConnection = connect({
    server: identity.server,
    token: () => Promise.resolve(parentToken.current()),
    ...(parentCaPem === undefined ? {} : { caPem: parentCaPem }),
  });
  const parent = createClient(parentConnection, { component: "agent" });
  const account = (name: string): TokenSource =>
    createAccountToken({ child, account: { namespace: options.leaderElectResourceNamespace, name }, clock, signal });
  const deployerToken = account(serviceAccounts.appDeployer);
  await using deployerConnection = connectAs(child, deployerToken);
  const deployer = createClient(deployerConnection, { component: "agent" });
  const nodes = createInformer(child, Node, { ...shared, trim: withoutImages });
  const informers = parentInformers(parent, identity, shared);
  using capacity = capacityParts(deps, { nodes, descriptions: informers.descriptions });
  const delivery = {
    parent,
    child: deployer,
    childAs: ({ serviceAccount }: { readonly serviceAccount: string }) => {
      assert(serviceAccount === serviceAccounts.appDeployer, `No client for account ${serviceAccount}`);
      return deployer;
    },
    informers,
    events: createEventRecorder({ client: parent, component: "clusternet-agent", clock, log }),
    ...shared,
  };
  await using helmTools = createHelmTools({ binary: options.helm, searchPath: options.helmPath, metrics, clock });
  await runManager(
    {
      informers: [nodes, ...Object.values(informers), ...(capacity?.informers ?? [])],
      controllers: [...deliveryControllers(delivery), ...chartControllers({ ...delivery, helmTools })],
      tasks: [
        ...reportingTasks(deps, { parent, parentToken, nodes, managedClusters: informers.managedClusters }),
        tunnel(deps, { parentToken, proxyToken: account(serviceAccounts.proxy), deployerToken, predictor: capacity?.target }),
        ...(capacity?.tasks ?? []),
      ],
      clock,
      log,
    },
    signal,
  );
}

function connectAs(child: Client, token: TokenSource): ReturnType<typeof connect> {
  const { server, caPem } = child.connection;
  return connect({ server, token: () => Promise.resolve(token()), ...(caPem === undefined ? {} : { caPem }) });
}

interface Shared {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

function parentInformers(
  parent: Client,
  { namespace, clusterName }: ParentIdentity,
  shared: Shared,
): {
  readonly descriptions: Informer<Description>;
  readonly helmReleases: Informer<HelmRelease>;
  readonly managedClusters: Informer<ManagedCluster>;
} {
  return {
    descriptions: createInformer(parent, Description, { ...shared, namespace }),
    helmReleases: createInformer(parent, HelmRelease, { ...shared, namespace }),
    // Our own; the parent lets us see no other.
    managedClusters: createInformer(parent, ManagedCluster, {
      ...shared,
      namespace,
      fieldSelector: `metadata.name=${clusterName}`,
    }),
  };
}

function capacityParts(
  { options, child, clock, log, metrics }: ServeDeps,
  informers: Pick<CapacityOptions, "nodes" | "descriptions">,
): CapacityParts | undefined {
  if (!options.predictor) return undefined;
  const { directAccess, bindAddress } = options;
  return createCapacityParts({ ...informers, child, policy: options, directAccess, bindAddress, clock, log, metrics });
}

/** Half of a node's bytes, and nothing that we read. */
function withoutImages(node: Node): Node {
  const { images: _, ...status } = { images: undefined, ...node.status };
  return { ...node, status };
}

function tunnel(
  { options, identity, parentCaPem, child, clock, log, metrics }: ServeDeps,
  {
    parentToken,
    proxyToken,
    deployerToken,
    predictor,
  }: {
    readonly parentToken: ParentToken;
    readonly proxyToken: TokenSource;
    readonly deployerToken: TokenSource;
    readonly predictor: StreamTarget | undefined;
  },
): Task {
  return {
    name: "tunnel",
    run: async (signal) => {
      const policy = { parentSystemNamespace: options.parentSystemNamespace, allowPush: options.allowPush };
      const { connection } = child;
      await using apiserver = createApiserverTarget({
        childConnection: connection,
        proxyToken,
        deployerToken,
        policy,
        log,
        metrics,
      });
      const token = (): string => parentToken.current();
      const parent =
        options.hubUrl === ""
          ? { server: identity.server, token, caPem: () => parentCaPem }
          : // The hub's authority is replaced once a year, and so is the file, without a restart of ours.
            { server: options.hubUrl, token, caPem: async () => (await readPem(options.hubCaFile)) ?? parentCaPem };
      const targets = { apiserver: apiserver.accept, ...(predictor === undefined ? {} : { predictor }) };
      await runTunnelClient({ clusterId: identity.clusterId, parent, targets, clock, log, metrics }, signal);
    },
  };
}
