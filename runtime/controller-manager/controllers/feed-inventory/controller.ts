// Dividing Subscription + templates + what its charts need -> FeedInventory of the same name, which the scheduler divides by.

import { FeedInventory } from "#api/apps/v1alpha1/feed-inventory.ts";
import { normalEventReasons } from "#api/event-reasons.ts";
import { changesBeyondStatus } from "#controller-manager/changes.ts";
import type { ChartNeeds } from "#controller-manager/controllers/chart-needs/controller.ts";
import type { DeliveryDeps } from "#controller-manager/deps.ts";
import { by, feedCandidates } from "#controller-manager/informers.ts";
import type { InterpreterRegistry } from "#controller-manager/interpreters.ts";
import { chartFeedKeys, manifestFeedKeys, resolveFeed } from "#delivery/feeds.ts";
import { createController, done, ownKey, source, type Controller, type Result } from "#kube/controller.ts";
import { isAlreadyExists } from "#kube/errors.ts";
import { keyOf, keyTextOf } from "#kube/object.ts";
import { planInventory, type InventoryStep } from "./plan.ts";

export interface FeedInventoryDeps extends DeliveryDeps {
  readonly crossNamespaceFeeds: boolean;
  readonly interpreters: InterpreterRegistry;
  readonly chartNeeds: ChartNeeds;
}

export function feedInventoryController(deps: FeedInventoryDeps): Controller {
  const { informers, events, log, crossNamespaceFeeds, interpreters, chartNeeds } = deps;
  const { subscriptions, feedInventories, manifests, helmCharts } = informers;

  async function reconcile(key: string, signal: AbortSignal): Promise<Result> {
    const subscription = subscriptions.get(key);
    if (subscription === undefined) return done;
    const rules = { subscriptionNamespace: subscription.metadata.namespace ?? "", crossNamespaceFeeds };
    const feeds = subscription.spec.feeds.map((feed) => resolveFeed(feed, feedCandidates(feed, informers), rules));
    const current = feedInventories.get(key);
    const facts = { feeds, current, interpreters: interpreters.current(), chartNeeds: chartNeeds.of };
    const step = planInventory(subscription, facts);
    if (step.type === "none") return done;
    await carryOut(step, deps, signal);
    log.info("feed-inventory.changed", { change: step.type, subscription: key, reason: step.reason });
    const message = `FeedInventory: ${step.type}d, because ${step.reason}`;
    events.record(subscription, { type: "Normal", reason: normalEventReasons.feedInventorySynced, message });
    return done;
  }

  return createController({
    ...deps,
    name: "feed-inventory",
    sources: [
      source(subscriptions, (subscription, change) => (changesBeyondStatus(change) ? ownKey(subscription) : [])),
      source(feedInventories, (inventory, change) => (changesBeyondStatus(change) ? ownKey(inventory) : [])),
      source(manifests, (manifest, change) =>
        changesBeyondStatus(change)
          ? manifestFeedKeys(manifest).flatMap((key) => subscriptions.byIndex(by.feed, key).map(keyTextOf))
          : [],
      ),
      // Its status decides, too.
      source(helmCharts, (chart) => chartFeedKeys(chart).flatMap((key) => subscriptions.byIndex(by.feed, key).map(keyTextOf))),
      chartNeeds.source,
      source(interpreters.informer, () => subscriptions.list().map(keyTextOf)),
    ],
    reconcile,
  });
}

async function carryOut(
  step: Exclude<InventoryStep, { type: "none" }>,
  { client }: DeliveryDeps,
  signal: AbortSignal,
): Promise<void> {
  const { metadata, spec } = step.inventory;
  switch (step.type) {
    case "create":
      try {
        await client.create(FeedInventory, step.inventory, signal);
      } catch (error) {
        // Made a moment ago and not in the cache yet. Its arrival there wakes us again, to compare.
        if (!isAlreadyExists(error)) throw error;
      }
      return;
    case "update":
      await client.patch(
        FeedInventory,
        keyOf(step.inventory),
        { type: "merge", body: { metadata: { labels: metadata.labels }, spec } },
        signal,
      );
      return;
    case "delete":
      await client.delete(FeedInventory, keyOf(step.inventory), metadata.uid === undefined ? {} : { uid: metadata.uid }, signal);
      return;
    default:
      step satisfies never;
  }
}
