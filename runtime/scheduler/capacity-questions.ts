// What clusters are asked before a Subscription is divided by their capacity: one question for all feeds that need the same. Pure.

import { feedKey, type Feed } from "#api/apps/v1alpha1/feed.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { PredictAnswer, PredictRequest } from "#api/proxies/v1alpha1/predictor.ts";
import { canonicalJson } from "#std/canonical-json.ts";
import { compareText } from "#std/compare-text.ts";
import type { CapacityAnswer } from "./capacity.ts";
import type { FeedNeed } from "./plugin.ts";

export interface Question {
  /** Equal for equal requirements: the same answer is right for both. */
  readonly key: string;
  /** By key. */
  readonly feeds: readonly string[];
  readonly request: PredictRequest;
}

export function isDividedByCapacity({ spec }: Pick<Subscription, "spec">): boolean {
  return spec.schedulingStrategy === "Dividing" && spec.dividingScheduling?.type === "Dynamic";
}

/** A feed without replicas to divide is not asked for. */
export function questionsOf({ spec }: Pick<Subscription, "spec">, needs: readonly FeedNeed[]): readonly Question[] {
  const feeds = new Map(spec.feeds.map((feed) => [feedKey(feed), feed]));
  const questions = new Map<string, { readonly need: PredictRequest; readonly feeds: Feed[] }>();
  for (const { feed: key, desiredReplicas, replicaRequirements = {} } of needs) {
    const feed = feeds.get(key);
    if (feed === undefined || desiredReplicas === undefined) continue;
    const { namespace } = feed;
    const need = { ...replicaRequirements, ...(namespace === undefined ? {} : { namespace }) };
    const question = canonicalJson(need);
    const known = questions.get(question);
    if (known === undefined) questions.set(question, { need, feeds: [feed] });
    else known.feeds.push(feed);
  }
  return [...questions].map(([key, { need, feeds: same }]) => ({
    key,
    feeds: same.map(feedKey),
    request: { ...need, topology: ["zone", "region"] },
  }));
}

export function capacityOf({ replicas, topology, unfit }: PredictAnswer): CapacityAnswer {
  return {
    type: "fits",
    replicas: replicas.default,
    ...(topology === undefined ? {} : { byTopology: topology }),
    ...(unfit === undefined ? {} : { unfit: mostOf(unfit) }),
  };
}

/** A child says as much as it likes; this is for people. */
const REASONS_KEPT_MAX = 10;
const REASON_LENGTH_MAX = 100;

function mostOf(unfit: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  const sorted = Object.entries(unfit).toSorted(([a, left], [b, right]) => right - left || compareText(a, b));
  return Object.fromEntries(
    sorted.slice(0, REASONS_KEPT_MAX).map(([reason, nodes]) => [reason.slice(0, REASON_LENGTH_MAX), nodes] as const),
  );
}
