// Description -> objects in this cluster (pull), and their removal; in push mode it leaves everything to the parent.

import type { Description } from "#api/apps/v1alpha1/description.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { keyText } from "#api/meta.ts";
import { carryOut } from "#delivery/carry-out.ts";
import { childIdentityOf, type ChildIdentity } from "#delivery/identity.ts";
import { whoDelivers } from "#delivery/who-delivers.ts";
import type { Client } from "#kube/client.ts";
import { createController, done, ownKey, source, type Controller } from "#kube/controller.ts";
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
  /** Records on the parent. */
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export function descriptionController(deps: DescriptionDeps): Controller {
  const { parent, informers, events, clock } = deps;
  const { descriptions, managedClusters } = informers;
  const discovery = createDiscovery({ client: deps.child, clock });
  return createController({
    ...deps,
    name: "description",
    sources: [
      source(descriptions, ownKey),
      // All of them, but only when the answer to "who delivers?" changed.
      source(managedClusters, (_cluster, change) =>
        change.type === "updated" && whoDelivers(change.object) === whoDelivers(change.previous)
          ? []
          : descriptions.list().map(keyTextOf),
      ),
    ],
    reconcile: async (key, signal) => {
      const description = descriptions.get(key);
      const [cluster] = managedClusters.list();
      // Without our ManagedCluster we do not know whether it is our turn: wait, touch nothing.
      if (description?.spec.deployer !== "Generic" || cluster === undefined || whoDelivers(cluster) !== "agent") return done;
      const ownerExists = (owner: { readonly namespace?: string; readonly name: string }): boolean => {
        const other = descriptions.get(keyText(owner));
        return other !== undefined && other.metadata.deletionTimestamp === undefined;
      };
      const log = deps.log.with({ description: key });
      const child = deps.childAs(childIdentityOf(description));
      return carryOut(description, { parent, child, discovery, ownerExists, events, clock, log }, signal);
    },
  });
}
