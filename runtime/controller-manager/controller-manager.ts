// Wires the controller-manager: every controller below, in one list.

import { eventComponents } from "#api/names.ts";
import { baseController } from "#controller-manager/controllers/base/controller.ts";
import { chartNeedsController } from "#controller-manager/controllers/chart-needs/controller.ts";
import { clusterLifecycleController } from "#controller-manager/controllers/cluster-lifecycle/controller.ts";
import { clusterRegistrationController } from "#controller-manager/controllers/cluster-registration/controller.ts";
import { createRegistrationInformers } from "#controller-manager/controllers/cluster-registration/informers.ts";
import { clusterRemovalController } from "#controller-manager/controllers/cluster-removal/controller.ts";
import { createChildClients } from "#controller-manager/controllers/description/child-clients.ts";
import { descriptionController } from "#controller-manager/controllers/description/controller.ts";
import { feedProtectionControllers } from "#controller-manager/controllers/feed-protection/controller.ts";
import { helmChartController } from "#controller-manager/controllers/helm-chart/controller.ts";
import { helmDescriptionController } from "#controller-manager/controllers/helm-description/controller.ts";
import { helmReleaseController } from "#controller-manager/controllers/helm-release/controller.ts";
import { overrideStatusController } from "#controller-manager/controllers/override-status/controller.ts";
import { statusAggregationController } from "#controller-manager/controllers/status-aggregation/controller.ts";
import { subscriptionController } from "#controller-manager/controllers/subscription/controller.ts";
import { feedInventoryController } from "#controller-manager/controllers/feed-inventory/controller.ts";
import { interpreterRegistry } from "#controller-manager/interpreters.ts";
import { createDeliveryInformers } from "#controller-manager/informers.ts";
import type { ControllerManagerOptions } from "#controller-manager/options.ts";
import { createHelmTools } from "#delivery/helm/helm-tools.ts";
import { createClient } from "#kube/client.ts";
import { componentElection } from "#kube/component-election.ts";
import type { Connection } from "#kube/connection.ts";
import { createEventRecorder } from "#kube/events.ts";
import type { Informer } from "#kube/informer.ts";
import { runManager } from "#kube/manager.ts";
import type { Clock } from "#std/clock.ts";
import { startHealthServer } from "#std/health-server.ts";
import type { Logger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";

export interface ControllerManagerDeps {
  /** The parent. */
  readonly connection: Connection;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface ControllerManager {
  run(signal: AbortSignal): Promise<void>;
}

/** What the manager and the readiness check need of any of them. */
type AnyInformer = Pick<Informer, "type" | "run" | "synced">;

export function createControllerManager(
  options: ControllerManagerOptions,
  { connection, clock, log }: ControllerManagerDeps,
): ControllerManager {
  const component = eventComponents.controllerManager;
  const systemNamespace = options.leaderElectResourceNamespace;
  const client = createClient(connection, { component: "controller-manager" });
  const metrics = createMetrics({ withProcessMetrics: true });
  const events = createEventRecorder({ client, component, clock, log });
  const common = { client, events, clock, log, metrics };

  const delivery = createDeliveryInformers(client, {
    reservedNamespace: options.reservedNamespace,
    systemNamespace,
    clock,
    log,
    metrics,
  });
  const registration = createRegistrationInformers(client, { systemNamespace, clock, log, metrics });
  const deliveryDeps = { ...common, informers: delivery, concurrency: options.threadiness };
  const { crossNamespaceFeeds, lostClusterGrace: lostClusterGraceMs, deletionBudgetPercent: fleetPercentMax } = options;
  const interpreters = interpreterRegistry(delivery.interpreters, events);
  const children = createChildClients({ connection, component: "controller-manager", clock });

  const helmTools = createHelmTools({ binary: options.helm, searchPath: options.helmPath, metrics, clock });

  const chartNeeds = chartNeedsController({ ...deliveryDeps, helmTools, interpreters });

  const all: readonly Readonly<Record<string, AnyInformer>>[] = [{ ...delivery }, { ...registration }];
  const informers = all.flatMap((group) => Object.values(group));
  const controllers = [
    clusterRegistrationController({
      ...common,
      informers: { ...registration, managedClusters: delivery.managedClusters },
      options: {
        systemNamespace,
        autoApprove: options.autoApprove,
        upstreamAgents: options.upstreamAgents,
        agentTokenLifetimeMs: options.agentTokenLifetime,
      },
    }),
    clusterLifecycleController({ ...common, informers: delivery }),
    clusterRemovalController({ ...common, informers: { ...registration, ...delivery } }),
    subscriptionController({ ...deliveryDeps, crossNamespaceFeeds, interpreters, fleetPercentMax }),
    baseController({ ...deliveryDeps, crossNamespaceFeeds }),
    overrideStatusController(deliveryDeps),
    descriptionController({ ...deliveryDeps, children, lostClusterGraceMs }),
    helmChartController(deliveryDeps),
    helmDescriptionController(deliveryDeps),
    helmReleaseController({ ...deliveryDeps, children, lostClusterGraceMs, helmTools, helmRuns: options.helmRuns }),
    statusAggregationController({ ...deliveryDeps, crossNamespaceFeeds, interpreters }),
    chartNeeds.controller,
    feedInventoryController({ ...deliveryDeps, crossNamespaceFeeds, interpreters, chartNeeds: chartNeeds.needs }),
    ...feedProtectionControllers({ ...deliveryDeps, crossNamespaceFeeds }),
  ];
  const leaderElection = componentElection(options, { client, clock, log });

  return {
    async run(signal) {
      await using stack = new AsyncDisposableStack();
      stack.use(helmTools);
      stack.use(
        await startHealthServer({
          host: options.bindAddress,
          port: options.healthPort,
          metrics,
          readiness: { informers: () => (informers.every(({ synced }) => synced) ? undefined : "not every kind is cached yet") },
        }),
      );
      await runManager({ informers, controllers, leaderElection, clock, log }, signal);
      await events.flush();
    },
  };
}
