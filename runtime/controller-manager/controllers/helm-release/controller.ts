// Push: HelmRelease -> release in a child, through the hub. And for every mode: lets a deleted HelmRelease go once it is uninstalled.

import { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { warningEventReasons } from "#api/event-reasons.ts";
import { conditionTypes, finalizers, labels } from "#api/names.ts";
import type { ChildClients } from "#controller-manager/controllers/description/child-clients.ts";
import { changesDelivery, clusterOf } from "#controller-manager/controllers/description/cluster.ts";
import type { DeliveryDeps } from "#controller-manager/deps.ts";
import { by } from "#controller-manager/informers.ts";
import { AppliedMemory } from "#delivery/applied-memory.ts";
import { CorrectionBackoff } from "#delivery/correction-backoff.ts";
import { createReleaseRunner, RELEASE_RECONCILE_MS_MAX, type ReleaseRunner } from "#delivery/helm/carry-out-release.ts";
import { readAccess } from "#delivery/helm/charts/access.ts";
import type { Access } from "#delivery/helm/charts/fetch.ts";
import { keepReleased } from "#delivery/helm/keep-released.ts";
import type { LazyHelmTools } from "#delivery/helm/helm-tools.ts";
import { failedStatus } from "#delivery/helm/release-status.ts";
import { nobodyDeliversMessage } from "#delivery/description-status.ts";
import { isConditionTrue } from "#kube/conditions.ts";
import { after, createController, done, ownKey, source, type Controller, type Result } from "#kube/controller.ts";
import { removeFinalizer } from "#kube/finalizers.ts";
import { keyTextOf } from "#kube/object.ts";
import { patchStatusIfChanged } from "#kube/write-if-changed.ts";
import { changesForce, isForced } from "#controller-manager/forced-deletion.ts";
import { changesMoves, isLeftByFailover } from "#controller-manager/left-by-failover.ts";
import { planDeliveryStep } from "#controller-manager/delivery-step.ts";
import { chartNamespaceOf, grantPullSecret, revokePullSecret } from "./pull-secret-grant.ts";

export interface HelmReleaseDeps extends DeliveryDeps {
  readonly children: ChildClients;
  readonly lostClusterGraceMs: number;
  readonly helmTools: LazyHelmTools;
  /** Runs of helm at the same time. */
  readonly helmRuns: number;
}

/** Of one cluster: one that is slow to become ready must not keep the others waiting. */
const RUNS_PER_CLUSTER_MAX = 2;
const TURN_POLL_MS = 1_000;

export function helmReleaseController(deps: HelmReleaseDeps): Controller {
  const { helmReleases, managedClusters, subscriptions } = deps.informers;
  const context: Context = { deps, runner: createReleaseRunner(), running: new Map(), backoff: new CorrectionBackoff() };
  return createController({
    ...deps,
    name: "helm-release",
    concurrency: deps.helmRuns,
    reconcileMsMax: RELEASE_RECONCILE_MS_MAX,
    sources: [
      source(helmReleases, ownKey),
      source(managedClusters, ({ metadata }, change) =>
        changesDelivery(change) ? helmReleases.byIndex(by.namespace, metadata.namespace ?? "").map(keyTextOf) : [],
      ),
      source(subscriptions, (subscription, change) =>
        changesForce(change) || changesMoves(change)
          ? helmReleases.byIndex(by.subscription, subscription.metadata.uid ?? "").map(keyTextOf)
          : [],
      ),
    ],
    reconcile: (key, signal) => reconcileRelease(key, context, signal),
  });
}

interface Context {
  readonly deps: HelmReleaseDeps;
  readonly runner: ReleaseRunner;
  /** By cluster's namespace. */
  readonly running: Map<string, number>;
  readonly backoff: CorrectionBackoff;
}

async function reconcileRelease(key: string, context: Context, signal: AbortSignal): Promise<Result> {
  const { deps, runner } = context;
  const { client, informers, clock, lostClusterGraceMs } = deps;
  const release = informers.helmReleases.get(key);
  if (release === undefined) {
    runner.forget(key);
    return done;
  }
  const cluster = clusterOf(release, informers);
  const subscriptions = informers.subscriptions.byIndex(by.uid, release.metadata.labels?.[labels.subscriptionUid] ?? "");
  const isInChild = release.status?.releasedAs !== undefined;
  const step = planDeliveryStep(release, {
    cluster,
    now: clock.now(),
    lostClusterGraceMs,
    isInChild,
    isForced: [release, ...subscriptions].some(isForced),
    isLeft: isLeftByFailover(subscriptions, cluster),
  });
  switch (step.type) {
    case "push":
      return cluster === undefined ? done : push(release, { cluster, context }, signal);
    case "nobody-delivers": {
      const failure = { reason: "NobodyDelivers", message: nobodyDeliversMessage } as const;
      const status = failedStatus(release, { failure, state: undefined }, clock.now());
      await patchStatusIfChanged(client, { type: HelmRelease, object: release, status }, signal);
      return done;
    }
    case "wait":
      await grantPullSecret(release, deps, signal);
      return done;
    case "wait-for-child":
      return after(step.delayMs);
    case "abandon":
      sayWhatIsLeft(release, { reason: step.reason, deps });
      await letGo(release, deps, signal);
      return done;
    case "release":
      await letGo(release, deps, signal);
      return done;
    default:
      return step satisfies never;
  }
}

async function push(
  release: HelmRelease,
  { cluster, context }: { readonly cluster: ManagedCluster; readonly context: Context },
  signal: AbortSignal,
): Promise<Result> {
  const { deps, runner, running } = context;
  const { client: parent, informers, events, clock } = deps;
  const namespace = release.metadata.namespace ?? "";
  const here = running.get(namespace) ?? 0;
  if (here >= RUNS_PER_CLUSTER_MAX) return after(TURN_POLL_MS);
  running.set(namespace, here + 1);
  try {
    const { client: child, discovery } = deps.children.of(cluster);
    const tools = await deps.helmTools.get();
    const others = (): readonly HelmRelease[] => informers.helmReleases.byIndex(by.namespace, namespace);
    const accessTo = ({ spec }: HelmRelease, each: AbortSignal): Promise<Access> =>
      readAccess(spec, { parent, chartNamespace: chartNamespaceOf(release, informers) }, each);
    const log = deps.log.with({ release: keyTextOf(release), cluster: cluster.metadata.name });
    const shared = { parent, child, events, clock, log };
    const result = await runner.carryOut(release, { ...tools, ...shared, accessOf: accessTo, others }, signal);
    const isDrifted = isConditionTrue(release.status?.conditions, conditionTypes.drifted);
    if (result.type !== "done" || release.metadata.deletionTimestamp !== undefined || !isDrifted) return result;
    // Found by the agent, which watches the cluster.
    const memory = new AppliedMemory();
    return await keepReleased({ ...shared, release, discovery, memory, backoff: context.backoff, isDeliverer: true }, signal);
  } finally {
    const left = (running.get(namespace) ?? 1) - 1;
    if (left > 0) running.set(namespace, left);
    else running.delete(namespace);
  }
}

async function letGo(release: HelmRelease, deps: HelmReleaseDeps, signal: AbortSignal): Promise<void> {
  const { client, log } = deps;
  await revokePullSecret(release, deps, signal);
  await removeFinalizer(client, { type: HelmRelease, object: release, finalizer: finalizers.apps }, signal);
  log.info("helm-release.let-go", { release: keyTextOf(release) });
}

function sayWhatIsLeft(
  release: HelmRelease,
  { reason, deps }: { readonly reason: string; readonly deps: HelmReleaseDeps },
): void {
  const { releasedAs } = release.status ?? {};
  deps.log.warn("helm-release.abandoned", { release: keyTextOf(release), reason, left: releasedAs });
  if (releasedAs === undefined) return;
  const message = `Left in the cluster, because ${reason}: release ${releasedAs}`;
  deps.events.record(release, { type: "Warning", reason: warningEventReasons.helmReleaseFailure, message });
}
