// Wires the predictor of this cluster: informers -> room -> answers -> the tunnel's target.

import type { Feed } from "#api/apps/v1alpha1/feed.ts";
import type { Description } from "#api/apps/v1alpha1/description.ts";
import type { Node } from "#kube/builtin-kinds.ts";
import type { Client } from "#kube/client.ts";
import { createInformer, type Informer } from "#kube/informer.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { Metrics } from "#std/metrics.ts";
import type { PredictorPolicy } from "./access-policy.ts";
import { createPredictorTarget } from "./capacity-server.ts";
import { ClusterRoomKeeper, CsiNodes, QUOTAS_BY_NAMESPACE, ResourceQuotas, StorageClasses } from "./cluster-room.ts";
import { CountedPods, createPodCounter, RUNNING_PODS } from "./counted-pod.ts";
import { createPredictor } from "./predictor.ts";
import type { StreamTarget } from "./targets.ts";

export interface CapacityOptions {
  readonly child: Client;
  readonly nodes: Informer<Node>;
  readonly descriptions: Pick<Informer<Description>, "list">;
  readonly policy: PredictorPolicy;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export interface CapacityParts extends Disposable {
  readonly informers: readonly Informer[];
  readonly target: StreamTarget;
}

export function createCapacityParts({ child, nodes, descriptions, policy, ...shared }: CapacityOptions): CapacityParts {
  const pods = createInformer(child, CountedPods, { ...shared, fieldSelector: RUNNING_PODS, trim: createPodCounter() });
  const quotas = createInformer(child, ResourceQuotas, {
    ...shared,
    indexes: { [QUOTAS_BY_NAMESPACE]: ({ metadata }) => [metadata.namespace ?? ""] },
  });
  const csiNodes = createInformer(child, CsiNodes, shared);
  const storageClasses = createInformer(child, StorageClasses, shared);
  const room = new ClusterRoomKeeper({ nodes, pods, quotas, csiNodes, storageClasses });
  const predictor = createPredictor({ room, delivered: () => deliveredHere(descriptions) });
  const { log, metrics } = shared;
  return {
    informers: [pods, quotas, csiNodes, storageClasses],
    target: createPredictorTarget({ predictor, policy, log, metrics }),
    [Symbol.dispose]: () => {
      room[Symbol.dispose]();
    },
  };
}

function deliveredHere(descriptions: CapacityOptions["descriptions"]): readonly Feed[] {
  return descriptions.list().flatMap(({ status }) => status?.inventory ?? []);
}
