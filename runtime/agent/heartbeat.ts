// Publishes this cluster's status to the parent: at once after joining, when its readiness changes, and then on a schedule.
//
// Only status is written, as a merge patch on the version of the object that we know; whoever else wrote in between makes it a Conflict, and
// it is read again. An identity that the parent no longer accepts ends the heartbeat with IdentityLostError; nothing else does.

import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { Client } from "#kube/client.ts";
import { setCondition } from "#kube/conditions.ts";
import { isConflict, isForbidden, isNotFound, isUnauthorized } from "#kube/errors.ts";
import { keyText, type ObjectKey } from "#api/meta.ts";
import type { Clock } from "#std/clock.ts";
import { errorChain } from "#std/errors.ts";
import type { Logger } from "#std/log.ts";
import type { Metrics } from "#std/metrics.ts";
import { clusterStatus, readyCondition, type AgentFacts, type ClusterObservation } from "./cluster-status.ts";
import type { ObserveCluster } from "./observe-cluster.ts";

/** The parent does not (or no longer) know us as this cluster. Everything that writes there must stop. */
export class IdentityLostError extends Error {
  override readonly name = "IdentityLostError";
}

export interface HeartbeatDeps {
  readonly parent: Client;
  /** Our ManagedCluster. */
  readonly cluster: Required<ObjectKey>;
  readonly observe: ObserveCluster;
  readonly facts: AgentFacts;
  readonly collectFrequencyMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly onReport?: () => void;
}

const CONFLICTS_MAX = 5;
/** A failed report is tried again at the next collection, but never later than this. */
const RETRY_MS_MAX = 10_000;

export async function runHeartbeat(deps: HeartbeatDeps, signal: AbortSignal): Promise<void> {
  const { observe, facts, collectFrequencyMs, clock, log } = deps;
  const reports = deps.metrics.counter({
    name: "clusternet_agent_reports_total",
    help: "Status reports to the parent",
    labels: ["result"],
  });
  const publish = createPublisher(deps);
  let reported: { readonly atMs: number; readonly isReady: string } | undefined;
  const isOver = (): boolean => signal.aborted;
  while (!isOver()) {
    let waitMs: number;
    try {
      const observation = await observe(signal);
      const isReady = readyCondition(observation.health).status;
      const isDue = clock.monotonic() - (reported?.atMs ?? -Infinity) >= facts.reportFrequencyMs;
      if (isDue || reported === undefined || reported.isReady !== isReady) {
        const startedAtMs = clock.monotonic();
        await publish(observation, signal);
        reports.inc({ result: "published" });
        if (reported === undefined) log.info("heartbeat.first-report", { ready: isReady });
        reported = { atMs: startedAtMs, isReady };
        deps.onReport?.();
      }
      const nextReportInMs = reported.atMs + facts.reportFrequencyMs - clock.monotonic();
      waitMs = Math.max(0, Math.min(collectFrequencyMs, nextReportInMs));
    } catch (error) {
      if (isOver()) return;
      const lost = identityLoss(error, deps.cluster);
      reports.inc({ result: lost === undefined ? "failed" : "refused" });
      if (lost !== undefined) throw lost;
      // One lost heartbeat is normal: the parent decides when silence means trouble.
      log.warn("heartbeat.failed", { error: errorChain(error) });
      waitMs = Math.min(collectFrequencyMs, RETRY_MS_MAX);
    }
    await clock.sleep(waitMs, signal);
  }
}

function createPublisher({ parent, cluster, facts, clock }: HeartbeatDeps) {
  let known: ManagedCluster | undefined;
  return async (observation: ClusterObservation, signal: AbortSignal): Promise<void> => {
    for (let attempt = 0; ; attempt += 1) {
      known ??= await parent.get(ManagedCluster, cluster, signal);
      if (known === undefined) throw new IdentityLostError(`ManagedCluster ${keyText(cluster)} does not exist on the parent`);
      const status = clusterStatus(observation, facts);
      const conditions = setCondition(known.status?.conditions, readyCondition(observation.health), clock.now());
      const { uid, resourceVersion } = known.metadata;
      const body = { metadata: { uid, resourceVersion }, status: { ...withoutOld(known, status), conditions } };
      try {
        known = await parent.patch(ManagedCluster, cluster, { type: "merge", subresource: "status", body }, signal);
        return;
      } catch (error) {
        known = undefined;
        if (!isConflict(error) || attempt >= CONFLICTS_MAX) throw error;
      }
    }
  };
}

/** What we reported once and cannot any more is removed, not left standing. */
function withoutOld({ status }: ManagedCluster, reported: object): Record<string, unknown> {
  const optional = ["clusterCIDR", "serviceCIDR", "podStatistics", "resourceUsage", "predictorAddress"].filter(
    (key) => key in (status ?? {}),
  );
  return { ...Object.fromEntries(optional.map((key) => [key, null])), ...reported };
}

/** Also for other writers to the parent: undefined when the error says nothing about our identity. */
export function identityLoss(error: unknown, cluster: Required<ObjectKey>): IdentityLostError | undefined {
  if (error instanceof IdentityLostError) return error;
  const name = keyText(cluster);
  if (isUnauthorized(error)) return new IdentityLostError("The parent does not accept our token any more", { cause: error });
  if (isForbidden(error))
    return new IdentityLostError(`The parent does not let us write the status of ${name}`, { cause: error });
  if (isNotFound(error)) return new IdentityLostError(`ManagedCluster ${name} does not exist on the parent`, { cause: error });
  return undefined;
}
