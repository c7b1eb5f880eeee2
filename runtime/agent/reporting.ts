// What keeps the parent informed: the heartbeat, a token that stays young, and an eye on our own ManagedCluster.

import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { Node } from "#kube/builtin-kinds.ts";
import type { Client } from "#kube/client.ts";
import type { Informer } from "#kube/informer.ts";
import type { Task } from "#kube/manager.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { Metrics } from "#std/metrics.ts";
import { packageVersion } from "#std/version.ts";
import type { ParentIdentity } from "./credentials.ts";
import { IdentityLostError, runHeartbeat } from "./heartbeat.ts";
import { createClusterObserver } from "./observe-cluster.ts";
import type { AgentOptions } from "./options.ts";
import type { ParentToken } from "./parent-token.ts";

export interface ReportingDeps {
  readonly options: AgentOptions;
  readonly identity: ParentIdentity;
  /** The child, as the agent's own account. */
  readonly child: Client;
  readonly clock: Clock;
  readonly log: Logger;
  /** Fresh: every part registers its own. */
  readonly metrics: Metrics;
  readonly onReport?: () => void;
}

export interface ReportingParts {
  /** The parent, as the identity that it gave us. */
  readonly parent: Client;
  readonly parentToken: ParentToken;
  /** The child's. */
  readonly nodes: Informer<Node>;
  /** The parent's: our own. */
  readonly managedClusters: Informer<ManagedCluster>;
}

export function reportingTasks(
  deps: ReportingDeps,
  { parent, parentToken, nodes, managedClusters }: ReportingParts,
): readonly Task[] {
  return [
    { name: "heartbeat", run: (signal) => runHeartbeat(heartbeatDeps(deps, { parent, nodes }), signal) },
    { name: "parent token", run: (signal) => parentToken.run(parent, signal) },
    removalWatch(managedClusters, deps.identity),
  ];
}

function heartbeatDeps(
  { options, identity, child, clock, log, metrics, onReport }: ReportingDeps,
  { parent, nodes }: { readonly parent: Client; readonly nodes: Informer<Node> },
): Parameters<typeof runHeartbeat>[0] {
  return {
    parent,
    cluster: { namespace: identity.namespace, name: identity.clusterName },
    observe: createClusterObserver({ child, nodes, clock, useMetricsServer: options.useMetricsServer }),
    facts: {
      agentVersion: packageVersion,
      apiserverUrl: child.connection.server,
      allowPush: options.allowPush,
      predictor: options.predictor,
      predictorDirectUrl: options.directAccess?.url,
      reportFrequencyMs: options.clusterStatusReportFrequency,
      clusterCidr: options.clusterCidr,
      serviceCidr: options.serviceCidr,
    },
    collectFrequencyMs: options.clusterStatusCollectFrequency,
    clock,
    log,
    metrics,
    ...(onReport === undefined ? {} : { onReport }),
  };
}

/** A deleted ManagedCluster is noticed at once, not at the next heartbeat. */
function removalWatch(clusters: Informer<ManagedCluster>, { namespace, clusterName }: ParentIdentity): Task {
  return {
    name: "removal watch",
    run: (signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) {
          resolve();
          return;
        }
        const stop = clusters.subscribe((change) => {
          if (change.type !== "deleted" || signal.aborted) return;
          reject(new IdentityLostError(`ManagedCluster ${namespace}/${clusterName} was deleted on the parent`));
        });
        signal.addEventListener(
          "abort",
          () => {
            stop();
            resolve();
          },
          { once: true },
        );
      }),
  };
}
