// Room for a Subscription that lacks some: who of lower priority gives how many replicas, in which cluster. Pure.
//
// (PRE-1) Only who is divided by capacity preempts and is preempted, and only strictly lower priorities give.
// (PRE-2) Only where the Subscription itself would put the replicas: its own decision is asked what it would do with the room.
// (PRE-3) The lowest priorities first, all that they have; higher ones only for what is missing then.
// (PRE-4) What is freed is enough for what is claimed, and no replica is taken that is not needed for it.
// (PRE-5) Without room for one replica there is no plan.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { PredictRequest } from "#api/proxies/v1alpha1/predictor.ts";
import { isDividedByCapacity, questionsOf } from "#scheduler/capacity-questions.ts";
import type { Capacities, CapacityAnswer } from "#scheduler/capacity.ts";
import type { BoundDecision, Decision } from "#scheduler/decision.ts";
import { previousOf } from "#scheduler/divide/divided.ts";
import { SharedRoom } from "#scheduler/divide/shared-room.ts";
import type { FeedNeed } from "#scheduler/plugin.ts";
import { compareText } from "#std/compare-text.ts";
import { mayStandInFor, minus, needOf, plus, times, wholesOf, freedBy, type Amounts } from "./amounts.ts";
import { byGiver, cover, freed } from "./cover.ts";
import type { Claim, Giver, Giving, Plan } from "./room.ts";

export type PreemptionRefusal =
  | "NothingMissing" // no replica lacks room
  | "PolicyNever" // spec.preemptionPolicy says so
  | "NobodyLower" // nobody of lower priority has replicas there
  | "RateLimited" // enough replicas were taken in this minute
  | "FreesNothing"; // what the others have does not make room for one replica

export interface NoPlan {
  readonly type: "none";
  readonly reason: PreemptionRefusal;
}

export interface PreemptionQuestion {
  readonly subscription: Subscription;
  /** Without anybody's giving room. */
  readonly decision: Decision;
  readonly needs: readonly FeedNeed[];
  readonly capacities: Capacities;
  /** Of any priority. */
  readonly givers: readonly Giver[];
  /** Replicas that may be taken now. */
  readonly replicasMax: number;
  /** Clusters in which nothing is tried now. */
  readonly avoided?: ReadonlySet<string>;
  /** The same Subscription with this status and these answers; pure. */
  readonly decide: (subscription: Subscription, capacities: Capacities) => Decision;
}

/** Times that the decision is asked again; lower priorities beyond that are taken together. */
const TIERS_MAX = 8;

export function planPreemption(question: PreemptionQuestion): Plan | NoPlan {
  const { subscription, decision, replicasMax, avoided } = question;
  if (decision.type !== "bound" || !mayPreempt(subscription)) return none("PolicyNever");
  if (missingOf(decision) === 0) return none("NothingMissing");
  if (replicasMax <= 0) return none("RateLimited");
  const priority = subscription.spec.priority ?? 0;
  const givers = question.givers
    .filter((giver) => giver.priority < priority && giver.replicas > 0 && avoided?.has(giver.cluster) !== true)
    .toSorted(byGiver);
  if (givers.length === 0) return none("NobodyLower");
  const search = new Search(question, decision);
  for (const most of tiersOf(givers)) {
    search.freeWith(givers.filter((giver) => giver.priority <= most));
    if (search.isDone) break;
  }
  return search.plan();
}

/** Whose preemptionPolicy and strategy let it take room. */
export function mayPreempt({ spec }: Subscription): boolean {
  return isDividedByCapacity({ spec }) && spec.preemptionPolicy === "PreemptLowerPriority";
}

/** Replicas without room. */
export function missingOf({ divisions = [] }: BoundDecision): number {
  return divisions.reduce((sum, { desired, placed }) => sum + Math.max(0, desired - placed), 0);
}

function none(reason: PreemptionRefusal): NoPlan {
  return { type: "none", reason };
}

/** Ascending; the last is the highest. */
function tiersOf(givers: readonly Giver[]): readonly number[] {
  const all = [...new Set(givers.map(({ priority }) => priority))];
  return all.length <= TIERS_MAX ? all : [...all.slice(0, TIERS_MAX - 1), ...all.slice(-1)];
}

/** One plan in the making: after each tier it knows what it would have by then. */
class Search {
  readonly #question: PreemptionQuestion;
  readonly #requests: ReadonlyMap<string, PredictRequest>;
  /** By feed, then by cluster: what it would have. */
  readonly #shares = new Map<string, Map<string, number>>();
  readonly #leftover = new Map<string, number>();
  /** By cluster: freed, but not needed by a claim. */
  readonly #spare = new Map<string, Amounts>();
  readonly #missing = new Map<string, number>();
  readonly #claims = new Map<string, Claim>();
  readonly #given = new Map<Giver, number>();
  #budget: number;
  #isLimited = false;

  constructor(question: PreemptionQuestion, decision: BoundDecision) {
    const { subscription, needs, capacities, replicasMax } = question;
    this.#question = question;
    this.#budget = replicasMax;
    const questions = questionsOf(subscription, needs);
    this.#requests = new Map(questions.flatMap(({ feeds, request }) => feeds.map((feed) => [feed, request] as const)));
    const room = new SharedRoom();
    for (const division of decision.divisions ?? []) {
      const { feed, desired, placed, shares } = division;
      room.take(division, (cluster) => capacities.of(cluster, feed));
      this.#missing.set(feed, Math.max(0, desired - placed));
      this.#shares.set(feed, new Map(shares.map(({ cluster, replicas }) => [cluster, replicas])));
    }
    for (const { feed, shares } of decision.divisions ?? []) {
      for (const { cluster } of shares) {
        const answer = room.of(cluster, capacities.of(cluster, feed));
        this.#leftover.set(wayOf(cluster, feed), answer?.type === "fits" ? Math.max(0, answer.replicas) : 0);
      }
    }
  }

  get isDone(): boolean {
    return this.#budget <= 0 || this.#missing.values().every((missing) => missing === 0);
  }

  freeWith(givers: readonly Giver[]): void {
    const { decide } = this.#question;
    const pool = Map.groupBy(givers, ({ cluster }) => cluster);
    const subscription = this.#standing();
    const decision = decide(subscription, { of: (cluster, feed) => this.#answer(cluster, feed, pool.get(cluster) ?? []) });
    if (decision.type !== "bound") return;
    for (const { feed, shares } of decision.divisions ?? []) {
      const before = this.#shares.get(feed) ?? new Map<string, number>();
      for (const { cluster, replicas } of shares) {
        const more = Math.min(replicas - (before.get(cluster) ?? 0), this.#missing.get(feed) ?? 0);
        if (more > 0) this.#claim(cluster, feed, { more, givers: pool.get(cluster) ?? [] });
      }
    }
  }

  plan(): Plan | NoPlan {
    if (this.#given.size === 0) return none(this.#isLimited ? "RateLimited" : "FreesNothing");
    const givings = [...this.#given].map(([giver, replicas]) => ({ giver, replicas }));
    return {
      type: "plan",
      claims: [...this.#claims.values()].toSorted((a, b) => compareText(wayOf(a.cluster, a.feed), wayOf(b.cluster, b.feed))),
      givings: givings.toSorted((a, b) => byGiver(a.giver, b.giver)),
      isLimited: this.#isLimited,
    };
  }

  /** What is left of an answer, and what these could free. */
  #answer(cluster: string, feed: string, givers: readonly Giver[]): CapacityAnswer | undefined {
    const answer = this.#question.capacities.of(cluster, feed);
    const request = this.#requests.get(feed);
    if (answer?.type !== "fits" || request === undefined) return answer;
    const helpful = this.#helpful(givers, request).map((giver) => freed({ giver, replicas: giver.replicas }));
    const free = helpful.reduce(plus, this.#spare.get(cluster) ?? new Map<string, bigint>());
    const { byTopology: _places, ...rest } = answer;
    return { ...rest, replicas: (this.#leftover.get(wayOf(cluster, feed)) ?? 0) + wholesOf(free, needOf(request)) };
  }

  /** With what they have not given yet. */
  #helpful(givers: readonly Giver[], request: PredictRequest): readonly Giver[] {
    const need = needOf(request);
    return givers.flatMap((giver) => {
      const replicas = giver.replicas - (this.#given.get(giver) ?? 0);
      const isUseful = mayStandInFor(giver.request, request) && [...freedBy(giver.request).keys()].some((name) => need.has(name));
      return replicas > 0 && isUseful ? [{ ...giver, replicas }] : [];
    });
  }

  #claim(cluster: string, feed: string, { more, givers }: { readonly more: number; readonly givers: readonly Giver[] }): void {
    const request = this.#requests.get(feed);
    if (request === undefined) return;
    const way = wayOf(cluster, feed);
    const known = Math.min(more, this.#leftover.get(way) ?? 0);
    const covered = this.#mostCovered(more - known, {
      request,
      spare: this.#spare.get(cluster),
      givers: this.#helpful(givers, request),
    });
    const replicas = known + covered.replicas;
    if (replicas === 0) return;
    this.#take(cluster, { covered, request, givers });
    if (known > 0) this.#useLeftover(cluster, way, known);
    const shares = this.#shares.get(feed) ?? new Map<string, number>();
    const base = shares.get(cluster) ?? 0;
    this.#shares.set(feed, shares.set(cluster, base + replicas));
    this.#missing.set(feed, (this.#missing.get(feed) ?? 0) - replicas);
    const earlier = this.#claims.get(way);
    this.#claims.set(way, { cluster, feed, request, base: earlier?.base ?? base, replicas: (earlier?.replicas ?? 0) + replicas });
  }

  /** Nobody knows what is left for other feeds then. */
  #useLeftover(cluster: string, way: string, replicas: number): void {
    for (const [feed] of this.#shares) {
      const other = wayOf(cluster, feed);
      this.#leftover.set(other, other === way ? (this.#leftover.get(other) ?? 0) - replicas : 0);
    }
  }

  #take(
    cluster: string,
    {
      covered,
      request,
      givers,
    }: { readonly covered: Covered; readonly request: PredictRequest; readonly givers: readonly Giver[] },
  ): void {
    const { givings, replicas } = covered;
    let free: Amounts = this.#spare.get(cluster) ?? new Map<string, bigint>();
    for (const giving of givings) {
      const giver = givers.find((each) => byGiver(each, giving.giver) === 0);
      if (giver === undefined) continue;
      this.#given.set(giver, (this.#given.get(giver) ?? 0) + giving.replicas);
      this.#budget -= giving.replicas;
      free = plus(free, freed(giving));
    }
    this.#spare.set(cluster, minus(free, times(needOf(request), replicas)));
  }

  /** As many replicas as can get room, within what may be taken now. */
  #mostCovered(wanted: number, { request, spare, givers }: CoverOptions): Covered {
    const need = needOf(request);
    const free: Amounts = spare ?? new Map<string, bigint>();
    const coverOf = (replicas: number): readonly Giving[] | undefined => cover(minus(times(need, replicas), free), givers);
    let best: Covered = { replicas: 0, givings: [] };
    let [low, high] = [1, wanted];
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const givings = coverOf(middle);
      const count = givings?.reduce((sum, { replicas }) => sum + replicas, 0) ?? Infinity;
      if (count !== Infinity && count > this.#budget) this.#isLimited = true;
      if (givings !== undefined && count <= this.#budget) {
        best = { replicas: middle, givings };
        low = middle + 1;
      } else high = middle - 1;
    }
    return best;
  }

  /** The Subscription as if it had what it has claimed so far. */
  #standing(): Subscription {
    const { subscription, decision } = this.#question;
    const bound = decision.type === "bound" ? decision.clusters : [];
    const claimed = [...this.#claims.values()].map(({ cluster }) => cluster);
    const clusters = [...new Set([...bound, ...claimed])].toSorted();
    const before = previousOf(subscription);
    const replicas = [...this.#shares].map(
      ([feed, shares]) => [feed, clusters.map((cluster) => shares.get(cluster) ?? before(feed, cluster))] as const,
    );
    return {
      ...subscription,
      status: { ...subscription.status, bindingClusters: clusters, replicas: Object.fromEntries(replicas) },
    };
  }
}

interface Covered {
  readonly replicas: number;
  readonly givings: readonly Giving[];
}

interface CoverOptions {
  readonly request: PredictRequest;
  readonly spare: Amounts | undefined;
  readonly givers: readonly Giver[];
}

function wayOf(cluster: string, feed: string): string {
  return `${cluster} ${feed}`;
}
