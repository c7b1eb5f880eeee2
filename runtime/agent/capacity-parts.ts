// Wires the predictor of this cluster: informers -> room -> answers -> the tunnel's target, and a port for direct callers.

import type { Feed } from "#api/apps/v1alpha1/feed.ts";
import type { Description } from "#api/apps/v1alpha1/description.ts";
import type { Node } from "#kube/builtin-kinds.ts";
import type { Client } from "#kube/client.ts";
import { createInformer, type Informer } from "#kube/informer.ts";
import type { Task } from "#kube/manager.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { Metrics } from "#std/metrics.ts";
import type { PredictorPolicy } from "./access-policy.ts";
import { createPredictorTarget } from "./capacity-server.ts";
import { ClusterRoomKeeper, CsiNodes, QUOTAS_BY_NAMESPACE, ResourceQuotas, StorageClasses } from "./cluster-room.ts";
import { CountedPods, createPodCounter, RUNNING_PODS } from "./counted-pod.ts";
import type { DirectAccess } from "./direct-access.ts";
import { createPredictor } from "./predictor.ts";
import { runPredictorPort } from "./predictor-port.ts";
import type { StreamTarget } from "./targets.ts";

export interface CapacityOptions {
  readonly child: Client;
  readonly nodes: Informer<Node>;
  readonly descriptions: Pick<Informer<Description>, "list">;
  readonly policy: PredictorPolicy;
  /** undefined: through the tunnel only. */
  readonly directAccess: DirectAccess | undefined;
  /** Where the port for direct callers listens. */
  readonly bindAddress: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export interface CapacityParts extends Disposable {
  readonly informers: readonly Informer[];
  readonly target: StreamTarget;
  readonly tasks: readonly Task[];
}

export function createCapacityParts(options: CapacityOptions): CapacityParts {
  const { child, nodes, descriptions, policy, directAccess, bindAddress, clock, log, metrics } = options;
  const shared = { clock, log, metrics };
  const pods = createInformer(child, CountedPods, { ...shared, fieldSelector: RUNNING_PODS, trim: createPodCounter() });
  const quotas = createInformer(child, ResourceQuotas, {
    ...shared,
    indexes: { [QUOTAS_BY_NAMESPACE]: ({ metadata }) => [metadata.namespace ?? ""] },
  });
  const csiNodes = createInformer(child, CsiNodes, shared);
  const storageClasses = createInformer(child, StorageClasses, shared);
  const room = new ClusterRoomKeeper({ nodes, pods, quotas, csiNodes, storageClasses });
  const predictor = createPredictor({ room, delivered: () => deliveredHere(descriptions) });
  const answers = metrics.counter({
    name: "clusternet_agent_predictor_answers_total",
    help: "Questions for this cluster's capacity, by the status they were answered with",
    labels: ["code"],
  });
  return {
    informers: [pods, quotas, csiNodes, storageClasses],
    target: createPredictorTarget({ predictor, policy, answers, log }),
    tasks:
      directAccess === undefined
        ? []
        : [
            {
              name: "predictor port",
              run: (signal) =>
                runPredictorPort({ access: directAccess, host: bindAddress, predictor, answers, ...shared }, signal),
            },
          ],
    [Symbol.dispose]: () => {
      room[Symbol.dispose]();
    },
  };
}

function deliveredHere(descriptions: CapacityOptions["descriptions"]): readonly Feed[] {
  return descriptions.list().flatMap(({ status }) => status?.inventory ?? []);
}
