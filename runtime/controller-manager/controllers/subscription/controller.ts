// Scheduled Subscription -> one Base per bound cluster; deleted Subscription -> no Bases, then no finalizer.

import { basesNaming, by, type DeliveryInformers } from "#controller-manager/informers.ts";
import { changesBeyondStatus, changesLabels } from "#controller-manager/changes.ts";
import type { DeliveryDeps } from "#controller-manager/deps.ts";
import type { InterpreterRegistry } from "#controller-manager/interpreters.ts";
import { Base } from "#api/apps/v1alpha1/base.ts";
import { feedKey, type Feed } from "#api/apps/v1alpha1/feed.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { normalEventReasons } from "#api/event-reasons.ts";
import { annotations, finalizers, labels } from "#api/names.ts";
import { mayNeed } from "#delivery/dependencies.ts";
import { manifestFeedKeys } from "#delivery/feeds.ts";
import { isFollowable } from "#delivery/follow.ts";
import { policyPatch } from "#delivery/policy.ts";
import { replicasPathOf } from "#delivery/replica-requirements.ts";
import type { Client } from "#kube/client.ts";
import { after, createController, done, ownKey, source, type Controller, type Result, type Source } from "#kube/controller.ts";
import { addFinalizer, removeFinalizer } from "#kube/finalizers.ts";
import type { Change } from "#kube/informer.ts";
import { isAlreadyExists } from "#kube/errors.ts";
import { keyOf, keyTextOf } from "#kube/object.ts";
import { inParallel } from "#std/in-parallel.ts";
import { deepEqual } from "#std/canonical-json.ts";
import { DeletionLog } from "./deletion-log.ts";
import { dependenciesOfFeeds, Dependents, followedFeeds, sayDependencies, type DependencyDeps } from "./dependencies.ts";
import { guardDeletions, logDeletion, type GuardDeps } from "./guard-deletions.ts";
import { planBases, type BaseAction } from "./plan.ts";

/** Whether the fleet's share lets a blocked deletion go on. */
const BLOCKED_POLL_MS = 60_000;

/** One after the other, a hundred clusters would be a hundred round trips away. */
const BASES_AT_A_TIME = 16;

export interface SubscriptionDeps extends Omit<GuardDeps, "deletions">, DependencyDeps {
  readonly interpreters: Pick<InterpreterRegistry, "current">;
}

export function subscriptionController(options: SubscriptionDeps): Controller {
  const deps = { ...options, deletions: new DeletionLog() };
  const dependents = new Dependents();
  const { client, informers, events, log } = deps;
  const { subscriptions, bases, managedClusters, feedInventories } = informers;

  async function reconcile(key: string, signal: AbortSignal): Promise<Result> {
    const cached = subscriptions.get(key);
    if (cached === undefined) {
      dependents.note(key, []);
      return done;
    }
    const isDeleting = cached.metadata.deletionTimestamp !== undefined;
    const subscription = isDeleting
      ? cached
      : await addFinalizer(client, { type: Subscription, object: cached, finalizer: finalizers.apps }, signal);
    const own = bases.byIndex(by.subscription, subscription.metadata.uid ?? "");
    const dependencies = dependenciesOfFeeds(subscription, { bases: own, deps });
    dependents.note(key, dependencies.needed);
    const planned = planBases(subscription, {
      followed: followedFeeds(subscription, dependencies, deps),
      bases: own,
      base: (baseKey) => bases.get(baseKey),
      cluster: (clusterKey) => managedClusters.get(clusterKey),
      replicasPath: (feed) => replicasPath(key, feed),
    });
    const actions = await guardDeletions({ subscription, actions: planned, bases: own }, deps, signal);
    const work = async (action: BaseAction): Promise<void> => {
      await carryOut(action, deps, signal);
      logDeletion(subscription, action, deps);
      log.info("base.changed", { change: action.type, base: keyTextOf(action.base), reason: action.reason });
    };
    await inParallel(actions, { atATime: BASES_AT_A_TIME, work }, signal);
    if (actions.some(({ type }) => type === "create")) {
      events.record(subscription, {
        type: "Normal",
        reason: normalEventReasons.baseCreated,
        message: `Created Bases in ${String(actions.length)} clusters`,
      });
    }
    if (isDeleting && own.length === 0) await finish(subscription, deps, signal);
    if (!isDeleting) await sayDependencies(subscription, { dependencies, deps }, signal);
    return actions.length < planned.length ? after(BLOCKED_POLL_MS) : done;
  }

  const replicasPath = (key: string, feed: Feed): string | undefined => {
    const order = feedInventories.get(key)?.spec.feeds.find((each) => feedKey(each) === feedKey(feed));
    return order?.replicaJsonPath ?? replicasPathOf(feed, deps.interpreters.current());
  };
  return createController({ ...deps, name: "subscription", sources: sourcesOf(informers, dependents), reconcile });
}

/** Whatever can change which Bases a Subscription needs, or what is in them. */
function sourcesOf(informers: DeliveryInformers, dependents: Dependents): readonly Source[] {
  const { subscriptions, bases, manifests, globalizations, localizations, managedClusters, feedInventories } = informers;
  const ownersOf = ({ metadata }: Base): readonly string[] =>
    subscriptions.byIndex(by.uid, metadata.labels?.[labels.subscriptionUid] ?? "").map(keyTextOf);
  const usersOf = (keys: readonly string[]): readonly string[] => [
    ...keys.flatMap((key) => subscriptions.byIndex(by.feed, key).map(keyTextOf)),
    ...dependents.of(keys),
  ];
  const overridden = (feed: Feed): readonly string[] => (mayNeed(feed) ? basesNaming(feed, bases).flatMap(ownersOf) : []);
  return [
    source(subscriptions, (subscription, change) => (changesPlan(change) ? ownKey(subscription) : [])),
    source(bases, (base, change) =>
      changesBeyondStatus(change) ? [...ownersOf(base), ...dependents.of(followableKeys(base, change))] : [],
    ),
    source(manifests, (manifest, change) => (changesBeyondStatus(change) ? usersOf(manifestFeedKeys(manifest)) : [])),
    // What a workload needs may be named by an override.
    source(globalizations, ({ spec }, change) => (changesBeyondStatus(change) ? overridden(spec.feed) : [])),
    source(localizations, ({ spec }, change) => (changesBeyondStatus(change) ? overridden(spec.feed) : [])),
    // Somebody else's may say later in which field its replicas are.
    source(feedInventories, (inventory, change) => (changesBeyondStatus(change) ? ownKey(inventory) : [])),
    source(managedClusters, (cluster, change) =>
      changesLabels(change) ? subscriptions.byIndex(by.binding, keyTextOf(cluster)).map(keyTextOf) : [],
    ),
  ];
}

async function carryOut(action: BaseAction, { client }: DeliveryDeps, signal: AbortSignal): Promise<void> {
  switch (action.type) {
    case "create":
      await createBase(client, action.base, signal);
      return;
    case "update": {
      const { metadata } = action.current;
      const body = {
        metadata: {
          resourceVersion: metadata.resourceVersion,
          labels: action.base.metadata.labels,
          // It confirmed this change, and none that comes later.
          annotations: { [annotations.deletionConfirmed]: null },
          finalizers: [...new Set([...(metadata.finalizers ?? []), finalizers.apps])],
        },
        // A merge patch removes only what it names.
        spec: {
          feeds: action.base.spec.feeds,
          shares: action.base.spec.shares ?? null,
          delivery: policyPatch(action.current.spec.delivery, action.base.spec.delivery),
        },
      };
      await client.patch(Base, keyOf(action.current), { type: "merge", body }, signal);
      return;
    }
    case "delete": {
      const { uid } = action.base.metadata;
      await client.delete(
        Base,
        keyOf(action.base),
        { propagationPolicy: "Background", ...(uid === undefined ? {} : { uid }) },
        signal,
      );
      return;
    }
    default:
      action satisfies never;
  }
}

async function createBase(client: Client, base: Base, signal: AbortSignal): Promise<void> {
  try {
    await client.create(Base, base, signal);
  } catch (error) {
    // Made a moment ago and not in the cache yet. Its arrival there wakes us again, to compare.
    if (!isAlreadyExists(error)) throw error;
  }
}

async function finish(subscription: Subscription, { client, log }: DeliveryDeps, signal: AbortSignal): Promise<void> {
  // The cache may not know a Base that we made a moment ago: this once, ask.
  const labelSelector = `${labels.subscriptionUid}=${subscription.metadata.uid ?? ""}`;
  const { items } = await client.list(Base, { labelSelector }, signal);
  if (items.length > 0) throw new Error(`${String(items.length)} Bases are still there`);
  await removeFinalizer(client, { type: Subscription, object: subscription, finalizer: finalizers.apps }, signal);
  log.info("subscription.finished", { subscription: keyTextOf(subscription) });
}

/** The numbers and conditions in its status change all the time and mean nothing here. */
function changesPlan(change: Change<Subscription>): boolean {
  if (change.type !== "updated") return true;
  const { object, previous } = change;
  return (
    object.metadata.deletionTimestamp !== previous.metadata.deletionTimestamp ||
    object.metadata.generation !== previous.metadata.generation ||
    confirmation(object) !== confirmation(previous) ||
    object.status?.specHash !== previous.status?.specHash ||
    !deepEqual(object.status?.bindingClusters, previous.status?.bindingClusters) ||
    !deepEqual(object.status?.replicas, previous.status?.replicas)
  );
}

function confirmation({ metadata }: Subscription): string | undefined {
  return metadata.annotations?.[annotations.confirmDeletion];
}

/** What another Subscription may take along once this Base has it no more. */
function followableKeys({ spec }: Base, change: Change<Base>): readonly string[] {
  const before = change.type === "updated" ? change.previous.spec.feeds : [];
  return [...spec.feeds, ...before].filter(isFollowable).map(feedKey);
}
