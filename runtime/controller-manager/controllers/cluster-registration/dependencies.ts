// What the registration of children is given, and what one step of it says about itself.

import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { Client } from "#kube/client.ts";
import type { EventRecorder } from "#kube/events.ts";
import type { Informer } from "#kube/informer.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { Metrics } from "#std/metrics.ts";
import type { RegistrationInformers } from "./informers.ts";

export interface RegistrationOptions {
  readonly systemNamespace: string;
  /** Requests under a join grant need no administrator. */
  readonly autoApprove: boolean;
  /** Serve upstream Clusternet agents too: `status.token`, a long-lived token in a readable place. */
  readonly upstreamAgents: boolean;
  readonly agentTokenLifetimeMs: number;
}

export interface ClusterRegistrationDeps {
  readonly client: Client;
  readonly informers: RegistrationInformers & { readonly managedClusters: Informer<ManagedCluster> };
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly options: RegistrationOptions;
}

export interface Outcome {
  /** Something was written: the caches are old until its event arrives. */
  readonly changed: boolean;
  readonly lookAgainInMs?: number;
}
