// Description -> objects in this cluster (pull), their removal, and what changed in the cluster put back. In push mode it leaves all that
// to the parent and only says what changed.

import type { Description } from "#api/apps/v1alpha1/description.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { keyText, type ObjectKey } from "#api/meta.ts";
import { conditionTypes } from "#api/names.ts";
import type { WatchedKinds } from "#agent/controllers/feed-status/watched-kinds.ts";
import { AppliedMemory } from "#delivery/applied-memory.ts";
import { carryOut } from "#delivery/carry-out.ts";
import { CorrectionBackoff } from "#delivery/correction-backoff.ts";
import { isDelivered, isFailureReport } from "#delivery/description-status.ts";
import { childIdentityOf, type ChildIdentity } from "#delivery/identity.ts";
import { keysOfParts, siblingsAmong } from "#delivery/parts.ts";
import { keepDescribed } from "#delivery/keep-described.ts";
import { whoDelivers } from "#delivery/who-delivers.ts";
import type { Client } from "#kube/client.ts";
import { isConditionTrue } from "#kube/conditions.ts";
import { createController, done, ownKey, source, type Controller, type Result } from "#kube/controller.ts";
import { createDiscovery } from "#kube/discovery.ts";
import type { EventRecorder } from "#kube/events.ts";
import type { Informer } from "#kube/informer.ts";
import { keyTextOf } from "#kube/object.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { Metrics } from "#std/metrics.ts";

export interface DescriptionDeps {
  /** The agent's own identity on the parent. */
  readonly parent: Client;
  /** The child, as its deployer account (`clusternet-app-deployer`): to look, and for discovery. */
  readonly child: Client;
  /** The child as the identity that a Description is applied as. */
  readonly childAs: (identity: ChildIdentity) => Client;
  readonly informers: {
    /** Those of the dedicated namespace on the parent. */
    readonly descriptions: Informer<Description>;
    /** This cluster's own: its `spec.syncMode` and `status.appPusher` say who delivers. */
    readonly managedClusters: Informer<ManagedCluster>;
  };
  /** What was delivered, as it is in the child. */
  readonly watched: WatchedKinds;
  /** Records on the parent. */
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export function descriptionController(deps: DescriptionDeps): Controller {
  const { informers, clock, watched } = deps;
  const { descriptions, managedClusters } = informers;
  const discovery = createDiscovery({ client: deps.child, clock });
  const memory = new AppliedMemory();
  const backoff = new CorrectionBackoff();
  /** Descriptions of which something changed in the child: the others are not looked at. */
  const suspects = new Set<string>();

  async function reconcile(key: string, signal: AbortSignal): Promise<Result> {
    const description = descriptions.get(key);
    const [cluster] = managedClusters.list();
    // Without our ManagedCluster we do not know whether it is our turn: wait, touch nothing.
    if (description?.spec.deployer !== "Generic" || cluster === undefined) {
      suspects.delete(key);
      return done;
    }
    const isDeliverer = whoDelivers(cluster) === "agent";
    const shared = { ...deps, description, child: deps.childAs(childIdentityOf(description)), discovery, memory };
    const options = { ...shared, ownerExists, log: deps.log.with({ description: key }) };
    if (description.metadata.deletionTimestamp !== undefined || !isDelivered(description)) {
      if (!isDeliverer) return done;
      return carryOut(description, { ...options, siblings: siblingsAmong(description, descriptions.list()) }, signal);
    }
    const isSuspect = suspects.delete(key) || isConditionTrue(description.status?.conditions, conditionTypes.drifted);
    if (!isSuspect) return done;
    try {
      return await keepDescribed({ ...options, cached: (entry) => watched.cached(entry), isDeliverer, backoff }, signal);
    } catch (error) {
      suspects.add(key);
      throw error;
    }
  }

  function ownerExists(owner: ObjectKey): boolean {
    const other = descriptions.get(keyText(owner));
    return other !== undefined && other.metadata.deletionTimestamp === undefined;
  }

  const controller = createController({
    ...deps,
    name: "description",
    sources: [
      source(descriptions, (description, change) => (isFailureReport(change) ? [] : ownKey(description))),
      // All of them, but only when the answer to "who delivers?" changed.
      source(managedClusters, (_cluster, change) =>
        change.type === "updated" && whoDelivers(change.object) === whoDelivers(change.previous)
          ? []
          : descriptions.list().map(keyTextOf),
      ),
    ],
    reconcile,
  });
  return {
    ...controller,
    run: async (signal) => {
      const unsubscribe = watched.subscribe((owner, { isBeyondStatus }) => {
        if (!isBeyondStatus) return;
        for (const key of keysOfParts(owner, descriptions)) {
          suspects.add(key);
          controller.enqueue(key);
        }
      });
      try {
        await controller.run(signal);
      } finally {
        unsubscribe();
      }
    },
  };
}
