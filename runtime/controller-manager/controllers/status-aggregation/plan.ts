// Description statuses -> Subscription status: numbers per feed and cluster, completedReleases, conditions. Pure.

import type { Base } from "#api/apps/v1alpha1/base.ts";
import type { Description, ManifestStatus } from "#api/apps/v1alpha1/description.ts";
import type { Feed } from "#api/apps/v1alpha1/feed.ts";
import type { AggregatedStatus, FeedStatusDetail, ReplicaStatus, Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { specHash } from "#api/apps/v1alpha1/spec-hash.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { conditionTypes } from "#api/names.ts";
import { isDelivered } from "#delivery/description-status.ts";
import { feedText, namesFeed, type ResolvedFeed } from "#delivery/feeds.ts";
import type { Health } from "#delivery/health.ts";
import type { Interpreters } from "#delivery/interpreters.ts";
import { policyOf } from "#delivery/policy.ts";
import { sharesAt } from "#delivery/share.ts";
import { replicaStatusOf, reportedHealth } from "#delivery/summarize.ts";
import { findCondition, setCondition, type NewCondition } from "#kube/conditions.ts";
import { deepEqual } from "#std/canonical-json.ts";
import { shortList } from "#std/short-list.ts";
import { driftConditions } from "./drift-condition.ts";

/** What is known about one bound cluster. */
export interface ClusterReport {
  /** `namespace/name` of the ManagedCluster. */
  readonly binding: string;
  readonly cluster: ManagedCluster | undefined;
  readonly base: Base | undefined;
  /** One for objects, one for charts, as far as the feeds need them. */
  readonly descriptions: readonly (Description | undefined)[];
}

export interface Reports {
  /** The Subscription's feeds, in its order. */
  readonly feeds: readonly ResolvedFeed[];
  /** One per binding, in its order. */
  readonly reports: readonly ClusterReport[];
  readonly interpreters: Interpreters;
}

type Status = NonNullable<Subscription["status"]>;

/** A message names this many clusters at most: whoever waits for a handful sees each of them. */
const CLUSTERS_SHOWN_MAX = 10;
/** What one cluster says can be pages; the whole of it is in its Base and its Description. */
const REASON_CHARS_MAX = 500;

/** Only the members that aggregation writes; the scheduler's are left as they are. */
export function aggregate(subscription: Subscription, { feeds, reports, interpreters }: Reports, now: number): Status {
  const observedGeneration = subscription.metadata.generation ?? 0;
  const states = reports.map((each, index) => stated(subscription, { report: ofNow(subscription, each), index }, interpreters));
  const aggregatedStatuses = subscription.spec.feeds.map((feed, index) => aggregateFeed(feed, index, states));
  const completed = states.filter(isComplete);
  const conditions = [
    feedsCondition(feeds),
    deliveredCondition(subscription, states),
    availableCondition(subscription, { states, completed: completed.length }),
    ...driftConditions(subscription, reports),
  ].reduce<Status["conditions"]>(
    (all, condition) => setCondition(all, { ...condition, observedGeneration }, now),
    subscription.status?.conditions,
  );
  return {
    aggregatedStatuses,
    completedReleases: completed.length,
    ...(conditions === undefined ? {} : { conditions }),
  };
}

type ClusterState =
  | { readonly type: "delivered" }
  | { readonly type: "progressing"; readonly message: string }
  | { readonly type: "failed"; readonly message: string };

/**
 * A cluster that was left and is bound again: until its old Base is gone, what that says is about objects that are being removed. Who
 * took it for the new copy would remove the one that stood in.
 */
function ofNow({ metadata }: Subscription, report: ClusterReport): ClusterReport {
  const isOld = report.base?.metadata.deletionTimestamp !== undefined && metadata.deletionTimestamp === undefined;
  return isOld ? { ...report, base: undefined, descriptions: [] } : report;
}

interface Stated {
  readonly report: ClusterReport;
  readonly state: ClusterState;
  /** One per feed, in the Subscription's order. */
  readonly healths: readonly Health[];
}

/** A report at its index of the bindings. */
interface Placed {
  readonly report: ClusterReport;
  readonly index: number;
}

function stated(subscription: Subscription, { report, index }: Placed, interpreters: Interpreters): Stated {
  const state = stateOf(subscription, { report, index });
  const healths = subscription.spec.feeds.map((feed) => {
    const status = manifestStatus(feed, report);
    if (status !== undefined) return reportedHealth(status, interpreters);
    return state.type === "delivered" ? notReported : healthOfState(state);
  });
  return { report, state, healths };
}

const notReported: Health = { state: "Progressing", message: "the cluster has not reported it yet" };

function healthOfState(state: Exclude<ClusterState, { type: "delivered" }>): Health {
  return { state: state.type === "failed" ? "Failed" : "Progressing", message: state.message };
}

function isComplete({ state, healths }: Stated): boolean {
  return state.type === "delivered" && healths.every((health) => health.state === "Available");
}

/** Delivered means: everything between this very spec and the child has caught up. */
function stateOf(subscription: Subscription, { report: { base, descriptions }, index }: Placed): ClusterState {
  const { spec } = subscription;
  if (base === undefined || !isFromSpec(base, spec) || !deepEqual(base.spec.delivery, spec.delivery))
    return progressing("waiting for its Base");
  if (!hasShares(base, sharesAt(subscription, index))) return progressing("waiting for its share of the replicas");
  const problem = problemOf(base);
  if (problem !== undefined) return { type: "failed", message: problem };
  const known = descriptions.flatMap((description) => (description === undefined ? [] : [description]));
  const isDescribed =
    base.status?.observedGeneration === base.metadata.generation &&
    known.length === descriptions.length &&
    known.every((description) => deepEqual(description.spec.delivery, base.spec.delivery));
  if (!isDescribed) return progressing("waiting for its Description");
  const failures = known.filter(({ status }) => status?.phase === "Failure");
  if (failures.length > 0)
    return { type: "failed", message: failures.map(({ status }) => status?.reason ?? "failed").join("; ") };
  return known.every(isDelivered) ? { type: "delivered" } : progressing("waiting for the cluster");
}

function hasShares({ spec: { shares = [] } }: Base, expected: ReturnType<typeof sharesAt>): boolean {
  return deepEqual(
    shares.map(({ feed, replicas }) => ({ feed, replicas })),
    expected,
  );
}

/** What is taken along comes after the feeds. */
function isFromSpec(base: Base, { feeds, delivery }: Subscription["spec"]): boolean {
  const isFollowing = policyOf({ delivery }).dependencies === "Follow";
  return deepEqual(isFollowing ? base.spec.feeds.slice(0, feeds.length) : base.spec.feeds, feeds);
}

function problemOf({ status }: Base): string | undefined {
  const wrong = [conditionTypes.feedsResolved, conditionTypes.rendered]
    .map((type) => findCondition(status?.conditions, type))
    .filter((condition) => condition?.status === "False");
  return wrong.length === 0 ? undefined : wrong.map((condition) => condition?.message ?? "").join("; ");
}

function feedsCondition(feeds: readonly ResolvedFeed[]): NewCondition {
  const type = conditionTypes.feedsResolved;
  const wrong = feeds.flatMap((feed) => (feed.found ? [] : [feed]));
  const [first] = wrong;
  if (first === undefined) return { type, status: "True", reason: "FeedsFound", message: "Every feed was found and may be used" };
  return { type, status: "False", reason: first.reason, message: wrong.map(({ message }) => message).join("; ") };
}

function deliveredCondition(subscription: Subscription, states: readonly Stated[]): NewCondition {
  const type = conditionTypes.delivered;
  const blocked = notScheduled(subscription);
  if (blocked !== undefined) return { type, status: "False", reason: "NotScheduled", message: blocked };
  const failed = states.filter(({ state }) => state.type === "failed");
  const waiting = states.filter(({ state }) => state.type === "progressing");
  const total = String(states.length);
  if (failed.length > 0)
    return {
      type,
      status: "False",
      reason: "DeliveryFailed",
      message: `${String(failed.length)} of ${total} clusters: ${listed(failed)}`,
    };
  if (waiting.length > 0)
    return {
      type,
      status: "False",
      reason: "Progressing",
      message: `${String(waiting.length)} of ${total} clusters: ${listed(waiting)}`,
    };
  return { type, status: "True", reason: "Delivered", message: `In ${total} of ${total} clusters` };
}

function availableCondition(
  subscription: Subscription,
  { states, completed }: { readonly states: readonly Stated[]; readonly completed: number },
): NewCondition {
  const type = conditionTypes.available;
  const blocked = notScheduled(subscription);
  if (blocked !== undefined) return { type, status: "False", reason: "NotScheduled", message: blocked };
  const total = String(states.length);
  if (completed === states.length)
    return { type, status: "True", reason: "Available", message: `In ${total} of ${total} clusters` };
  const missing = states.filter((one) => !isComplete(one));
  const wrong = missing.filter(({ state, healths }) => state.type === "failed" || healths.some(isFailedHealth));
  const texts = [...new Set([...wrong, ...missing])].map(
    (one) => `${one.report.binding}: ${shortened(whyIncomplete(subscription, one))}`,
  );
  return {
    type,
    status: "False",
    reason: wrong.length > 0 ? "Failed" : "Progressing",
    message: `In ${String(completed)} of ${total} clusters; ${shortList(texts, CLUSTERS_SHOWN_MAX).join("; ")}`,
  };
}

/** What failed says more than what is on its way. */
function whyIncomplete({ spec }: Subscription, { state, healths }: Stated): string {
  if (state.type === "failed") return state.message;
  const failedAt = healths.findIndex(isFailedHealth);
  const index = failedAt === -1 ? healths.findIndex((health) => health.state !== "Available") : failedAt;
  const [feed, health] = [spec.feeds[index], healths[index]];
  if (feed !== undefined && health !== undefined) return `${feedText(feed)}: ${health.message}`;
  return state.type === "delivered" ? "" : state.message;
}

function isFailedHealth({ state }: Health): boolean {
  return state === "Failed";
}

/** Why there is nothing to speak about: the scheduler has not decided on this spec, or has bound nothing. */
function notScheduled({ spec, metadata, status }: Subscription): string | undefined {
  const scheduled = findCondition(status?.conditions, conditionTypes.scheduled);
  const isDecided = status?.specHash === specHash(spec);
  // An upstream scheduler writes no condition; the hash is then all there is.
  if (!isDecided || (scheduled !== undefined && scheduled.observedGeneration !== metadata.generation)) {
    return scheduled?.status === "False" && scheduled.observedGeneration === metadata.generation
      ? scheduled.message
      : `Scheduler ${spec.schedulerName} has not looked at this spec yet`;
  }
  return (status.bindingClusters ?? []).length === 0 ? (scheduled?.message ?? "Bound to no cluster") : undefined;
}

function listed(states: readonly Stated[]): string {
  const texts = states.map(
    ({ report, state }) => `${report.binding}: ${state.type === "delivered" ? "" : shortened(state.message)}`,
  );
  return shortList(texts, CLUSTERS_SHOWN_MAX).join("; ");
}

function shortened(reason: string): string {
  return reason.length > REASON_CHARS_MAX ? `${reason.slice(0, REASON_CHARS_MAX)}…` : reason;
}

function progressing(message: string): ClusterState {
  return { type: "progressing", message };
}

function manifestStatus(feed: Feed, { descriptions }: ClusterReport): ManifestStatus | undefined {
  return descriptions
    .flatMap((description) => description?.status?.manifestStatuses ?? [])
    .find((status) => namesFeed(feed, status));
}

function aggregateFeed({ apiVersion, kind, namespace, name }: Feed, index: number, states: readonly Stated[]): AggregatedStatus {
  const feed: Feed = { apiVersion, kind, name, ...(namespace === undefined ? {} : { namespace }) };
  const details = states.map((one) => detailOf(feed, index, one));
  const numbers = details.flatMap(({ replicaStatus }) => (replicaStatus === undefined ? [] : [replicaStatus]));
  return {
    ...feed,
    feedStatusDetails: details,
    feedStatusSummary: {
      available: details.length > 0 && details.every(({ available }) => available === true),
      ...(numbers.length === 0 ? {} : { replicaStatus: total(numbers) }),
    },
  };
}

function detailOf(feed: Feed, index: number, { report, healths }: Stated): FeedStatusDetail {
  const status = manifestStatus(feed, report);
  const replicaStatus = status === undefined ? undefined : replicaStatusOf(status);
  const { state, message } = healths[index] ?? notReported;
  return {
    ...(report.cluster === undefined ? {} : { clusterId: report.cluster.spec.clusterId }),
    clusterName: report.binding.slice(report.binding.indexOf("/") + 1),
    available: state === "Available",
    state,
    ...(message === "" ? {} : { message }),
    ...(replicaStatus === undefined ? {} : { replicaStatus }),
  };
}

/** Sums; of generations the newest. */
function total(statuses: readonly ReplicaStatus[]): ReplicaStatus {
  const sums = new Map<string, number>();
  for (const status of statuses) {
    for (const [field, value] of Object.entries(status)) {
      const before = sums.get(field) ?? 0;
      sums.set(field, field === "observedGeneration" ? Math.max(before, value) : before + value);
    }
  }
  return Object.fromEntries(sums);
}
