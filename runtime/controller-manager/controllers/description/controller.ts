// Push: Description -> objects in a child, through the hub. And for every mode: lets a deleted Description go once its objects are gone.

import { Description } from "#api/apps/v1alpha1/description.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { warningEventReasons } from "#api/event-reasons.ts";
import { finalizers, labels } from "#api/names.ts";
import type { DeliveryDeps } from "#controller-manager/deps.ts";
import { by } from "#controller-manager/informers.ts";
import { carryOut } from "#delivery/carry-out.ts";
import { CorrectionBackoff } from "#delivery/correction-backoff.ts";
import { isFailureReport, nobodyDeliversStatus } from "#delivery/description-status.ts";
import { feedText } from "#delivery/feeds.ts";
import { partNumberOf } from "#delivery/names.ts";
import { siblingsAmong } from "#delivery/parts.ts";
import { after, createController, done, ownKey, source, type Controller, type Result } from "#kube/controller.ts";
import { removeFinalizer } from "#kube/finalizers.ts";
import { keyTextOf } from "#kube/object.ts";
import { patchStatusIfChanged } from "#kube/write-if-changed.ts";
import { keyText } from "#api/meta.ts";
import type { ChildClients } from "./child-clients.ts";
import { changesDelivery, clusterOf } from "./cluster.ts";
import { withObjectsLeft } from "./objects-left.ts";
import { changesForce, isForced } from "#controller-manager/forced-deletion.ts";
import { changesMoves, isLeftByFailover } from "#controller-manager/left-by-failover.ts";
import { planDeliveryStep } from "#controller-manager/delivery-step.ts";
import { shortList } from "#std/short-list.ts";

export interface PushDeps extends DeliveryDeps {
  readonly children: ChildClients;
  readonly lostClusterGraceMs: number;
}

/** An Event holds 1 KiB. */
const OBJECTS_SHOWN_MAX = 10;

export function descriptionController(deps: PushDeps): Controller {
  const { descriptions, managedClusters, subscriptions } = deps.informers;
  const backoff = new CorrectionBackoff();
  return createController({
    ...deps,
    name: "description",
    sources: [
      source(descriptions, (description, change) => (isFailureReport(change) ? [] : ownKey(description))),
      source(managedClusters, ({ metadata }, change) =>
        changesDelivery(change) ? descriptions.byIndex(by.namespace, metadata.namespace ?? "").map(keyTextOf) : [],
      ),
      source(subscriptions, (subscription, change) =>
        changesForce(change) || changesMoves(change)
          ? descriptions.byIndex(by.subscription, subscription.metadata.uid ?? "").map(keyTextOf)
          : [],
      ),
    ],
    reconcile: (key, signal) => reconcileDescription(key, { ...deps, backoff }, signal),
  });
}

type Deps = PushDeps & { readonly backoff: CorrectionBackoff };

async function reconcileDescription(key: string, deps: Deps, signal: AbortSignal): Promise<Result> {
  const { client, informers, clock, lostClusterGraceMs } = deps;
  const description = informers.descriptions.get(key);
  if (description?.spec.deployer !== "Generic") return done;
  const cluster = clusterOf(description, informers);
  const step = planDeliveryStep(description, {
    isInChild: (description.status?.inventory ?? []).length > 0,
    cluster,
    now: clock.now(),
    lostClusterGraceMs,
    isForced: [description, ...subscriptionsOf(description, deps)].some(isForced),
    isLeft: isLeftByFailover(subscriptionsOf(description, deps), cluster),
  });
  switch (step.type) {
    case "push":
      return cluster === undefined ? done : push(description, { cluster, deps }, signal);
    case "nobody-delivers": {
      const status = nobodyDeliversStatus(description, clock.now());
      await patchStatusIfChanged(client, { type: Description, object: description, status }, signal);
      return done;
    }
    case "wait":
      return done;
    case "wait-for-child":
      return after(step.delayMs);
    case "abandon":
      await sayWhatIsLeft(description, { reason: step.reason, deps }, signal);
      await release(description, deps, signal);
      return done;
    case "release":
      await release(description, deps, signal);
      return done;
    default:
      return step satisfies never;
  }
}

interface Target {
  readonly cluster: ManagedCluster;
  readonly deps: Deps;
}

function push(description: Description, { cluster, deps }: Target, signal: AbortSignal): Promise<Result> {
  const { client: child, discovery } = deps.children.of(cluster);
  const { client: parent, informers, events, clock, backoff } = deps;
  const log = deps.log.with({ description: keyTextOf(description), cluster: cluster.metadata.name });
  const ownerExists = (owner: { readonly namespace?: string; readonly name: string }): boolean => {
    const other = informers.descriptions.get(keyText(owner));
    return other !== undefined && other.metadata.deletionTimestamp === undefined;
  };
  const siblings = siblingsAmong(description, informers.descriptions.byIndex(by.namespace, description.metadata.namespace ?? ""));
  return carryOut(description, { parent, child, discovery, siblings, ownerExists, events, clock, log, backoff }, signal);
}

async function release(description: Description, { client, log }: PushDeps, signal: AbortSignal): Promise<void> {
  await removeFinalizer(client, { type: Description, object: description, finalizer: finalizers.apps }, signal);
  log.info("description.released", { description: keyTextOf(description) });
}

async function sayWhatIsLeft(
  description: Description,
  { reason, deps }: { readonly reason: string; readonly deps: PushDeps },
  signal: AbortSignal,
): Promise<void> {
  const left = (description.status?.inventory ?? []).filter(({ origin }) => origin !== "Skipped");
  deps.log.warn("description.abandoned", { description: keyTextOf(description), reason, objectsLeft: left.length });
  if (left.length === 0) return;
  const shown = shortList(left.map(feedText), OBJECTS_SHOWN_MAX).join(", ");
  const message = `Left in the cluster, because ${reason}: ${shown}`;
  const note = { type: "Warning", reason: warningEventReasons.failedDeletingDescription, message } as const;
  deps.events.record(description, note);
  const { namespace = "" } = description.metadata;
  for (const subscription of subscriptionsOf(description, deps)) {
    deps.events.record(subscription, note);
    const conditions = withObjectsLeft(subscription, {
      namespace,
      part: partNumberOf(description),
      message,
      now: deps.clock.now(),
    });
    await patchStatusIfChanged(deps.client, { type: Subscription, object: subscription, status: { conditions } }, signal);
  }
}

function subscriptionsOf({ metadata }: Description, { informers }: PushDeps): readonly Subscription[] {
  return informers.subscriptions.byIndex(by.uid, metadata.labels?.[labels.subscriptionUid] ?? "");
}
