// One round of questions for a person who wants to see a decision: as the scheduler asks before its own, with that person's credentials.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { Client } from "#kube/client.ts";
import { isForbidden } from "#kube/errors.ts";
import { realClock } from "#std/clock.ts";
import { silentLogger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";
import { createAskCluster } from "./ask-predictor.ts";
import { CAPACITY_PARALLEL_DEFAULT, CapacityClient, type AskCluster } from "./capacity-client.ts";
import type { Capacities } from "./capacity.ts";
import type { FeedNeed } from "./plugin.ts";

export interface AskOnceOptions {
  readonly parent: Pick<Client, "request">;
  readonly clusters: readonly ManagedCluster[];
  readonly needs: readonly FeedNeed[];
  /** Of the whole round. */
  readonly timeoutMs: number;
}

/** Asks nobody when the Subscription is not divided by capacity. Who does not answer, or may not be asked, is silent with its reason. */
export async function askOnce(
  subscription: Subscription,
  { parent, timeoutMs, ...asked }: AskOnceOptions,
  signal: AbortSignal,
): Promise<Capacities> {
  const client = new CapacityClient({
    // Whoever has a tunnel is asked through the hub: people have no certificate that a predictor's own port would know.
    ask: withAdvice(createAskCluster({ parent, straight: undefined })),
    timeoutMs,
    // Nothing is asked twice in one round, and nothing is placed.
    cacheMs: timeoutMs,
    reservationMs: timeoutMs,
    atATimeMax: CAPACITY_PARALLEL_DEFAULT,
    clock: realClock,
    log: silentLogger,
    metrics: createMetrics(),
  });
  return await client.ask(subscription, asked, signal);
}

/** What the two who may say no want to be told: the parent's RBAC, and the child's agent. */
function withAdvice(ask: AskCluster): AskCluster {
  return (cluster, request, signal) => {
    const { predictorEnabled, predictorDirectAccess, useSocket } = cluster.status ?? {};
    if (predictorEnabled === true && predictorDirectAccess === true && useSocket === false) {
      return Promise.reject(new Error(ONLY_STRAIGHT));
    }
    return ask(cluster, request, signal).catch((error: unknown) => {
      throw isForbidden(error) ? new Error(adviceFor(error)) : error;
    });
  };
}

const ONLY_STRAIGHT =
  "only the scheduler asks it: its agent opens no tunnel to the hub (useSocket is false); have it open one, or give numbers (--clusters) or none (--no-capacity)";

function adviceFor({ message }: Error): string {
  return message.includes("agent refuses")
    ? "you may not ask it: its agent answers the scheduler and the users of its --predictor-users"
    : 'you may not ask it: ask an administrator of the parent for "create" on sockets/proxy, group proxies.clusternet.io';
}
